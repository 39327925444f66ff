package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/orchestrator"
	"github.com/mars-rec/mars/tasks"
)

// job is a run that is offered or at work.
//
//	offered ──begin──> held ──end──> ended
//	   ^                │  └──────── (too many workers lost)
//	   └── lease over, release
type job struct {
	c    *coordinator
	run  string
	task tasks.Task
	tell func(orchestrator.Event)

	mu    sync.Mutex
	entry *orchestrator.Meter
	used  bool   // a worker has had the entry: the next one needs it anew
	hold  string // of the worker at work; "": nobody
	heard time.Time
	began time.Time // of the first worker; zero: none yet
	lost  int
	count orchestrator.Event   // what entries have counted
	calls map[string]*reserved // of the hold, by id
	open  int                  // of them, those that are not over
	broke error                // the budget refused a call

	ended chan struct{} // closed when event and stop are set
	event orchestrator.Event
	stop  error
}

// live reports whether a worker is at work on it.
func (j *job) live() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.hold != "" && j.c.cfg.Clock().Sub(j.heard) < j.c.cfg.Lease
}

// outcome is what the job came to, once it has ended.
func (j *job) outcome() (orchestrator.Event, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.event, j.stop
}

// interrupt ends the job where it is. The ledger keeps what it has.
func (j *job) interrupt() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.interrupted(nil)
}

// interrupted is interrupt under the lock, with what is to be told.
func (j *job) interrupted(cause error) {
	j.end(orchestrator.Interrupted, cause, nil)
	if cause != nil && j.c.halt != nil && j.c.halt(cause) {
		j.c.letGo()
	}
}

// end notes what became of the run.
func (j *job) end(o orchestrator.Outcome, cause, stop error) {
	select {
	case <-j.ended:
		return
	default:
	}
	j.land()
	j.entry.Count(&j.count)
	j.event = j.count
	j.event.Run, j.event.Outcome, j.event.Err = j.run, o, cause
	if !j.began.IsZero() {
		j.event.Took = j.c.cfg.Clock().Sub(j.began)
	}
	j.stop = stop
	close(j.ended)
}

