package trajectories_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/message/messagetest"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/trajectories"
)

func TestRecorder(t *testing.T) {
	messagetest.TestLog(t, func(*testing.T) (message.Log, func(*testing.T) []message.Envelope) {
		r := &trajectories.Recorder{}
		return r, func(*testing.T) []message.Envelope { return r.Log() }
	})
}

func TestRecorderKeepsItsOwnBytes(t *testing.T) {
	r := &trajectories.Recorder{}
	e := message.Envelope{ID: "1", Kind: "k", Body: json.RawMessage(`{"n":1}`), Refs: []message.ID{"1"}}
	if err := r.Append(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	e.Body[5], e.Refs[0] = '2', "9"
	if got := r.Log()[0]; string(got.Body) != `{"n":1}` || got.Refs[0] != "1" {
		t.Errorf("the log changed with the caller's slices: %s", got.Canonical())
	}
}

func TestStepsGiveTheConversation(t *testing.T) {
	tr := recorded(t)
	var got []string
	for s := range tr.Steps() {
		messages, err := s.Messages()
		if err != nil {
			t.Fatal(err)
		}
		text := string(s.Reply.ID)
		for _, m := range messages {
			text += fmt.Sprintf(" %s@%s", m.Role, m.Ref)
		}
		got = append(got, text)
	}
	want := []string{
		"1.1.3 system@1.1.1 user@1.1.2",
		"1.1.5 system@1.1.1 user@1.1.2 assistant@1.1.3 tool@1.1.4",
		"1.2.3 system@1.2.1 user@1.2.2",
		"1.2.5 system@1.2.1 user@1.2.2 assistant@1.2.3 tool@1.2.4",
		"1.3.3 system@1.3.1 user@1.3.2",
		"1.3.5 system@1.3.1 user@1.3.2 assistant@1.3.3 tool@1.3.4",
	}
	if !slices.Equal(got, want) {
		t.Errorf("steps are\n%q\nwant\n%q", got, want)
	}
	for s := range tr.Steps() {
		if out, err := s.Output(); err != nil || out.Message.Role != model.Assistant {
			t.Errorf("%s: output %v, %v", s.Reply.ID, out, err)
		}
		break // stopping early must not panic
	}
}

// envelopes draws a log with distinct IDs, in a random order.
func envelopes(t *rapid.T) []message.Envelope {
	n := rapid.IntRange(0, 12).Draw(t, "n")
	log := make([]message.Envelope, n)
	for i := range log {
		body, _ := message.Marshal(rapid.String().Draw(t, "body"))
		log[i] = message.Envelope{ID: message.Root.Child(i + 1), From: "a", Kind: "k", Body: body}
	}
	return rapid.Permutation(log).Draw(t, "order")
}

func TestSeal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		log := envelopes(t)
		seal := trajectories.Seal(log)
		other := rapid.Permutation(log).Draw(t, "other order")
		for i := range other {
			other[i].Meta = message.Meta{Time: time.Unix(int64(i), 0), Attempts: i}
		}
		if got := trajectories.Seal(other); got != seal {
			t.Fatalf("order or meta changes the seal: %s, %s", seal, got)
		}
		if len(other) == 0 {
			return
		}
		i := rapid.IntRange(0, len(other)-1).Draw(t, "changed")
		switch rapid.IntRange(0, 3).Draw(t, "what") {
		case 0:
			other[i].Body = json.RawMessage(`"something that is not drawn"`)
		case 1:
			other[i].From += "x"
		case 2:
			other[i].Refs = append(slices.Clone(other[i].Refs), "1")
		default:
			other = slices.Delete(slices.Clone(other), i, i+1)
		}
		if trajectories.Seal(other) == seal {
			t.Fatal("a change leaves the seal as it was")
		}
	})
}

