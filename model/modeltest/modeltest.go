// Package modeltest has what tests of models need: [Script], a model that says
// what it was told to, and [Run], the contract that every adapter and wrapper
// must hold.
//
//	requests ──> adapter under test ──> (its wire) ──> Upstream, a model of the suite
//	replies  <──                    <──            <──
//
// The suite plays the far end: whatever lies between (a wrapper, a library, an
// HTTP server), requests and replies must come through it unharmed.
package modeltest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/model"
)

// Script is a model that gives its replies in turn, whatever it is asked, and
// remembers what it was asked. It is safe for concurrent use; the order of
// concurrent calls is not defined.
type Script struct {
	mu       sync.Mutex
	replies  []model.Reply
	requests []model.Request
}

// NewScript returns a model that gives these replies in turn and fails when
// there are none left. A reply without a role is the assistant's.
func NewScript(replies ...model.Reply) *Script { return &Script{replies: slices.Clone(replies)} }

// Say is a reply with a text.
func Say(content string) model.Reply {
	return model.Reply{Message: model.Message{Role: model.Assistant, Content: content}, Finish: "stop"}
}

// Call is a reply that wants a tool called.
func Call(name, arguments string) model.Reply {
	return model.Reply{Message: model.Message{Role: model.Assistant,
		ToolCalls: []model.ToolCall{{ID: "call_" + name, Name: name, Arguments: arguments}}}, Finish: "tool_calls"}
}

