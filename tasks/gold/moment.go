package gold

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/mars-rec/mars/graph"
)

// ParseMoment reads a moment that is given as a date (2018-01-31, its first
// second in UTC), in RFC 3339, or as a quantile of the log's time: q80 is the
// moment before which 80% of the interactions lie, as [graph.Graph.Quantile]
// says. An empty text is the zero time.
func ParseMoment(s string, g *graph.Graph) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if digits, ok := strings.CutPrefix(s, "q"); ok {
		if percent, err := strconv.ParseFloat(digits, 64); err == nil && percent >= 0 && percent <= 100 {
			return g.Quantile(percent / 100), nil
		}
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("moment %q: want a date as 2018-01-31, a time as 2018-01-31T12:00:00Z, or a quantile of the log as q80", s)
}
