package formats

import (
	"math"
	"strconv"
	"time"
)

// clock is how the times of one file are written. The zero value takes Unix
// times and the common layouts.
type clock struct {
	layout string // of package time; "" for Unix times and the common layouts
	unit   int64  // of Unix times, in a second; 0: told by the first one
}

// lastSecond is the end of the year 9999, the last that RFC 3339 can write.
const lastSecond = 253402300799

var layouts = []string{time.RFC3339, time.DateTime, "2006-01-02T15:04:05", "2006-01-02 15:04:05Z07:00", time.DateOnly, time.RubyDate}

// seconds returns a time in whole Unix seconds, rounded down, and false if it
// cannot be read or lies outside of 1970 to 9999. Times without a zone are UTC.
func (in *input) seconds(s string) (int64, bool) {
	at, ok := in.parseTime(s)
	return at, ok && at >= 0 && at <= lastSecond
}

func (in *input) parseTime(s string) (int64, bool) {
	if s == "" {
		return 0, false
	}
	if in.clock.layout != "" {
		t, err := time.Parse(in.clock.layout, s)
		return t.Unix(), err == nil
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return floorDiv(n, in.perSecond(float64(n))), true
	}
	if f, ok := parseNumber(s); ok && math.Abs(f) < 1e19 {
		return int64(math.Floor(f / float64(in.perSecond(f)))), true
	}
	for _, layout := range layouts {
		if t, err := time.Parse(layout, s); err == nil {
			return t.Unix(), true
		}
	}
	return 0, false
}

// perSecond returns how many units of a Unix time make a second. The first time
// of a file decides: as seconds, 10^11 is the year 5138; as milliseconds, 1973.
func (in *input) perSecond(n float64) int64 {
	if in.clock.unit > 0 {
		return in.clock.unit
	}
	name := ""
	switch {
	case n <= 0: // stands for no time, and decides nothing
		return 1
	case n < 1e11:
		in.clock.unit = 1
	case n < 1e14:
		in.clock.unit, name = 1e3, "milliseconds"
	case n < 1e17:
		in.clock.unit, name = 1e6, "microseconds"
	default:
		in.clock.unit, name = 1e9, "nanoseconds"
	}
	if name != "" {
		in.note("times were read as Unix %s", name)
	}
	return in.clock.unit
}

func floorDiv(n, d int64) int64 {
	q := n / d
	if n%d < 0 {
		q--
	}
	return q
}