// Generate gives the next reply.
func (s *Script) Generate(ctx context.Context, req model.Request) (model.Reply, error) {
	if err := ctx.Err(); err != nil {
		return model.Reply{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, req)
	if len(s.requests) > len(s.replies) {
		return model.Reply{}, fmt.Errorf("script: request %d, and there are %d replies", len(s.requests), len(s.replies))
	}
	reply := s.replies[len(s.requests)-1]
	reply.Message.Role = model.Assistant
	if req.OnChunk != nil && reply.Message.Content != "" {
		half := len(reply.Message.Content) / 2
		for half > 0 && reply.Message.Content[half]&0xc0 == 0x80 { // not within a letter
			half--
		}
		req.OnChunk(model.Chunk{Content: reply.Message.Content[:half]})
		req.OnChunk(model.Chunk{Content: reply.Message.Content[half:]})
	}
	return reply, nil
}

// Requests returns what was asked so far.
func (s *Script) Requests() []model.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Upstream makes the model under test, given the model that it reaches.
type Upstream func(t *testing.T, far model.Model) model.Model

// Lacks names what a model cannot pass on; the suite leaves it out.
type Lacks struct {
	Format bool // formats arrive in the conversation, if at all
	TopP   bool // Sampling.TopP
}

// Run holds a model to the contract of [model.Model].
func Run(t *testing.T, under Upstream, lacks Lacks) {
	t.Helper()
	for _, stream := range []bool{false, true} {
		t.Run(map[bool]string{false: "whole", true: "stream"}[stream], func(t *testing.T) {
			for _, reply := range replies() {
				t.Run(reply.ID, func(t *testing.T) { comesThrough(t, under, reply, stream) })
			}
		})
	}
	t.Run("request", func(t *testing.T) { requestComesThrough(t, under, lacks) })
	t.Run("error", func(t *testing.T) {
		far := model.Func(func(context.Context, model.Request) (model.Reply, error) {
			return model.Reply{}, &model.Error{Status: 400, Err: errors.New("no such thing")}
		})
		_, err := under(t, far).Generate(t.Context(), ask("x"))
		if err == nil || !strings.Contains(err.Error(), "no such thing") || model.Temporary(err) {
			t.Errorf("error is %v", err)
		}
	})
	t.Run("cancelled", func(t *testing.T) { endsWithItsContext(t, under) })
	t.Run("concurrent", func(t *testing.T) { isSafe(t, under) })
}

func ask(content string) model.Request {
	return model.Request{Messages: []model.Message{{Role: model.User, Content: content}}}
}

// replies are what must come through, named by their ids.
func replies() []model.Reply {
	say := func(id, content string, calls ...model.ToolCall) model.Reply {
		r := model.Reply{ID: id, Message: model.Message{Role: model.Assistant, Content: content, ToolCalls: calls}, Finish: "stop"}
		if calls != nil {
			r.Finish = "tool_calls"
		}
		return r
	}
	cut := say("cut at the limit", "and so")
	cut.Finish = "length"
	counted := say("with usage", "three")
	counted.Usage = &message.Usage{InputTokens: 12, OutputTokens: 3, CachedTokens: 4}
	return []model.Reply{
		say("text", "Dune, then Foundation."),
		say("awkward text", "a \"quote\", a \\ and a </tag> & a\ttab\nλ 日本 🚀\n\n data: [DONE]\n"),
		say("long text", strings.Repeat("all work and no play ", 2000)),
		say("one call", "", model.ToolCall{ID: "call_1", Name: "item_cf", Arguments: `{"window":"last:3"}`}),
		say("three calls", "", model.ToolCall{ID: "call_1", Name: "item_cf", Arguments: `{"item":"<\"1\">"}`},
			model.ToolCall{ID: "call_2", Name: "user_profile", Arguments: `{}`},
			model.ToolCall{ID: "call_3", Name: "item_cf", Arguments: `{"window":"all"}`}),
		say("text and a call", "Let me look.", model.ToolCall{ID: "call_1", Name: "user_cf", Arguments: `{"k":5}`}),
		cut, counted,
	}
}

func comesThrough(t *testing.T, under Upstream, want model.Reply, stream bool) {
	req := ask("hello")
	if len(want.Message.ToolCalls) > 0 {
		req.Tools = []model.ToolSpec{{Name: "item_cf", Parameters: []byte(`{"type":"object"}`)}}
	}
	var streamed strings.Builder
	if stream {
		req.OnChunk = func(c model.Chunk) { streamed.WriteString(c.Content) }
	}
	got, err := under(t, NewScript(want)).Generate(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got.Message, want.Message) {
		t.Errorf("message is\n%+v\nwant\n%+v", got.Message, want.Message)
	}
	if got.Finish != want.Finish {
		t.Errorf("finish is %q, want %q", got.Finish, want.Finish)
	}
	if !reflect.DeepEqual(got.Usage, want.Usage) {
		t.Errorf("usage is %+v, want %+v", got.Usage, want.Usage)
	}
	if stream && streamed.String() != want.Message.Content {
		t.Errorf("streamed %q, want %q", streamed.String(), want.Message.Content)
	}
}

func requestComesThrough(t *testing.T, under Upstream, lacks Lacks) {
	half, seed := 0.5, int64(7)
	zero := 0.0
	want := model.Request{
		Messages: []model.Message{
			{Role: model.System, Content: "You analyse."},
			{Role: model.User, Content: "c01 | Amélie (2001) | \"Comedy\" <b>\n"},
			{Role: model.Assistant, ToolCalls: []model.ToolCall{{ID: "call_1", Name: "item_cf", Arguments: `{"k":1}`}, {ID: "call_2", Name: "user_cf", Arguments: `{}`}}},
			{Role: model.ToolRole, Content: `{"evidence":["x"]}`, ToolCallID: "call_1", Name: "item_cf"},
			{Role: model.ToolRole, Content: "error: no", ToolCallID: "call_2", Name: "user_cf"},
			{Role: model.Assistant, Content: "Done."},
			{Role: model.User, Content: "Again."},
		},
		Tools: []model.ToolSpec{
			{Name: "item_cf", Description: "neighbours", Parameters: []byte(`{"type":"object","properties":{"k":{"type":"integer"}}}`)},
			{Name: "user_cf", Parameters: []byte(`{"type":"object"}`)},
		},
		Format:   &model.Format{Name: "analysis", Schema: []byte(`{"type":"object","properties":{"role":{"const":"recent"}}}`)},
		Stop:     "</recommend>",
		Sampling: model.Sampling{Temperature: &zero, TopP: &half, MaxTokens: 99, Seed: &seed},
	}
	if lacks.TopP {
		want.Sampling.TopP = nil
	}
	far := NewScript(Say("yes"))
	before := model.Digest("m", want)
	if _, err := under(t, far).Generate(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	if model.Digest("m", want) != before {
		t.Error("the request was changed")
	}
	got := far.Requests()[0]
	if lacks.Format {
		if read := model.Instructed(got.Messages); got.Format == nil && (read == nil || read.Name != "analysis") {
			t.Errorf("the format is neither in the request nor in its first message %q", got.Messages[0].Content)
		}
		want = model.Instruct(want)
		if got.Format != nil {
			got = model.Instruct(got)
		}
	}
	for i := range got.Messages { // servers need no name of an answer's tool: its call has it
		if got.Messages[i].Role == model.ToolRole {
			got.Messages[i].Name = want.Messages[i].Name
		}
	}
	if model.Digest("m", got) != before && model.Digest("m", got) != model.Digest("m", want) {
		t.Errorf("arrived:\n%+v\nwant\n%+v", got, want)
	}
}

func endsWithItsContext(t *testing.T, under Upstream) {
	asked := make(chan struct{})
	far := model.Func(func(ctx context.Context, _ model.Request) (model.Reply, error) {
		close(asked)
		<-ctx.Done()
		return model.Reply{}, ctx.Err()
	})
	m := under(t, far)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := m.Generate(ctx, ask("x"))
		done <- err
	}()
	<-asked
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v, want that of the context", err)
	}
}

func isSafe(t *testing.T, under Upstream) {
	echo := model.Func(func(_ context.Context, req model.Request) (model.Reply, error) {
		return Say("you said " + req.Messages[0].Content), nil
	})
	m := under(t, echo)
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			reply, err := m.Generate(t.Context(), ask(fmt.Sprint(i)))
			if want := fmt.Sprint("you said ", i); err != nil || reply.Message.Content != want {
				t.Errorf("%q, %v, want %q", reply.Message.Content, err, want)
			}
		})
	}
	wg.Wait()
}
