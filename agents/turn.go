package agents

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/tools"
)

// Config is what a turn works with. Bus, Log and Clock are required; Model and
// Tools where the agent uses them.
type Config struct {
	Bus   message.Bus
	Log   message.Log
	Clock func() time.Time

	Run      string         // its id, told to whoever watches the model; it changes nothing
	Record   Record         // nil: nothing is known yet
	Model    model.Model    // nil: Generate is an error
	Name     string         // the model's name as the user gave it; part of a request's digest
	Digests  *model.Digests // of requests to the model of that name; nil: each turn works out its own
	Sampling model.Sampling // for requests that set none of their own
	Tools    tools.Set

	// Outside has the addresses of agents in other processes and the bus that
	// reaches each: what they answer is a fact. Where a record is to know all
	// answers, as in a replay, the bus may be nil.
	Outside map[message.Address]message.Bus
}

// Turn is one agent answering one message. It is not safe for concurrent use:
// an agent does one thing at a time and asks others for what can be parallel.
type Turn struct {
	In   message.Envelope // the message to answer
	Self message.Address

	cfg  Config
	n    int                 // ordinals given out
	read []message.ID        // what the agent has read last: the refs of what it says next
	said *model.Conversation // nil: nothing was said to a model
}

// NewTurn starts the turn of the agent at self that answers in.
func NewTurn(in message.Envelope, self message.Address, cfg Config) *Turn {
	return &Turn{In: in, Self: self, cfg: cfg, read: []message.ID{in.ID}}
}

// Tools returns the tools at hand.
func (t *Turn) Tools() tools.Set { return t.cfg.Tools }

// Read returns the messages that the agent has read last: the question, then
// its latest reply or result, or the answers to what it asked.
func (t *Turn) Read() []message.ID { return t.read }

// Prompt puts a message for the model into the log and returns it, ready for
// [Turn.Generate]. Refs name what it was written from; none means what the
// agent has read last.
func (t *Turn) Prompt(ctx context.Context, role model.Role, content string, refs ...message.ID) (model.Message, error) {
	m := model.Message{Role: role, Content: content}
	if len(refs) == 0 {
		refs = t.read
	}
	e, err := t.envelope(m, refs)
	if err != nil {
		return m, err
	}
	m.Ref = e.ID
	t.conversation().Knows(m, e.Body)
	return m, t.append(ctx, e)
}

// conversation is what is said to the model in this turn.
func (t *Turn) conversation() *model.Conversation {
	if t.said == nil {
		digests := t.cfg.Digests
		if digests == nil {
			digests = model.NewDigests(t.cfg.Name)
		}
		t.said = digests.Conversation()
	}
	return t.said
}

// Note puts a body into the log as a message that nobody receives.
func (t *Turn) Note(ctx context.Context, b message.Body, refs ...message.ID) (message.ID, error) {
	e, err := t.envelope(b, refs)
	if err != nil {
		return "", err
	}
	return e.ID, t.append(ctx, e)
}

// Generate asks the model and returns its reply, with tool calls under IDs of
// our own (the reply's ID and an ordinal). The reply's refs are the messages of
// the request.
func (t *Turn) Generate(ctx context.Context, req model.Request) (model.Output, error) {
	if t.cfg.Model == nil {
		return model.Output{}, fmt.Errorf("%s: generate: the agent has no model", t.Self)
	}
	if req.Sampling == (model.Sampling{}) {
		req.Sampling = t.cfg.Sampling
	}
	req.Caller, req.Run = string(t.Self), t.cfg.Run
	refs := make([]message.ID, 0, len(req.Messages))
	for _, m := range req.Messages {
		refs = append(refs, m.Ref)
	}
	id := t.next()
	req.Path = id
	e, err := t.step(ctx, id, t.conversation().Digest(req), func(e *message.Envelope) (message.Body, error) {
		reply, err := t.cfg.Model.Generate(ctx, req)
		if err != nil {
			return nil, err
		}
		e.Meta.Model, e.Meta.Provider, e.Meta.Usage = cmp.Or(reply.By, t.cfg.Name), reply.ID, reply.Usage
		e.Meta.Attempts, e.Meta.Cached = max(1, reply.Attempts), reply.Cached
		if reply.Model != e.Meta.Model {
			e.Meta.Response = reply.Model
		}
		return model.Output{Message: own(id, reply.Message), Finish: reply.Finish}, nil
	}, refs)
	if err != nil {
		return model.Output{}, fmt.Errorf("%s: generate %s: %w", t.Self, id, err)
	}
	out, err := message.Decode[model.Output](e)
	out.Message.Ref = id
	return out, err
}

