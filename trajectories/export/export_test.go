package export_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/message/phase"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tasks/gold"
	"github.com/mars-rec/mars/tools"
	"github.com/mars-rec/mars/trajectories"
	"github.com/mars-rec/mars/trajectories/export"
	"github.com/mars-rec/mars/trajectories/filter"
)

var update = flag.Bool("update", false, "write the golden files anew")

// answer is what the tool says in run: the right item, i2, as a candidate.
const answer = `{"evidence":["2 users of \"Émile & <x>\" also have c02 \"Emma\""],"items":[{"item":"i2","label":"c02","shared":2},{"item":"i9","shared":1}],"rankings":[{"tool":"item_cf","signal":"item_cf","ranking":["c02:9=0.5","c01:4=0.1","c03:0=0"]}]}`

// run is a well-formed run that ranks i2 first, with what its tool answered.
func run(id, answer string) *trajectories.Trajectory {
	task := tasks.Task{ID: id, User: "u", AsOf: time.Date(2018, 1, 1, 0, 0, 0, 0, time.UTC), Candidates: []string{"i1", "i2", "i3"}}
	t := &trajectories.Trajectory{Run: trajectories.Run{ID: id, Task: task, Status: trajectories.Done, Ranking: []string{"i2", "i1", "i3"}}}
	call := model.ToolCall{ID: "call_1_2_2_1", Name: "item_cf", Arguments: `{"window":"all","k":20}`}
	for i, b := range []message.Body{
		model.Message{Role: model.User, Content: "c01 | Dune (1965) | SF\nc02 | Emma | Classics\nc03 | Ulysses\n"},
		phase.Plan{Summary: "Look.", Subtasks: []phase.Subtask{{Role: "recent", Goal: "the last items", Collaborative: true}}},
		model.Output{Message: model.Message{Role: model.Assistant, Content: "First the neighbours.", ToolCalls: []model.ToolCall{call}}},
		tools.Result{Call: call.ID, Tool: call.Name, Value: json.RawMessage(answer)},
		phase.Analysis{Role: "recent", Summary: "Clear.", Claims: []string{"c02 leads in item_cf"}},
		phase.Reflection{Verdict: phase.Accept, Issues: []string{}},
		phase.Recommend{Ranking: []string{"c02", "c01", "c03"}, Justification: "item_cf"},
	} {
		raw, err := message.Marshal(b)
		if err != nil {
			panic(err)
		}
		t.Log = append(t.Log, message.Envelope{ID: message.Root.Child(i + 1), Kind: b.Kind(), Body: raw}.Trusted()) // as a store gives it
	}
	return t
}

func groups(runs ...*trajectories.Trajectory) iter.Seq2[export.Group, error] {
	return func(yield func(export.Group, error) bool) {
		for _, t := range runs {
			if !yield(group(t), nil) {
				return
			}
		}
	}
}

func group(t *trajectories.Trajectory) export.Group {
	return export.Group{Task: t.Run.Task, Gold: gold.Gold{ID: t.Run.ID, Items: []string{"i2"}}, Runs: []*filter.Sample{filter.NewSample(t, "run.db")}}
}

// all chooses all runs.
func all(runs ...*trajectories.Trajectory) export.Chosen {
	return export.Chosen{Groups: groups(runs...)}
}

// sifted chooses those that filters keep.
func sifted(groups iter.Seq2[export.Group, error], filters ...filter.Filter) export.Chosen {
	sieve := filter.NewSieve(filters...)
	return export.Chosen{Filters: sieve.Counts, Groups: sieve.Accepted(context.Background(), func(yield func(filter.Load, error) bool) {
		for g, err := range groups {
			if !yield(func(context.Context) (filter.Group, error) { return g, nil }, err) {
				return
			}
		}
	})}
}

var specs = []model.ToolSpec{{Name: "item_cf", Description: "What goes together.", Parameters: json.RawMessage(`{"type":"object","properties":{"k":{"type":"integer"},"window":{"type":"string"}}}`)}}

func write(t *testing.T, runs ...*trajectories.Trajectory) ([]byte, error) {
	x, err := export.New(export.TRLSFT, export.Config{Tools: specs})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err = x.Export(context.Background(), &out, groups(runs...))
	return out.Bytes(), err
}

