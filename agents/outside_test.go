package agents_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/mars-rec/mars/agents"
	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/message/membus"
	"github.com/mars-rec/mars/trajectories"
)

// TestOutside asks an agent in another process beside one in this process: its
// answer is one fact, whatever it called its own messages, and the record
// answers in its place afterwards, as long as the question is the same.
func TestOutside(t *testing.T) {
	asked := 0
	far := membus.New()
	err := far.Serve(t.Context(), "far", func(_ context.Context, q message.Envelope) (message.Envelope, error) {
		asked++
		return message.Envelope{ID: q.ID.Child(9), From: "whoever", Kind: "text", Body: json.RawMessage(`"from afar: <b>"`), Refs: []message.ID{"1.7.7"}}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	run := func(say text, bus message.Bus, record agents.Record) ([]message.Envelope, error) {
		rec := &trajectories.Recorder{}
		cfg := config(rec)
		cfg.Record, cfg.Outside = record, map[message.Address]message.Bus{"far": bus}
		near := agents.Func(func(_ context.Context, turn *agents.Turn) (message.Body, error) { return text("near"), nil })
		if err := agents.Serve(t.Context(), "near", near, cfg); err != nil {
			t.Fatal(err)
		}
		turn := agents.NewTurn(question, "a", cfg)
		answers, err := turn.Ask(t.Context(), agents.Send{To: "far", Body: say}, agents.Send{To: "near", Body: say})
		if err == nil && !slices.Equal(turn.Read(), []message.ID{answers[0].ID, answers[1].ID}) {
			t.Errorf("the asker has read %v", turn.Read())
		}
		return rec.Log(), err
	}

	log, err := run("hello", far, nil)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(log, message.Envelope.Fact)
	const want = `{"id":"1.1.1","from":"far","to":"a","kind":"text","body":"from afar: <b>","refs":["1.1"]}`
	if i < 0 || string(log[i].Canonical()) != want {
		t.Fatalf("the log is %+v, want the fact %s", log, want)
	}

	again, err := run("hello", nil, trajectories.Replay(&trajectories.Trajectory{Log: log}))
	if err != nil || trajectories.Seal(again) != trajectories.Seal(log) || asked != 1 {
		t.Errorf("replayed with %v after %d questions:\n%+v\nwant\n%+v", err, asked, again, log)
	}
	if _, err := run("good day", nil, trajectories.Replay(&trajectories.Trajectory{Log: log})); !errors.Is(err, trajectories.ErrDiverged) {
		t.Errorf("another question is answered from the record: %v", err)
	}
	if _, err := run("hello", nil, nil); !errors.Is(err, message.ErrNoAgent) || !strings.Contains(err.Error(), "ask far 1.1") {
		t.Errorf("without a bus the error is %v", err)
	}
}
