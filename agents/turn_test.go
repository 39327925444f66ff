package agents_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mars-rec/mars/agents"
	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/message/membus"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/tools"
)

// memory is a log of one run.
type memory struct {
	mu  sync.Mutex
	log []message.Envelope
}

func (m *memory) Append(_ context.Context, e message.Envelope) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.log = append(m.log, e)
	return nil
}

func (m *memory) ids() []string {
	slices.SortFunc(m.log, func(a, b message.Envelope) int { return a.ID.Compare(b.ID) })
	var out []string
	for _, e := range m.log {
		refs := make([]string, len(e.Refs))
		for i, r := range e.Refs {
			refs[i] = string(r)
		}
		out = append(out, string(e.ID)+" "+string(e.Kind)+" <- "+strings.Join(refs, " "))
	}
	return out
}

type text string

func (text) Kind() message.Kind { return "text" }

var question = message.Envelope{ID: "1", From: "user", To: "a", Kind: "text", Body: json.RawMessage(`"q"`)}

func config(log message.Log) agents.Config {
	return agents.Config{Bus: membus.New(), Log: log, Clock: func() time.Time { return time.Unix(7, 0) }, Name: "m"}
}

func counting() (model.Model, *int) {
	calls := 0
	return model.Func(func(context.Context, model.Request) (model.Reply, error) {
		calls++
		return model.Reply{ID: "provider-1", Finish: "tool_calls", Message: model.Message{Content: "let me see", ToolCalls: []model.ToolCall{
			{ID: "theirs", Name: "length", Arguments: `{"text":"abc"}`}, {ID: "theirs too", Name: "nothing", Arguments: `{}`}}}}, nil
	}), &calls
}

func length() tools.Tool {
	return tools.New("length", "the length of a text", func(_ context.Context, a struct {
		Text string `json:"text"`
	}) (int, error) {
		return len(a.Text), nil
	})
}

// talk is one model call, two tool calls and a note.
func talk(ctx context.Context, t *agents.Turn) (message.Body, error) {
	system, err := t.Prompt(ctx, model.System, "be brief")
	if err != nil {
		return nil, err
	}
	out, err := t.Generate(ctx, model.Request{Messages: []model.Message{system}})
	if err != nil {
		return nil, err
	}
	var said []string
	for _, call := range out.Message.ToolCalls {
		answer, _, err := t.Call(ctx, call, out.Message.Ref)
		if err != nil {
			return nil, err
		}
		said = append(said, answer.Content)
	}
	return text(strings.Join(said, "; ")), nil
}

