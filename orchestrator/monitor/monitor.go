// Package monitor lets an operator watch a batch at work: as metrics, as log
// lines, as a list of what is in flight.
//
//	runs   ── Progress ─┐                 ┌─> Metrics  Prometheus, by role, model and outcome
//	facts  ── Ledger  ──┼─ Event ─> Tee ──┼─> Logger   JSON lines, by zap
//	calls  ── Model   ──┘                 └─> Live     what is in flight now
//
// Three wrappers see all there is to see: [Progress] hears what becomes of runs,
// [Ledger] sees each fact on its way into the log, [Model] each attempt to get one.
// So the team, its agents and the models know nothing of being watched, and a
// batch whose runs are made on other machines is watched in the same way, but for
// the attempts, which are theirs.
//
// Observers change nothing: an [Observer] returns no error, does not wait, and is
// given no texts.
package monitor

import (
	"time"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/orchestrator"
)

// Kind is what an [Event] tells of.
type Kind string

// The kinds of events.
const (
	RunBegan    Kind = "run began"
	RunEnded    Kind = "run ended"    // done, failed, skipped or interrupted
	AttemptMade Kind = "attempt made" // a call to a model has begun
	AttemptOver Kind = "attempt over" // and ended, with a reply or an error
	Retried     Kind = "retried"      // an attempt failed and will be made again
	Replied     Kind = "replied"      // a model's reply is in the log, after all its attempts
	ToolCalled  Kind = "tool called"  // a tool's result is in the log
)

// Event is something that happened in a batch. Fields that do not go with its
// kind are zero.
type Event struct {
	Kind     Kind
	Run      string
	Path     message.ID      // of the reply or the result
	Role     message.Address // who asked
	Name     string          // of the model, as the user gave it, or of the tool
	Outcome  orchestrator.Outcome
	Took     time.Duration
	Usage    *message.Usage // nil: the provider did not say
	Attempts int            // that a reply took
	Calls    int            // of models and tools, of a run
	Cached   bool           // answered by a cache of replies
	Refused  bool           // the tool told the model of its mistake
	Err      error
}

// Observer hears of events, many at once. It returns soon.
type Observer interface{ Observe(e Event) }

// Func makes an [Observer] of a function.
type Func func(e Event)

// Observe calls f.
func (f Func) Observe(e Event) { f(e) }

// Tee tells several observers.
func Tee(all ...Observer) Observer {
	return Func(func(e Event) {
		for _, o := range all {
			o.Observe(e)
		}
	})
}

// Progress tells of runs what a batch tells, and hands it on to next.
func Progress(o Observer, next func(orchestrator.Event)) func(orchestrator.Event) {
	return func(e orchestrator.Event) {
		out := Event{Kind: RunEnded, Run: e.Run, Outcome: e.Outcome, Took: e.Took, Calls: e.Calls, Err: e.Err}
		if e.Outcome == orchestrator.Started {
			out.Kind = RunBegan
		} else {
			usage := e.Usage
			out.Usage = &usage
		}
		o.Observe(out)
		if next != nil {
			next(e)
		}
	}
}