// answer answers a worker's call about the run.
func (j *job) answer(ctx context.Context, in call) answer {
	if len(in.Paid) > 0 {
		j.mu.Lock()
		if in.Hold == j.hold {
			j.settle(in.Paid)
		}
		j.mu.Unlock()
	}
	switch in.Op {
	case opAppend, opRecall:
		return j.say(ctx, in)
	case opReserve:
		return j.reserve(ctx, in)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if s := j.standing(in); s != stateOK && (in.Op != opBegin || s == stateDone) {
		return answer{State: s}
	}
	switch in.Op {
	case opBegin:
		return j.begin(ctx, in)
	case opEnd:
		return j.finish(ctx, in)
	case opRelease:
		j.land()
		if j.hold = ""; j.broke != nil {
			j.interrupted(j.broke)
		}
	}
	return answer{State: stateOK}
}

// standing is how the caller stands to the run. Whatever the holder says renews
// its lease.
func (j *job) standing(in call) state {
	select {
	case <-j.ended:
		if j.event.Outcome == orchestrator.Interrupted {
			return stateUnknown
		}
		return stateDone
	default:
	}
	switch j.hold {
	case "":
		return stateUnheld
	case in.Hold:
		j.heard = j.c.cfg.Clock()
		return stateOK
	}
	return stateTaken
}

// begin gives the run to a worker, unless another is at work on it.
func (j *job) begin(ctx context.Context, in call) answer {
	if j.hold != in.Hold {
		if j.hold != "" && j.c.cfg.Clock().Sub(j.heard) < j.c.cfg.Lease {
			return answer{State: stateBusy}
		}
		if j.hold != "" {
			if j.lost++; j.lost >= j.c.cfg.Losses {
				return j.fail(ctx, fmt.Errorf("%d workers were lost while they worked on it", j.lost))
			}
		}
		if err := j.reopen(ctx); err != nil {
			err = fmt.Errorf("run %s: %w", j.run, err)
			j.end(orchestrator.Interrupted, err, err)
			return answer{State: stateUnknown}
		}
		j.land()
		j.calls, j.broke = map[string]*reserved{}, nil
		j.hold, j.used = in.Hold, true
		if j.began.IsZero() {
			j.began = j.c.cfg.Clock()
			j.tell(orchestrator.Event{Run: j.run, Outcome: orchestrator.Started})
		}
	}
	j.heard = j.c.cfg.Clock()
	known := true
	if counts, ok := j.entry.Entry.(interface{ Facts() int }); ok {
		known = counts.Facts() > 0
	}
	return answer{State: stateOK, Known: known}
}

// reopen makes what a former worker has said known to the next one.
func (j *job) reopen(ctx context.Context) error {
	if !j.used {
		return nil
	}
	entry, err := j.c.ledger.Begin(ctx, j.run, j.task)
	if err != nil {
		return err
	}
	j.entry.Count(&j.count)
	j.entry, j.used = orchestrator.NewMeter(entry), false
	return nil
}

// say recalls a fact or appends what was said. It is done outside of the lock,
// so that agents that work in parallel do not wait for one another's disk; an
// entry that was taken from the worker meanwhile refuses it.
func (j *job) say(ctx context.Context, in call) answer {
	j.mu.Lock()
	s, entry := j.standing(in), j.entry
	j.mu.Unlock()
	if s != stateOK {
		return answer{State: s}
	}
	if in.Op == opRecall {
		fact, ok, err := entry.Recall(in.ID, in.Digest)
		switch {
		case err != nil:
			return answer{State: stateRefused, Text: err.Error()}
		case ok:
			return answer{State: stateOK, Fact: &fact}
		}
		return answer{State: stateOK}
	}
	for _, e := range in.Log {
		if e.Fact() {
			// A worker that begins again repeats what is known: it is not
			// counted twice. Whether it fits is for the append to say.
			_, _, _ = entry.Recall(e.ID, e.Meta.Digest)
		}
		if err := entry.Append(ctx, e); err != nil {
			return j.refuse(in, err)
		}
	}
	return answer{State: stateOK}
}

// refuse tells the worker why its message was not taken: because the run is no
// longer its own, or for the reason that the ledger gives.
//
// Where the ledger has another message, another worker had the run meanwhile: this
// one had lost it, did not hear of that, and took it up anew with a coordinator
// that knew of neither. That is no failure of the run, which goes to whoever takes
// what the ledger has; but if it happens again and again, it is.
func (j *job) refuse(in call, err error) answer {
	j.mu.Lock()
	defer j.mu.Unlock()
	if s := j.standing(in); s != stateOK {
		return answer{State: s}
	}
	if errors.Is(err, message.ErrConflict) {
		if j.lost++; j.lost < j.c.cfg.Losses {
			j.land()
			j.hold = ""
			return answer{State: stateTaken}
		}
	}
	return answer{State: stateRefused, Text: err.Error()}
}

// finish commits what the run came to. When the ledger does not take it the
// batch stops.
func (j *job) finish(ctx context.Context, in call) answer {
	if in.Result == nil {
		return j.fail(ctx, errors.New(in.Cause))
	}
	if err := j.entry.Seal(ctx, *in.Result); err != nil {
		return j.halt(err)
	}
	j.end(orchestrator.Done, nil, nil)
	return answer{State: stateDone}
}

func (j *job) fail(ctx context.Context, cause error) answer {
	if err := j.entry.Fail(ctx, cause); err != nil {
		return j.halt(err)
	}
	j.end(orchestrator.Failed, cause, nil)
	return answer{State: stateDone}
}

func (j *job) halt(err error) answer {
	j.end(orchestrator.Interrupted, err, fmt.Errorf("run %s: %w", j.run, err))
	return answer{State: stateUnknown}
}