func TestTurn(t *testing.T) {
	log := &memory{}
	cfg := config(log)
	m, _ := counting()
	cfg.Model, cfg.Tools = m, tools.Set{length()}
	turn := agents.NewTurn(question, "a", cfg)
	body, err := talk(t.Context(), turn)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := turn.Answer(body)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(answer.Body), `"3; error: there is no tool \"nothing\"; the tools are length"`; got != want {
		t.Errorf("answer is %s, want %s", got, want)
	}
	if answer.ID != "1.5" || answer.To != "user" || !slices.Equal(answer.Refs, []message.ID{"1.4"}) {
		t.Errorf("answer is %s to %s, refs %v", answer.ID, answer.To, answer.Refs)
	}
	want := []string{"1.1 prompt <- 1", "1.2 reply <- 1.1", "1.3 result <- 1.2", "1.4 result <- 1.2"}
	if got := log.ids(); !slices.Equal(got, want) {
		t.Errorf("log is\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	out, err := message.Decode[model.Output](log.log[1])
	if err != nil {
		t.Fatal(err)
	}
	if got := out.Message.ToolCalls[1].ID; got != "call_1_2_2" {
		t.Errorf("the second call's id is %s: want one made of the reply's id", got)
	}
	if meta := log.log[1].Meta; meta.Provider != "provider-1" || meta.Model != "m" || meta.Attempts != 1 || meta.Digest == "" {
		t.Errorf("meta of the reply is %+v", meta)
	}
	if strings.Contains(string(log.log[1].Body), "theirs") {
		t.Error("the provider's ids are in the canonical body")
	}
}

// known answers from a log, and says that it diverged where it cannot.
type known []message.Envelope

func (k known) Recall(id message.ID, digest string) (message.Envelope, bool, error) {
	for _, e := range k {
		if e.ID == id {
			if e.Meta.Digest != digest {
				return e, false, errors.New("diverged at " + string(id))
			}
			return e, true, nil
		}
	}
	return message.Envelope{}, false, nil
}

func TestTurnRecalls(t *testing.T) {
	first := &memory{}
	cfg := config(first)
	m, calls := counting()
	cfg.Model, cfg.Tools = m, tools.Set{length()}
	if _, err := talk(t.Context(), agents.NewTurn(question, "a", cfg)); err != nil {
		t.Fatal(err)
	}
	again := &memory{}
	cfg.Log, cfg.Record, cfg.Tools = again, known(first.log), nil // no tool is at hand: results come from the record
	cfg.Clock = func() time.Time { return time.Unix(99, 0) }
	if _, err := talk(t.Context(), agents.NewTurn(question, "a", cfg)); err != nil {
		t.Fatal(err)
	}
	if *calls != 1 {
		t.Errorf("the model was called %d times: want once, in the first run", *calls)
	}
	for i := range first.log {
		if a, b := string(first.log[i].Canonical()), string(again.log[i].Canonical()); a != b {
			t.Errorf("first\n%s\nagain\n%s", a, b)
		}
	}
	cfg.Name, cfg.Log = "another model", &memory{}
	if _, err := talk(t.Context(), agents.NewTurn(question, "a", cfg)); err == nil || !strings.Contains(err.Error(), "diverged at 1.2") {
		t.Errorf("another model's name: error is %v, want a divergence at 1.2", err)
	}
}

func TestToolFailureFailsTheTurn(t *testing.T) {
	cfg := config(&memory{})
	cfg.Tools = tools.Set{tools.New("disk", "fails", func(context.Context, struct{}) (int, error) { return 0, errors.New("disk full") })}
	_, _, err := agents.NewTurn(question, "a", cfg).Call(t.Context(), model.ToolCall{ID: "c", Name: "disk", Arguments: "{}"}, "1.1")
	if err == nil || !strings.Contains(err.Error(), "a: tool disk 1.1: disk full") {
		t.Errorf("error is %v", err)
	}
}

func TestAskGathersInOrder(t *testing.T) {
	log := &memory{}
	cfg := config(log)
	slow := make(chan struct{})
	serve := func(a message.Address, f agents.Func) {
		if err := agents.Serve(t.Context(), a, f, cfg); err != nil {
			t.Fatal(err)
		}
	}
	serve("late", func(context.Context, *agents.Turn) (message.Body, error) { <-slow; return text("late"), nil })
	serve("early", func(context.Context, *agents.Turn) (message.Body, error) { close(slow); return text("early"), nil })
	turn := agents.NewTurn(question, "a", cfg)
	answers, err := turn.Ask(t.Context(), agents.Send{To: "late", Body: text("x")}, agents.Send{To: "early", Body: text("y"), Refs: []message.ID{"1.9"}})
	if err != nil {
		t.Fatal(err)
	}
	if string(answers[0].Body) != `"late"` || string(answers[1].Body) != `"early"` {
		t.Errorf("answers are %s, %s: want the order of the questions", answers[0].Body, answers[1].Body)
	}
	if _, err := turn.Note(t.Context(), text("done"), turn.Read()...); err != nil {
		t.Fatal(err)
	}
	want := []string{"1.1 text <- 1", "1.1.1 text <- 1.1", "1.2 text <- 1.9", "1.2.1 text <- 1.2", "1.3 text <- 1.1.1 1.2.1"}
	if got := log.ids(); !slices.Equal(got, want) {
		t.Errorf("log is\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestAskLetsSiblingsFinish(t *testing.T) {
	log := &memory{}
	cfg := config(log)
	failed := make(chan struct{})
	bad := agents.Func(func(context.Context, *agents.Turn) (message.Body, error) {
		defer close(failed)
		return nil, errors.New("no idea")
	})
	good := agents.Func(func(context.Context, *agents.Turn) (message.Body, error) { <-failed; return text("fine"), nil })
	for a, f := range map[message.Address]agents.Agent{"bad": bad, "good": good} {
		if err := agents.Serve(t.Context(), a, f, cfg); err != nil {
			t.Fatal(err)
		}
	}
	_, err := agents.NewTurn(question, "a", cfg).Ask(t.Context(), agents.Send{To: "bad", Body: text("x")}, agents.Send{To: "good", Body: text("y")})
	if err == nil || !strings.Contains(err.Error(), "no idea") {
		t.Errorf("error is %v, want the bad one's", err)
	}
	if got := log.ids(); !slices.Contains(got, "1.2.1 text <- 1.2") {
		t.Errorf("the good sibling's answer is not in the log: %v", got)
	}
}
