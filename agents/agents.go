// Package agents is what an agent is and what it can do while it answers.
//
// An [Agent] answers one message at a time: Handle gets a [Turn], does its
// work through it, and returns the body of the answer. The Turn is the only
// way to speak: every method of it puts a message into the run's log, under
// the next ID of the turn.
//
//	Prompt    a message for the model           1.2.1  prompt
//	Generate  the model's reply (a fact)        1.2.3  reply
//	Call      a tool's result (a fact)          1.2.4  result
//	Ask       questions to other agents, all at once; their answers
//	          (a fact where the agent is in another process)
//	Note      any other body, for the record
//
// # Facts
//
// What comes from outside (a model's reply, a tool's result, the answer of an
// agent in another process) passes one function, Turn.fact: if the run's [Record] holds the ID with the digest of
// the same request, that is the answer; otherwise it is fetched, then logged.
// Recording, replay, resuming after a crash and forking are all this one seam,
// and an agent cannot tell them apart.
package agents

import (
	"context"
	"encoding/json"

	"github.com/mars-rec/mars/message"
)

// Agent answers messages. Handle may be called for several messages at once,
// each with a Turn of its own. The body it returns is the answer to t.In; an
// error fails the run.
type Agent interface {
	Handle(ctx context.Context, t *Turn) (message.Body, error)
}

// Func makes an [Agent] of a function.
type Func func(ctx context.Context, t *Turn) (message.Body, error)

// Handle calls f.
func (f Func) Handle(ctx context.Context, t *Turn) (message.Body, error) { return f(ctx, t) }

// From is before for the messages that come before at in the order of the
// causal tree, and after for the others: an agent that changes in the middle
// of a run. What is answered by before is answered by it to the end.
func From(at message.ID, before, after Agent) Agent {
	return Func(func(ctx context.Context, t *Turn) (message.Body, error) {
		if t.In.ID.Compare(at) < 0 {
			return before.Handle(ctx, t)
		}
		return after.Handle(ctx, t)
	})
}

// Record holds the facts of a run that are already known.
//
// Recall returns the fact at id if it answers a request with that digest; ok
// is false where nothing is known and the fact is to be fetched. A record that
// holds another request's answer at id, or that must know everything and does
// not, returns an error: the run has diverged from it.
type Record interface {
	Recall(id message.ID, digest string) (fact message.Envelope, ok bool, err error)
}

// Memory is an ability of a [Record]: it has the body of the message at id, nil
// where there is none. What is said again as it was takes no room then.
type Memory interface {
	Body(id message.ID) json.RawMessage
}

// Whole is an ability of a [Record]: it reports that every fact is in it, so
// that a run waits for nothing. Questions are then put one after the other:
// there is nothing to gain by asking at once.
type Whole interface{ Whole() bool }