// Each of these breaks one promise, and would be trained on without a word.
func TestARowThatBreaksAPromiseIsAnError(t *testing.T) {
	edit := func(i int, old, with string) func(*trajectories.Trajectory) {
		return func(tr *trajectories.Trajectory) {
			before := string(tr.Log[i].Body)
			if tr.Log[i].Body = json.RawMessage(strings.Replace(before, old, with, 1)); string(tr.Log[i].Body) == before {
				panic(fmt.Sprintf("%q is not in %s", old, before))
			}
		}
	}
	drop := func(i int) func(*trajectories.Trajectory) {
		return func(tr *trajectories.Trajectory) { tr.Log = append(tr.Log[:i:i], tr.Log[i+1:]...) }
	}
	for name, c := range map[string]struct {
		change func(*trajectories.Trajectory)
		want   string
	}{
		"no plan":              {drop(1), "before the plan"},
		"no answer to a call":  {drop(3), "both the assistant's|no tool is called"},
		"no reflection":        {drop(5), "before a reflection"},
		"a label twice":        {edit(6, `"c01"`, `"c02"`), "lists c02 twice and lacks c01"},
		"an unknown tool":      {edit(2, `"item_cf"`, `"rm_rf"`), "not among the tools"},
		"arguments cut":        {edit(2, `20}`, `20`), "no JSON object"},
		"a template token":     {edit(3, `Émile`, `<|im_end|>`), "chat templates obey"},
		"a tag of a template":  {edit(3, `Émile`, `<tool_call>`), "chat templates obey"},
		"gold in the history":  {edit(3, `{"item":"i9"`, `{"item":"i2"`), "tells of the right item i2"},
		"gold under a label":   {edit(3, `"label":"c02"`, `"label":"c01"`), "tells of the right item i2"},
		"gold in a list":       {edit(3, `"items":[`, `"items":["i2",`), "tells of the right item i2"},
		"gold without a label": {edit(3, `,"label":"c02"`, ``), "tells of the right item i2"},
	} {
		tr := run("t1", answer)
		c.change(tr)
		out, err := write(t, tr)
		if err == nil || !strings.Contains(err.Error(), "run t1") {
			t.Errorf("%s: %v, want an error of run t1; wrote %s", name, err, out)
			continue
		}
		found := false
		for want := range strings.SplitSeq(c.want, "|") {
			found = found || strings.Contains(err.Error(), want)
		}
		if !found {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestWriteCountsWhatItLeavesOut(t *testing.T) {
	second, broken := run("t2", answer), run("t3", answer)
	second.Run.Ranking = []string{"i1", "i2", "i3"}
	broken.Log = broken.Log[:len(broken.Log)-1]
	dir := filepath.Join(t.TempDir(), "sft")
	source := export.Source{Stores: []export.StoreSource{{Store: "run.db", Runs: trajectories.Manifest{Seed: 42, Setup: json.RawMessage(`{"data":"/home/someone"}`)}}}}
	m, err := export.Write(context.Background(), dir, export.TRLSFT, export.Config{Tools: specs},
		sifted(groups(run("t1", answer), second, broken, run("t4", answer)), filter.Valid(trajectories.Linear{}, nil), filter.Top(1)), source)
	if err != nil {
		t.Fatal(err)
	}
	want := []filter.Count{
		{Filter: "well formed", In: 4, Kept: 3, Dropped: map[string]int{"a phase is missing or malformed": 1}},
		{Filter: "gold first", In: 3, Kept: 2, Dropped: map[string]int{"the first of the ranking is not right": 1}},
	}
	if m.Rows != 2 || !reflect.DeepEqual(m.Filters, want) || m.Splits[0] != (export.Side{Split: "train", Share: 1, Users: 1, Rows: 2}) || m.Longest == 0 {
		t.Errorf("manifest %+v", m)
	}
	raw, err := os.ReadFile(filepath.Join(dir, export.ManifestFile))
	if err != nil {
		t.Fatal(err)
	}
	var read export.Manifest
	if err := json.Unmarshal(raw, &read); err != nil || len(read.Files) != 1 || read.Files[0] != m.Files[0] || bytes.Contains(raw, []byte("someone")) {
		t.Errorf("%v in %s", err, raw)
	}
	rows, err := os.ReadFile(filepath.Join(dir, "train.jsonl"))
	if err != nil || bytes.Count(rows, []byte("\n")) != 2 {
		t.Errorf("%v: %s", err, rows)
	}
}

func TestNew(t *testing.T) {
	if _, err := export.New("verl", export.Config{Tools: specs}); err == nil || !strings.Contains(err.Error(), "trl-sft") {
		t.Errorf("unknown name: %v", err)
	}
	if _, err := export.New(export.TRLSFT, export.Config{}); err == nil {
		t.Error("an export without tools is made")
	}
}
