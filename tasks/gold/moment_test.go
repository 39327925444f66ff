package gold

import (
	"testing"
	"time"

	"github.com/mars-rec/mars/graph"
)

func TestParseMoment(t *testing.T) {
	var log rows
	for n := range int64(10) {
		log = append(log, graph.Interaction{User: "u", Item: string(rune('a' + n)), Time: epoch + n})
	}
	g := log.graph(t)
	for in, want := range map[string]time.Time{
		"":                          {},
		"q0":                        time.Unix(epoch, 0).UTC(),
		"q80":                       time.Unix(epoch+8, 0).UTC(),
		"q100":                      time.Unix(epoch+10, 0).UTC(),
		"2018-01-31":                time.Date(2018, 1, 31, 0, 0, 0, 0, time.UTC),
		"2018-01-31T12:00:00+02:00": time.Date(2018, 1, 31, 10, 0, 0, 0, time.UTC),
	} {
		if got, err := ParseMoment(in, g); err != nil || !got.Equal(want) {
			t.Errorf("%q: %v, %v, want %v", in, got, err, want)
		}
	}
	for _, in := range []string{"q101", "q-1", "qNaN", "yesterday", "2018-13-01", "1514764800"} {
		if got, err := ParseMoment(in, g); err == nil {
			t.Errorf("%q was read as %v", in, got)
		}
	}
}
