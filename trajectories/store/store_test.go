package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mars-rec/mars/agents"
	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/message/messagetest"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/trajectories"
	"github.com/mars-rec/mars/trajectories/store"
)

var (
	_ message.Log   = (*store.Run)(nil)
	_ agents.Record = (*store.Run)(nil)
)

var manifest = trajectories.Manifest{Team: "team", Prompts: "prompts", Models: map[string]string{trajectories.Everyone: "builtin"}, Seed: 42, Data: "data"}

// create opens a store for writing, making it if there is none.
func create(t testing.TB, path string) *store.Store {
	t.Helper()
	m := manifest
	s, err := store.Open(context.Background(), path, store.Config{Manifest: &m})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func path(t testing.TB) string { return filepath.Join(t.TempDir(), "run.db") }

func task(id string) tasks.Task {
	return tasks.Task{ID: id, Dataset: "books", User: "u" + id, Scenario: "classic", AsOf: time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC), Candidates: []string{"i1", "i2", "i3"}}
}

// envelopes is the log of a small run: a prompt that every run shares, one of
// its own, a reply, a tool's result, the answer.
func envelopes(id string) []message.Envelope {
	body := func(b message.Body) json.RawMessage {
		raw, err := message.Marshal(b)
		if err != nil {
			panic(err)
		}
		return raw
	}
	raw := func(v any) json.RawMessage { b, _ := message.Marshal(v); return b }
	at := time.Date(2026, 5, 6, 7, 8, 9, 123456789, time.UTC)
	return []message.Envelope{
		{ID: "1", From: "user", To: "team", Kind: "task", Body: body(task(id))},
		{ID: "1.1", From: "team", To: "planner", Kind: "brief", Body: raw(map[string]string{"goal": "plan"}), Refs: []message.ID{"1"}},
		{ID: "1.1.1", From: "planner", Kind: "prompt", Body: body(model.Message{Role: model.System, Content: strings.Repeat("You plan. ", 60)}), Refs: []message.ID{"1.1"}},
		{ID: "1.1.2", From: "planner", Kind: "prompt", Body: body(model.Message{Role: model.User, Content: "Plan for " + id + ": <b>„Müller“</b> \x1b[31m"}), Refs: []message.ID{"1.1"}},
		{ID: "1.1.3", From: "planner", Kind: "reply", Refs: []message.ID{"1.1.1", "1.1.2"},
			Body: body(model.Output{Message: model.Message{Role: model.Assistant, ToolCalls: []model.ToolCall{{ID: "call_1_1_3_1", Name: "item_cf", Arguments: `{"k": 20}`}}}, Finish: "tool_calls"}),
			Meta: message.Meta{Time: at, Duration: 12345678 * time.Nanosecond, Digest: model.Digest("builtin", model.Request{}), Model: "builtin", Attempts: 1, Usage: &message.Usage{InputTokens: 100, OutputTokens: 7}}},
		{ID: "1.1.4", From: "planner", Kind: "result", Refs: []message.ID{"1.1.3"}, Body: raw(map[string]any{"call": "call_1_1_3_1", "tool": "item_cf", "value": map[string]any{"evidence": []string{"Readers of " + id + " also read Dune"}}}),
			Meta: message.Meta{Time: at, Duration: time.Millisecond, Digest: model.CallDigest(model.ToolCall{Name: "item_cf", Arguments: `{"k": 20}`})}},
		{ID: "1.1.5", From: "planner", Kind: "reply", Refs: []message.ID{"1.1.1", "1.1.2", "1.1.3", "1.1.4"},
			Body: body(model.Output{Message: model.Message{Role: model.Assistant, Content: `{"ranking":["c02","c01","c03"]}`}, Finish: "stop"}),
			Meta: message.Meta{Time: at, Digest: model.Digest("builtin", model.Request{Tools: []model.ToolSpec{}}), Model: "builtin", Attempts: 2, Usage: &message.Usage{InputTokens: 200, OutputTokens: 30, CachedTokens: 100}}},
		{ID: "1.1.6", From: "planner", To: "team", Kind: "plan", Body: raw(map[string]string{"summary": "done"}), Refs: []message.ID{"1.1.5"}},
	}
}

// do runs a task to its end.
func do(t testing.TB, s *store.Store, id string) {
	t.Helper()
	r, err := s.Begin(t.Context(), task(id))
	if err != nil {
		t.Fatal(err)
	}
	fill(t, r, envelopes(id))
	if err := r.Seal(t.Context(), []string{"i2", "i1", "i3"}); err != nil {
		t.Fatal(err)
	}
}