// own gives the calls of a reply IDs that do not depend on the provider.
func own(id message.ID, m model.Message) model.Message {
	m.Role = model.Assistant
	m.ToolCalls = slices.Clone(m.ToolCalls)
	for i := range m.ToolCalls {
		m.ToolCalls[i].ID = model.CallID(id, i+1)
	}
	return m
}

// Call runs a tool and returns its result as the message that answers the
// call. What the model did wrong (no such tool, bad arguments) is a result too;
// an error means that the tool itself failed.
func (t *Turn) Call(ctx context.Context, call model.ToolCall, reply message.ID) (model.Message, tools.Result, error) {
	id := t.next()
	e, err := t.step(ctx, id, model.CallDigest(call), func(*message.Envelope) (message.Body, error) {
		res := tools.Result{Call: call.ID, Tool: call.Name}
		value, err := t.run(ctx, call)
		if bad := (*tools.InputError)(nil); errors.As(err, &bad) {
			res.Error = bad.Reason
		} else if err != nil {
			return nil, err
		}
		res.Value = value
		return res, nil
	}, []message.ID{reply})
	if err != nil {
		return model.Message{}, tools.Result{}, fmt.Errorf("%s: tool %s %s: %w", t.Self, call.Name, id, err)
	}
	res, err := message.Decode[tools.Result](e)
	return model.Message{Ref: id, Role: model.ToolRole, Content: res.Content(), ToolCallID: call.ID, Name: call.Name}, res, err
}

func (t *Turn) run(ctx context.Context, call model.ToolCall) (json.RawMessage, error) {
	tool, ok := t.cfg.Tools.Find(call.Name)
	if !ok {
		return nil, tools.Inputf("there is no tool %q; the tools are %s", call.Name, strings.Join(t.cfg.Tools.Names(), ", "))
	}
	return tool.Call(ctx, json.RawMessage(call.Arguments))
}

// Send is a question to the agent at To. Refs name what it was written from;
// none means what the asker has read last.
type Send struct {
	To   message.Address
	Body message.Body
	Refs []message.ID
}

