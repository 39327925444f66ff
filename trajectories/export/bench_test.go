package export_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/message/phase"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/tools"
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
	return func(yield func(export.Group, error) bool) {
		for range n {
			if !yield(group(t), nil) {
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

// cpu is the processor time that this process has used: what a shared machine
// leaves of a clock.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// report tells what all cores together write, and what one of them does, the
// collector's work included.
func report(b *testing.B, written int64, used time.Duration) {
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(float64(b.N)/used.Seconds(), "rows/cpu-s")
	b.ReportMetric(float64(written)/1e6/used.Seconds(), "MB/cpu-s")
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
				before := cpu(b)
				if err := x.Export(context.Background(), &out, repeated(t, b.N)); err != nil {
					b.Fatal(err)
				}
				report(b, out.n, cpu(b)-before)
			})
		}
	}
}

// BenchmarkMemory writes so many rows of about 3 kB, each of a run of its own,
// and tells the most memory that the process had. It grows with none of them:
//
//	go test ./trajectories/export -run xxx -bench Memory -benchtime 1x
func BenchmarkMemory(b *testing.B) {
	for _, format := range []export.Format{export.JSONL, export.Parquet} {
		for _, rows := range []int{10_000, 100_000, 1_000_000} {
			b.Run(fmt.Sprintf("%s/%d", format, rows), func(b *testing.B) {
				x, err := export.New(export.TRLSFT, export.Config{Tools: specs, As: format})
				if err != nil {
					b.Fatal(err)
				}
				for b.Loop() {
					if err := x.Export(context.Background(), &counted{}, many(rows)); err != nil {
						b.Fatal(err)
					}
				}
				var u syscall.Rusage
				if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(u.Maxrss)/1024, "peak-MiB")
			})
		}
	}
}

// many is a group for each of n runs, which are made as they are asked for.
func many(n int) iter.Seq2[export.Group, error] {
	return func(yield func(export.Group, error) bool) {
		for i := range n {
			if !yield(group(run(fmt.Sprint("t", i), answer)), nil) {
				return
			}
		}
	}
}

// BenchmarkParse reads the conversation of a run back into its phases.
func BenchmarkParse(b *testing.B) {
	t := sized()
	claims := make([]string, 12)
	for i := range claims {
		claims[i] = "By what the 50 nearest users rated: first c02 \"Emma (1996)\", then c01 \"Dune (1984)\", then c03."
	}
	messages, err := trajectories.Serialize(t, trajectories.Linear{})
	if err != nil {
		b.Fatal(err)
	}
	said := &messages[len(messages)-1].Content
	size := 0
	for range 4 {
		*said = phase.Write(phase.Analysis{Role: "recent", Summary: "item_cf puts c02 first.", Claims: claims}) + "\n" + *said
	}
	for _, m := range messages {
		if m.Role == model.Assistant {
			size += len(m.Content)
		}
	}
	b.ReportAllocs()
	before := cpu(b)
	for b.Loop() {
		if _, err := trajectories.Parse(messages, t.Run.Task.Labels(), trajectories.Form{Roles: []string{"recent"}}); err != nil {
			b.Fatal(err)
		}
	}
	report(b, int64(size)*int64(b.N), cpu(b)-before)
}

// BenchmarkStraightforward is what one would write first: every message decoded
// by encoding/json, the run told without a check, and the row encoded by it. Its
// rows are those of the export, byte for byte.
func BenchmarkStraightforward(b *testing.B) {
	t := sized()
	var want, got bytes.Buffer
	x, err := export.New(export.TRLSFT, export.Config{Tools: specs})
	if err != nil {
		b.Fatal(err)
	}
	if err := errors.Join(x.Export(context.Background(), &want, repeated(t, 1)), straightforward(&got, t)); err != nil {
		b.Fatal(err)
	}
	if got.String() != want.String() {
		b.Fatalf("the loop writes\n%s\nthe export\n%s", got.Bytes(), want.Bytes())
	}
	var out counted
	b.ReportAllocs()
	before := cpu(b)
	for b.Loop() {
		if err := straightforward(&out, t); err != nil {
			b.Fatal(err)
		}
	}
	report(b, out.n, cpu(b)-before)
}

type plainCall struct {
	Type     string `json:"type"`
	Function struct {
		Name      string `json:"name"`
		Arguments string `json:"arguments"`
	} `json:"function"`
}

type plainMessage struct {
	Role    model.Role  `json:"role"`
	Name    string      `json:"name,omitempty"`
	Content string      `json:"content"`
	Calls   []plainCall `json:"tool_calls,omitempty"`
}

// straightforward writes a run of [sized] as a row of TRL.
func straightforward(w io.Writer, t *trajectories.Trajectory) error {
	results := map[string]tools.Result{}
	var lines []string
	for _, e := range t.Log {
		switch e.Kind {
		case "result":
			var r tools.Result
			if err := json.Unmarshal(e.Body, &r); err != nil {
				return err
			}
			results[r.Call] = r
		case "prompt":
			var m model.Message
			if err := json.Unmarshal(e.Body, &m); err != nil {
				return err
			}
			lines = strings.Split(strings.TrimSpace(m.Content), "\n")
		}
	}
	opening, err := trajectories.Opening(t.Run.Task, lines)
	if err != nil {
		return err
	}
	said := []plainMessage{{Role: opening[0].Role, Content: opening[0].Content}, {Role: opening[1].Role, Content: opening[1].Content}}
	open := plainMessage{Role: model.Assistant}
	say := func(b message.Body) {
		if open.Content != "" {
			open.Content += "\n"
		}
		open.Content += phase.Write(b)
	}
	for _, e := range t.Log {
		var plan phase.Plan
		var analysis phase.Analysis
		var reflection phase.Reflection
		var recommend phase.Recommend
		var reply model.Output
		switch e.Kind {
		case "plan":
			err = json.Unmarshal(e.Body, &plan)
			say(plan)
		case "analysis":
			err = json.Unmarshal(e.Body, &analysis)
			say(analysis)
		case "reflection":
			err = json.Unmarshal(e.Body, &reflection)
			say(reflection)
		case "recommend":
			err = json.Unmarshal(e.Body, &recommend)
			say(recommend)
		case "reply":
			err = json.Unmarshal(e.Body, &reply)
			if open.Content += "\n" + reply.Message.Content; len(reply.Message.ToolCalls) == 0 {
				break
			}
			var answers []plainMessage
			for _, c := range reply.Message.ToolCalls {
				call := plainCall{Type: "function"}
				call.Function.Name = c.Name
				if call.Function.Arguments, err = phase.Spaced(json.RawMessage(c.Arguments)); err != nil {
					return err
				}
				open.Calls = append(open.Calls, call)
				answers = append(answers, plainMessage{Role: model.ToolRole, Name: c.Name, Content: results[c.ID].Content()})
			}
			said = append(append(said, open), answers...)
			open = plainMessage{Role: model.Assistant}
		}
		if err != nil {
			return err
		}
	}
	specs, err := export.ToolsJSON(specs)
	if err != nil {
		return err
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(struct {
		Messages   []plainMessage `json:"messages"`
		Tools      string         `json:"tools"`
		Run        string         `json:"run"`
		Candidates []string       `json:"candidates"`
	}{append(said, open), specs, t.Run.ID, t.Run.Task.Candidates})
}
