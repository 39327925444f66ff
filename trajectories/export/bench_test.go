package export_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"strings"
	"testing"

	"github.com/mars-rec/mars/tasks/gold"
	"github.com/mars-rec/mars/trajectories"
	"github.com/mars-rec/mars/trajectories/export"
)

// sized is a run whose tool answers at the length of a real one: 20 candidates
// in four signals make some 40 kB a row.
func sized() *trajectories.Trajectory {
	more := strings.Repeat(`"12 of 31 users who read \"Persuasion\" also read c02 \"Emma\".",`, 500)
	return run("t1", strings.Replace(answer, `"evidence":[`, `"evidence":[`+more, 1))
}

// repeated is a group of one run, n times over.
func repeated(t *trajectories.Trajectory, n int) iter.Seq2[export.Group, error] {
	g := export.Group{Gold: gold.Gold{ID: t.Run.ID, Items: []string{"i2"}}, Runs: []*trajectories.Trajectory{t}}
	return func(yield func(export.Group, error) bool) {
		for range n {
			if !yield(g, nil) {
				return
			}
		}
	}
}

type counted struct{ n int64 }

func (c *counted) Write(b []byte) (int, error) {
	c.n += int64(len(b))
	return len(b), nil
}

// BenchmarkExport writes rows of about 40 kB from runs in memory: telling the
// run, the checks and the encoding. A row is an operation.
func BenchmarkExport(b *testing.B) {
	t := sized()
	for _, name := range export.Names() {
		for _, format := range export.Formats(name) {
			b.Run(fmt.Sprintf("%s/%s", name, format), func(b *testing.B) {
				x, err := export.New(name, export.Config{Tools: specs, As: format})
				if err != nil {
					b.Fatal(err)
				}
				var out counted
				b.ReportAllocs()
				b.ResetTimer()
				if err := x.Export(context.Background(), &out, repeated(t, b.N)); err != nil {
					b.Fatal(err)
				}
				b.SetBytes(out.n / int64(b.N))
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
			})
		}
	}
}

// BenchmarkStraightforward is what one would write first: the run told, without
// a check, as maps to a json.Encoder.
func BenchmarkStraightforward(b *testing.B) {
	t := sized()
	var out counted
	enc := json.NewEncoder(io.Writer(&out))
	enc.SetEscapeHTML(false)
	b.ReportAllocs()
	for b.Loop() {
		messages, err := trajectories.Serialize(t, trajectories.Linear{})
		if err != nil {
			b.Fatal(err)
		}
		tools, err := export.ToolsJSON(specs)
		if err != nil {
			b.Fatal(err)
		}
		var rows []map[string]any
		for _, m := range messages {
			row := map[string]any{"role": m.Role, "content": m.Content}
			for _, c := range m.ToolCalls {
				row["tool_calls"] = []any{map[string]any{"type": "function", "function": map[string]any{"name": c.Name, "arguments": c.Arguments}}}
			}
			rows = append(rows, row)
		}
		if err := enc.Encode(map[string]any{"messages": rows, "tools": tools, "run": t.Run.ID, "candidates": t.Run.Task.Candidates}); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(out.n / int64(b.N))
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