func fill(t testing.TB, r *store.Run, log []message.Envelope) {
	t.Helper()
	for _, e := range log {
		if err := r.Append(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
}

// sound fails the test if anything is wrong with a store.
func sound(t testing.TB, path string) store.Report {
	t.Helper()
	report, err := store.Verify(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range report.Findings {
		t.Errorf("finding: %s", f)
	}
	return report
}

func same(t *testing.T, got, want []message.Envelope) {
	t.Helper()
	if d, ok := trajectories.Diff(&trajectories.Trajectory{Log: want}, &trajectories.Trajectory{Log: got}); ok {
		t.Errorf("the log differs: %s", d)
	}
}

func TestRunIsALog(t *testing.T) {
	messagetest.TestLog(t, func(t *testing.T) (message.Log, func(*testing.T) []message.Envelope) {
		p := path(t)
		s := create(t, p)
		r, err := s.Begin(t.Context(), task("t1"))
		if err != nil {
			t.Fatal(err)
		}
		return r, func(t *testing.T) []message.Envelope {
			if err := r.Seal(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			got, err := s.Trajectory(t.Context(), "t1")
			if err != nil {
				t.Fatal(err)
			}
			sound(t, p)
			return got.Log
		}
	})
}

func TestWhatIsSealedIsReadBack(t *testing.T) {
	p := path(t)
	s := create(t, p)
	if err := s.Add(t.Context(), task("t2"), task("t1"), task("t3"), task("t2")); err != nil {
		t.Fatal(err)
	}
	do(t, s, "t1")
	do(t, s, "t2")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if report := sound(t, p); report.Runs != 3 || report.Messages != 16 {
		t.Errorf("report is %+v, want 3 runs and 16 messages", report)
	}
	s, err := store.Open(t.Context(), p, store.Config{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var got []string
	for sum, err := range s.Runs(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprint(sum.ID, sum.Status, sum.Attempts, sum.Messages, sum.Calls, sum.Tools, sum.Usage, sum.Models, sum.Ranking))
	}
	want := []string{
		"t2done1 8 2 1 {300 37 100} [builtin] [i2 i1 i3]",
		"t1done1 8 2 1 {300 37 100} [builtin] [i2 i1 i3]",
		"t3pending0 0 0 0 {0 0 0} [] []",
	}
	if !slices.Equal(got, want) {
		t.Errorf("runs are\n%q\nwant\n%q", got, want)
	}
	for tr, err := range s.Trajectories(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		same(t, tr.Log, envelopes(tr.Run.ID))
		for i, e := range envelopes(tr.Run.ID) {
			if e.Fact() && fmt.Sprint(tr.Log[i].Meta) != fmt.Sprint(e.Meta) && !tr.Log[i].Meta.Time.Equal(e.Meta.Time) {
				t.Errorf("%s: meta is %+v, want %+v", e.ID, tr.Log[i].Meta, e.Meta)
			}
		}
		if len(tr.Run.Manifest.Differences(manifest)) > 0 || tr.Run.Seal != trajectories.Seal(tr.Log) {
			t.Errorf("run is %+v", tr.Run)
		}
	}
	if _, err := s.Trajectory(t.Context(), "t9"); !errors.Is(err, store.ErrNoRun) {
		t.Errorf("a run that is not there: %v, want ErrNoRun", err)
	}
	if _, err := s.Begin(t.Context(), task("t3")); err == nil {
		t.Error("a store that is open for reading begins a run")
	}
}

func TestManyRunsAtOnce(t *testing.T) {
	p := path(t)
	s := create(t, p)
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			for n := range 12 {
				id := fmt.Sprintf("t%d-%d", worker, n)
				r, err := s.Begin(t.Context(), task(id))
				if err != nil {
					t.Error(err)
					return
				}
				var calls sync.WaitGroup
				for _, e := range envelopes(id) {
					calls.Go(func() {
						if err := r.Append(t.Context(), e); err != nil {
							t.Error(err)
						}
					})
				}
				calls.Wait()
				if n%4 == 3 {
					err = r.Fail(t.Context(), errors.New("out of ink"))
				} else {
					err = r.Seal(t.Context(), []string{"i1"})
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	counts, err := s.Count(t.Context())
	if err != nil || counts[trajectories.Done] != 72 || counts[trajectories.Failed] != 24 {
		t.Errorf("counts are %v, %v", counts, err)
	}
	for sum, err := range s.Runs(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		tr, err := s.Trajectory(t.Context(), sum.ID)
		if err != nil {
			t.Fatal(err)
		}
		same(t, tr.Log, envelopes(sum.ID))
	}
	sound(t, p)
}

func TestOpenRefuses(t *testing.T) {
	ctx := t.Context()
	m := manifest
	dir := t.TempDir()
	p := filepath.Join(dir, "run.db")
	s := create(t, p)
	do(t, s, "t1")

	if _, err := store.Open(ctx, p, store.Config{}); !errors.Is(err, store.ErrLocked) {
		t.Errorf("a second writer: %v, want ErrLocked", err)
	}
	link := filepath.Join(dir, "link.db")
	if err := os.Symlink(p, link); err == nil {
		if _, err := store.Open(ctx, link, store.Config{}); !errors.Is(err, store.ErrLocked) {
			t.Errorf("a second writer by another name: %v, want ErrLocked", err)
		}
	}
	reader, err := store.Open(ctx, p, store.Config{ReadOnly: true})
	if err != nil {
		t.Fatalf("a reader beside the writer: %v", err)
	}
	if tr, err := reader.Trajectory(ctx, "t1"); err != nil || len(tr.Log) != 8 {
		t.Errorf("a reader beside the writer: %v", err)
	}
	reader.Close()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	m.Seed, m.Prompts = 43, "other"
	if _, err := store.Open(ctx, p, store.Config{Manifest: &m}); !errors.Is(err, store.ErrManifest) || !strings.Contains(err.Error(), "prompts: prompts, then other; seed: 42, then 43") {
		t.Errorf("another manifest: %v, want ErrManifest and what differs", err)
	}
	for _, cfg := range []store.Config{{}, {ReadOnly: true}} {
		if _, err := store.Open(ctx, filepath.Join(dir, "none.db"), cfg); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("no store: %v, want fs.ErrNotExist", err)
		}
	}
	notes := filepath.Join(dir, "notes.txt")
	if err := os.WriteFile(notes, []byte(strings.Repeat("not a database\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	m = manifest
	for _, cfg := range []store.Config{{}, {ReadOnly: true}, {Manifest: &m}} {
		if _, err := store.Open(ctx, notes, cfg); err == nil {
			t.Errorf("a text file is opened with %+v", cfg)
		}
	}
	if b, _ := os.ReadFile(notes); string(b) != strings.Repeat("not a database\n", 100) {
		t.Error("a file that is no store was written to")
	}
}

func TestAnotherTaskUnderTheSameID(t *testing.T) {
	s := create(t, path(t))
	do(t, s, "t1")
	other := task("t1")
	other.Candidates = []string{"i1", "i9"}
	if _, err := s.Begin(t.Context(), other); err == nil || errors.Is(err, store.ErrDone) {
		t.Errorf("error is %v, want one that names the id", err)
	}
	if err := s.Add(t.Context(), other); err == nil {
		t.Error("another task is added under the same id")
	}
}

func TestScores(t *testing.T) {
	p := path(t)
	s := create(t, p)
	do(t, s, "t1")
	do(t, s, "t2")
	put := func(scores ...trajectories.Score) error { return s.PutScores(t.Context(), scores...) }
	if err := put(
		trajectories.Score{Run: "t2", Scorer: "paper", Version: "1", Value: 1. / 3, Parts: map[string]float64{"format": 1, "outcome": 1. / 3}},
		trajectories.Score{Run: "t1", Scorer: "paper", Version: "1", Value: 0},
		trajectories.Score{Run: "t1", Scorer: "paper", Version: "2", Value: 2}); err != nil {
		t.Fatal(err)
	}
	if err := put(trajectories.Score{Run: "t1", Scorer: "paper", Version: "1", Value: 1, Note: "again"}); err != nil {
		t.Fatal(err)
	}
	if err := put(trajectories.Score{Run: "t9", Scorer: "paper", Version: "1"}); !errors.Is(err, store.ErrNoRun) {
		t.Errorf("a score of no run: %v", err)
	}
	nan := 0.0
	if err := put(trajectories.Score{Run: "t1", Scorer: "paper", Version: "1", Value: nan / nan}); err == nil {
		t.Error("a score that is not a number is kept")
	}
	var got []string
	for run, err := range s.Runs(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		for _, score := range run.Scores {
			got = append(got, fmt.Sprint(score))
		}
	}
	want := []string{"{t1 paper 1 1 map[] again}", "{t1 paper 2 2 map[] }", "{t2 paper 1 0.3333333333333333 map[format:1 outcome:0.3333333333333333] }"}
	if !slices.Equal(got, want) {
		t.Errorf("scores are %q, want %q", got, want)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if report := sound(t, p); report.Scores != 3 {
		t.Errorf("%d scores are verified, want 3", report.Scores)
	}
}

// TestSeveralRunsOfOneTask: runs that go by ids of their own are apart, and
// keep the task that they are of.
func TestSeveralRunsOfOneTask(t *testing.T) {
	p := path(t)
	s := create(t, p)
	for _, id := range []string{"t1~1", "t1~2"} {
		r, err := s.BeginAs(t.Context(), id, task("t1"))
		if err != nil {
			t.Fatal(err)
		}
		fill(t, r, envelopes(id))
		if err := r.Seal(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range []string{"t1~1", "t1~2"} {
		tr, err := s.Trajectory(t.Context(), id)
		if err != nil || tr.Run.ID != id || tr.Run.Task.ID != "t1" {
			t.Errorf("%s is %+v, %v: want a run of t1", id, tr, err)
		}
	}
	if _, err := s.BeginAs(t.Context(), "t1~1", task("t1")); !errors.Is(err, store.ErrDone) {
		t.Errorf("begun again: %v, want ErrDone", err)
	}
	if _, err := s.BeginAs(t.Context(), "t1~1", task("t2")); err == nil {
		t.Error("another task is begun under the id")
	}
	if _, err := s.BeginAs(t.Context(), "", task("t1")); err == nil {
		t.Error("a run without an id is begun")
	}
	sound(t, p)
}
