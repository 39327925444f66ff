package powerlaw_test

import (
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/mars-rec/mars/graph"
	"github.com/mars-rec/mars/graph/powerlaw"
)

// BenchmarkDelta opens and asks a graph of which the latest part of the log
// stands in a delta, against one without. It tells the processor time of the
// queries in its log: -v shows it.
func BenchmarkDelta(b *testing.B) {
	for _, size := range []struct {
		name string
		n    int
	}{{"1M", 1_000_000}, {"20M", 20_000_000}} {
		for _, delta := range []struct {
			name  string
			parts int // of the log, one of which is the delta; 0: none
		}{{"none", 0}, {"0.1%", 1000}, {"1%", 100}} {
			b.Run(size.name+"/"+delta.name, func(b *testing.B) {
				shape := powerlaw.Sized(size.n, 42)
				rows, err := shape.Log()
				if err != nil {
					b.Fatal(err)
				}
				late := 0
				if delta.parts > 0 {
					late = size.n / delta.parts
				}
				interaction := func(r graph.Row) graph.Interaction {
					return graph.Interaction{User: strconv.Itoa(int(r.User)), Item: strconv.Itoa(int(r.Item)), Time: powerlaw.Base + int64(r.Time), Rating: float32(r.Tenths) / 10}
				}
				var log []graph.Interaction
				for _, r := range rows[size.n-late:] {
					log = append(log, interaction(r))
				}
				path := filepath.Join(b.TempDir(), "graph.bin")
				built, err := graph.Build(func(yield func(graph.Interaction, error) bool) {
					for _, r := range rows[:size.n-late] {
						if !yield(interaction(r), nil) {
							return
						}
					}
				})
				if err != nil {
					b.Fatal(err)
				}
				if err := built.Save(path); err != nil {
					b.Fatal(err)
				}
				built, rows = nil, nil
				start := time.Now()
				opened := time.Duration(0)
				for b.Loop() {
					start = time.Now()
					g, err := graph.OpenWith(path, log)
					if err != nil {
						b.Fatal(err)
					}
					opened = time.Since(start)
					if err := g.Close(); err != nil {
						b.Fatal(err)
					}
				}
				b.Log("opened in", opened)
				g, err := graph.OpenWith(path, log)
				if err != nil {
					b.Fatal(err)
				}
				defer g.Close()
				for _, m := range powerlaw.Measure(g, 500, 42) {
					b.Log(m)
				}
			})
		}
	}
}
