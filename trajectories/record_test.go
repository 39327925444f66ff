package trajectories_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/mars-rec/mars/agents"
	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/trajectories"
)

var _ agents.Record = (*trajectories.Record)(nil)

func same(t *testing.T, a, b *trajectories.Trajectory) {
	t.Helper()
	if d, ok := trajectories.Diff(a, b); ok {
		t.Errorf("the logs differ: %s", d)
	}
}

func TestReplayRepeatsEveryByteAndFetchesNothing(t *testing.T) {
	tr := recorded(t)
	for range 20 {
		w := newWorld()
		again, err := w.run(t, trajectories.Replay(tr))
		if err != nil {
			t.Fatal(err)
		}
		same(t, tr, again)
		if d := w.repeat(t, trajectories.Replay(tr)); d != nil {
			t.Fatalf("repeated, it differs: %v", *d)
		}
		if w.replies.Load() != 0 || w.calls.Load() != 0 {
			t.Fatalf("%d replies and %d results were fetched", w.replies.Load(), w.calls.Load())
		}
	}
}

func TestReplayNamesWhatChanged(t *testing.T) {
	tr := recorded(t)
	for _, c := range []struct {
		name   string
		change func(*world, *trajectories.Trajectory)
		want   []string // in the error
		first  message.ID
	}{
		{"a prompt", func(w *world, _ *trajectories.Trajectory) { w.system = "be verbose" },
			[]string{"prompt 1.1.1 differs from byte 3 on", `recorded "be brief"`, `now "be verbose"`}, "1.1.1"},
		{"nothing recorded", func(_ *world, tr *trajectories.Trajectory) { drop(tr, "1.2.4") },
			[]string{"nothing recorded at 1.2.4"}, ""},
		{"another question", func(_ *world, tr *trajectories.Trajectory) { redigest(tr, "1.3.3") },
			[]string{"the request at 1.3.3 has changed"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, old := newWorld(), clone(tr)
			c.change(w, old)
			_, err := w.run(t, trajectories.Replay(old))
			if !errors.Is(err, trajectories.ErrDiverged) {
				t.Fatalf("error is %v, want ErrDiverged", err)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error is %q, want %q in it", err, want)
				}
			}
			d := w.repeat(t, trajectories.Replay(old))
			if d == nil || d.ID != c.first || !strings.Contains(d.What, c.want[0]) {
				t.Errorf("repeated, it gives %v, want %q at %q", d, c.want[0], c.first)
			}
		})
	}
}

func TestReplayToolsExecutesTools(t *testing.T) {
	tr := recorded(t)
	w := newWorld()
	again, err := w.run(t, trajectories.ReplayTools(tr))
	if err != nil {
		t.Fatal(err)
	}
	same(t, tr, again)
	if w.replies.Load() != 0 || w.calls.Load() != 3 {
		t.Errorf("%d replies were fetched and %d tools executed, want 0 and 3", w.replies.Load(), w.calls.Load())
	}

	w = newWorld()
	w.count = func(string) int { return 42 }
	_, err = w.run(t, trajectories.ReplayTools(tr))
	if !errors.Is(err, trajectories.ErrDiverged) || !strings.Contains(err.Error(), `result 1.1.4 differs from byte 0 on: recorded "3", now "42"`) {
		t.Errorf("error is %v, want the result at 1.1.4", err)
	}
	if d := w.repeat(t, trajectories.ReplayTools(tr)); d == nil || d.ID != "1.1.4" {
		t.Errorf("repeated, it gives %v, want the result at 1.1.4", d)
	}
}

func TestResumeFetchesOnlyWhatIsMissing(t *testing.T) {
	tr := recorded(t)
	facts := slices.DeleteFunc(slices.Clone(tr.Log), func(e message.Envelope) bool { return !e.Fact() })
	for n := range len(facts) + 1 {
		w := newWorld()
		again, err := w.run(t, trajectories.Resume(&trajectories.Trajectory{Log: facts[:n]}))
		if err != nil {
			t.Fatalf("with %d facts: %v", n, err)
		}
		same(t, tr, again)
		if got := int(w.replies.Load() + w.calls.Load()); got != len(facts)-n {
			t.Errorf("with %d of %d facts %d were fetched", n, len(facts), got)
		}
	}

	w := newWorld()
	w.system = "be verbose"
	if _, err := w.run(t, trajectories.Resume(&trajectories.Trajectory{Log: facts})); !errors.Is(err, trajectories.ErrDiverged) {
		t.Errorf("with a changed prompt: %v, want ErrDiverged", err)
	}
}

func TestForkKeepsWhatCameBefore(t *testing.T) {
	tr := recorded(t)
	w := newWorld()
	w.answer = func(model.Request) string { return "another thing" }
	w.count = func(string) int { return 7 }
	forked, err := w.run(t, trajectories.Fork(tr, "1.2.4"))
	if err != nil {
		t.Fatal(err)
	}
	d, ok := trajectories.Diff(tr, forked)
	if !ok || d.ID != "1.2.4" {
		t.Errorf("the fork parts at %q, want 1.2.4", d.ID)
	}
	if e, _ := forked.Find("1.1.5"); !strings.Contains(string(e.Body), "after 4 messages") {
		t.Errorf("1.1.5 is %s: not the recorded reply", e.Body)
	}

	again := clone(tr) // as if another model had been asked, with the same words
	redigest(again, "1.1.3")
	if _, err := newWorld().run(t, trajectories.Fork(again, "1.2.4")); err != nil {
		t.Errorf("what another model answered before the fork: %v", err)
	}
	if _, err := newWorld().run(t, trajectories.Replay(again).From("1.2.4")); err != nil {
		t.Errorf("the replay of a fork: %v", err)
	}
	if _, err := newWorld().run(t, trajectories.Replay(again).From("1.1.3")); !errors.Is(err, trajectories.ErrDiverged) {
		t.Errorf("the replay of a fork at an earlier point: %v, want ErrDiverged", err)
	}

	w = newWorld()
	w.system = "be verbose"
	_, err = w.run(t, trajectories.Fork(tr, "1.3.3"))
	if !errors.Is(err, trajectories.ErrDiverged) || !strings.Contains(err.Error(), "prompt 1.1.1 differs") {
		t.Errorf("a changed prompt before the fork: %v, want ErrDiverged with the prompt", err)
	}
	if _, err := w.run(t, trajectories.Fork(tr, message.Root)); err != nil {
		t.Errorf("a changed prompt after the fork: %v", err)
	}
}

func clone(t *trajectories.Trajectory) *trajectories.Trajectory {
	return &trajectories.Trajectory{Run: t.Run, Log: slices.Clone(t.Log)}
}

func drop(t *trajectories.Trajectory, id message.ID) {
	t.Log = slices.DeleteFunc(t.Log, func(e message.Envelope) bool { return e.ID == id })
}

func redigest(t *trajectories.Trajectory, id message.ID) {
	for i := range t.Log {
		if t.Log[i].ID == id {
			t.Log[i].Meta.Digest = "model/1:0"
		}
	}
}