func TestDiffFindsTheFirst(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		log := envelopes(t)
		trajectories.Sort(log)
		a := &trajectories.Trajectory{Log: log}
		if d, ok := trajectories.Diff(a, clone(a)); ok {
			t.Fatalf("a log differs from itself: %s", d)
		}
		if len(log) == 0 {
			return
		}
		b := clone(a)
		i := rapid.IntRange(0, len(log)-1).Draw(t, "at")
		if rapid.Bool().Draw(t, "missing") {
			b.Log = append(slices.Clone(log[:i]), log[i+1:]...)
		} else {
			for j := i; j < len(log); j++ {
				b.Log[j].To = "someone"
			}
		}
		for _, pair := range [][2]*trajectories.Trajectory{{a, b}, {b, a}} {
			if d, ok := trajectories.Diff(pair[0], pair[1]); !ok || d.ID != log[i].ID {
				t.Fatalf("the first difference is %v, want %s", d, log[i].ID)
			}
		}
	})
}

func TestDifferenceIsReadable(t *testing.T) {
	one := func(text string) *trajectories.Trajectory {
		body, _ := message.Marshal(text)
		return &trajectories.Trajectory{Log: []message.Envelope{{ID: "1", From: "a", Kind: "k", Body: body}}}
	}
	d, _ := trajectories.Diff(one("Der Schwarm, Müller"), one("Der Schwarm, Meier"))
	if got, want := d.String(), `1 differs from byte 54 on: …"r Schwarm, Müller\"}", then …"r Schwarm, Meier\"}"`; got != want {
		t.Errorf("difference is\n%s\nwant\n%s", got, want)
	}
	d, _ = trajectories.Diff(one("x"), &trajectories.Trajectory{})
	if got, want := d.String(), `1 is only in the first: "{\"id\":\"1\",\"from\":\"a\",\"kind\":\"k\",\"body\":\"x\"}"`; got != want {
		t.Errorf("difference is\n%s\nwant\n%s", got, want)
	}
}

func TestManifestDifferences(t *testing.T) {
	a := trajectories.Manifest{Team: "t1", Models: map[string]string{trajectories.Everyone: "builtin", "ranker": "gpt"}, Seed: 42, Data: "d", Setup: json.RawMessage(`{"command":"mars synth"}`)}
	b := a
	b.Setup = json.RawMessage(`{"command":"mars synth --concurrency 8"}`)
	if d := a.Differences(b); len(d) != 0 {
		t.Errorf("the command is compared: %q", d)
	}
	b.Seed, b.Models = 43, map[string]string{trajectories.Everyone: "openai:x"}
	want := []string{"model: builtin, then openai:x", "model of ranker: gpt, then none", "seed: 42, then 43"}
	if d := a.Differences(b); !slices.Equal(d, want) {
		t.Errorf("differences are %q, want %q", d, want)
	}
}

func TestNearest(t *testing.T) {
	tr := &trajectories.Trajectory{}
	for _, id := range []message.ID{"1", "1.1", "1.1.1", "1.1.2", "1.2", "1.2.3", "1.10"} {
		tr.Log = append(tr.Log, message.Envelope{ID: id})
	}
	for id, want := range map[message.ID]message.ID{"1": "1", "1.1.2": "1.1.2", "1.1.7": "1.1.2", "1.1.2.9": "1.1.2", "1.3": "1.2", "1.2.4": "1.2.3", "1.9": "1.10", "1.99": "1.10", "2": "1"} {
		if got := tr.Nearest(id); got != want {
			t.Errorf("nearest to %s is %s, want %s", id, got, want)
		}
	}
	if got := (&trajectories.Trajectory{}).Nearest("1.2"); got != "" {
		t.Errorf("nearest in an empty log is %s", got)
	}
}

func TestOriginNamesItsForks(t *testing.T) {
	o := &trajectories.Origin{Run: "t~1"}
	for id, want := range map[string]int{o.Fork(1): 1, o.Fork(12): 12, "t~1": 0, "t~1~": 0, "t~1~0": 0, "t~1~-2": 0, "t~1~02": 0, "u~1~2": 0, "2": 0} {
		if got := o.Number(id); got != want {
			t.Errorf("%s is fork %d, want %d", id, got, want)
		}
	}
}
