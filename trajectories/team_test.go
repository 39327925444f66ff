package trajectories_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mars-rec/mars/agents"
	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/message/membus"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/tools"
	"github.com/mars-rec/mars/trajectories"
)

type note struct {
	Text string `json:"text"`
}

func (note) Kind() message.Kind { return "note" }

// world is a team of four, with what it is made of: a lead asks two analysts,
// who each call a tool between two replies, and a critic.
type world struct {
	system string // the analysts' prompt
	count  func(string) int
	answer func(model.Request) string

	replies, calls atomic.Int64
}

func newWorld() *world {
	return &world{
		system: "be brief",
		count:  func(s string) int { return len(s) },
		answer: func(r model.Request) string {
			return fmt.Sprintf("after %d messages", len(r.Messages))
		},
	}
}

func (w *world) Generate(_ context.Context, r model.Request) (model.Reply, error) {
	w.replies.Add(1)
	m := model.Message{Role: model.Assistant, Content: w.answer(r)}
	if len(r.Tools) > 0 && len(r.Messages) == 2 {
		m.ToolCalls = []model.ToolCall{{ID: fmt.Sprint("random", w.replies.Load()), Name: "count", Arguments: `{"s":"abc"}`}}
	}
	return model.Reply{Message: m, Finish: "stop", Usage: &message.Usage{InputTokens: 10, OutputTokens: 2}}, nil
}

func (w *world) tools() tools.Set {
	return tools.Set{tools.New("count", "counts", func(_ context.Context, a struct {
		S string `json:"s"`
	}) (int, error) {
		w.calls.Add(1)
		return w.count(a.S), nil
	})}
}

func (w *world) analyst(ctx context.Context, t *agents.Turn) (message.Body, error) {
	system, err := t.Prompt(ctx, model.System, w.system)
	if err != nil {
		return nil, err
	}
	user, err := t.Prompt(ctx, model.User, string(t.In.Body))
	if err != nil {
		return nil, err
	}
	specs, err := t.Tools().Specs()
	if err != nil {
		return nil, err
	}
	req := model.Request{Messages: []model.Message{system, user}, Tools: specs}
	for {
		out, err := t.Generate(ctx, req)
		if err != nil {
			return nil, err
		}
		req.Messages = append(req.Messages, out.Message)
		if len(out.Message.ToolCalls) == 0 {
			return note{out.Message.Content}, nil
		}
		for _, c := range out.Message.ToolCalls {
			m, _, err := t.Call(ctx, c, out.Message.Ref)
			if err != nil {
				return nil, err
			}
			req.Messages = append(req.Messages, m)
		}
	}
}

func (w *world) lead(ctx context.Context, t *agents.Turn) (message.Body, error) {
	if _, err := t.Ask(ctx, agents.Send{To: "analyst/1", Body: note{"a"}}, agents.Send{To: "analyst/2", Body: note{"b"}}); err != nil {
		return nil, err
	}
	got, err := t.Ask(ctx, agents.Send{To: "critic", Body: note{"c"}})
	if err != nil {
		return nil, err
	}
	return note{string(got[0].Body)}, nil
}

// run lets the world answer the same task, once.
func (w *world) run(t *testing.T, record *trajectories.Record) (*trajectories.Trajectory, error) {
	t.Helper()
	rec := &trajectories.Recorder{}
	var log message.Log = rec
	if record != nil {
		log = record.Log(rec)
	}
	err := w.tell(t, log, record)
	return rec.Trajectory(trajectories.Run{ID: "t1"}), err
}

// repeat lets the world answer what was recorded again.
func (w *world) repeat(t *testing.T, record *trajectories.Record) *trajectories.Divergence {
	t.Helper()
	d, err := record.Repeat(t.Context(), func(_ context.Context, log message.Log) ([]string, error) {
		return nil, w.tell(t, log, record)
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (w *world) tell(t *testing.T, log message.Log, record *trajectories.Record) error {
	t.Helper()
	cfg := agents.Config{Bus: membus.New(), Clock: time.Now, Model: w, Name: "m", Tools: w.tools(), Log: log}
	if record != nil {
		cfg.Record = record
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for a, agent := range map[message.Address]agents.Func{"lead": w.lead, "analyst/1": w.analyst, "analyst/2": w.analyst, "critic": w.analyst} {
		if err := agents.Serve(ctx, a, agent, cfg); err != nil {
			t.Fatal(err)
		}
	}
	first := message.Envelope{ID: message.Root, From: "user", To: "lead", Kind: "note", Body: json.RawMessage(`{"text":"go"}`)}
	if err := log.Append(ctx, first); err != nil {
		return err
	}
	answer, err := cfg.Bus.Request(ctx, first)
	if err != nil {
		return err
	}
	return log.Append(ctx, answer)
}

// recorded is a run of an unchanged world.
func recorded(t *testing.T) *trajectories.Trajectory {
	t.Helper()
	tr, err := newWorld().run(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}