// Ask sends all questions at once, unless the record is [Whole], and returns the answers in the order of the
// questions. IDs are given out before anything starts. When one agent fails the
// others finish, and the error names each that failed.
func (t *Turn) Ask(ctx context.Context, sends ...Send) ([]message.Envelope, error) {
	questions := make([]message.Envelope, len(sends)) // each with its body
	for i, s := range sends {
		refs := s.Refs
		if len(refs) == 0 {
			refs = t.read
		}
		e, err := t.envelope(s.Body, refs)
		if err != nil {
			return nil, err
		}
		e.To = s.To
		questions[i] = e.With(s.Body)
	}
	answers, errs := make([]message.Envelope, len(sends)), make([]error, len(sends))
	var wg sync.WaitGroup
	whole, _ := t.cfg.Record.(Whole)
	last := len(questions) - 1
	for i := range questions {
		if i == last || whole != nil && whole.Whole() { // whoever asks would only wait
			errs[i] = t.ask(ctx, &questions[i], &answers[i])
		} else {
			wg.Go(func() { errs[i] = t.ask(ctx, &questions[i], &answers[i]) })
		}
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	t.read = make([]message.ID, 0, len(answers))
	for _, a := range answers {
		t.read = append(t.read, a.ID)
	}
	return answers, nil
}

// ask puts one question and hears its answer. Both stand with [Turn.Ask], not on
// the stacks of those who wait.
func (t *Turn) ask(ctx context.Context, q, a *message.Envelope) error {
	if err := t.append(ctx, q.With(nil)); err != nil {
		return err
	}
	var err error
	if bus, ok := t.cfg.Outside[q.To]; ok {
		*a, err = t.askOutside(ctx, bus, *q)
		return err
	}
	if *a, err = t.cfg.Bus.Request(ctx, *q); err != nil {
		return err
	}
	if a.ID.Cause() != q.ID || a.From != q.To {
		return fmt.Errorf("%s: the answer to %s from %s is %s from %s", t.Self, q.ID, q.To, a.ID, a.From)
	}
	return t.append(ctx, a.With(nil))
}

// Answer makes the envelope of the turn's answer, and hands b on with it. It does
// not log it: that is for the asker to do.
func (t *Turn) Answer(b message.Body) (message.Envelope, error) {
	e, err := t.envelope(b, t.read)
	e.To = t.In.From
	return e.With(b), err
}

// step is the fact at id, which is then what the agent has read last.
func (t *Turn) step(ctx context.Context, id message.ID, digest string, do func(*message.Envelope) (message.Body, error), refs []message.ID) (message.Envelope, error) {
	t.read = []message.ID{id}
	return t.fact(ctx, id, digest, do, refs)
}

// fact is the one seam to the outside: the fact at id from the record if it is
// there, from do if not; in either case it is in the log when fact returns.
func (t *Turn) fact(ctx context.Context, id message.ID, digest string, do func(*message.Envelope) (message.Body, error), refs []message.ID) (message.Envelope, error) {
	if t.cfg.Record != nil {
		e, ok, err := t.cfg.Record.Recall(id, digest)
		if err != nil {
			return e, err
		}
		if ok {
			return e, t.cfg.Log.Append(ctx, e)
		}
	}
	if err := ctx.Err(); err != nil {
		return message.Envelope{}, err
	}
	start := t.cfg.Clock()
	e := message.Envelope{ID: id, From: t.Self, Refs: refs}
	e.Meta.Digest = digest
	b, err := do(&e)
	if err != nil {
		return e, err
	}
	e.Kind = b.Kind()
	if e.Body, err = message.Marshal(b); err != nil {
		return e, fmt.Errorf("%s: %s: %w", t.Self, id, err)
	}
	e.Meta.Time = t.cfg.Clock()
	e.Meta.Duration = max(0, e.Meta.Time.Sub(start)) // a clock may be set back
	return e, t.cfg.Log.Append(ctx, e.Compact())
}

func (t *Turn) next() message.ID {
	t.n++
	return t.In.ID.Child(t.n)
}

func (t *Turn) envelope(b message.Body, refs []message.ID) (message.Envelope, error) {
	e := message.Envelope{ID: t.next(), From: t.Self, Kind: b.Kind(), Refs: refs}
	var before json.RawMessage
	if memory, ok := t.cfg.Record.(Memory); ok {
		before = memory.Body(e.ID)
	}
	var err error
	if e.Body, err = message.MarshalLike(b, before); err != nil {
		return message.Envelope{}, fmt.Errorf("%s: %s: %w", t.Self, b.Kind(), err)
	}
	return e.Compact(), nil
}

func (t *Turn) append(ctx context.Context, e message.Envelope) error {
	if e.Meta.Time.IsZero() {
		e.Meta.Time = t.cfg.Clock()
	}
	return t.cfg.Log.Append(ctx, e)
}

// Serve lets the agent answer at an address of the bus until ctx ends.
func Serve(ctx context.Context, a message.Address, agent Agent, cfg Config) error {
	return cfg.Bus.Serve(ctx, a, func(ctx context.Context, in message.Envelope) (message.Envelope, error) {
		t := NewTurn(in, a, cfg)
		b, err := agent.Handle(ctx, t)
		if err != nil {
			return message.Envelope{}, err
		}
		return t.Answer(b)
	})
}
