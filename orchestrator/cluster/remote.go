package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/orchestrator"
)

// remote is a run's entry in the coordinator's ledger, as its worker has it. Facts
// go to the coordinator at once; what follows from them is kept until the run ends.
type remote struct {
	w     *Worker
	ctx   context.Context //nolint:containedctx // of the run: agents.Record has none
	run   string
	hold  string
	known bool // the ledger has facts of the run
	lose  context.CancelCauseFunc

	// A call holds it for reading; for writing, whoever begins again with a
	// coordinator that knows nothing of the run.
	again sync.RWMutex
	anew  int // how often it was begun again

	mu       sync.Mutex
	sent     []message.Envelope // by the order in which they were said
	kept     []message.Envelope
	dues     []due // what calls came to, and the coordinator may not know
	attempts int   // at calls of models
}

// Recall implements [agents.Record].
func (r *remote) Recall(id message.ID, digest string) (message.Envelope, bool, error) {
	if !r.known {
		return message.Envelope{}, false, nil
	}
	a, err := r.send(r.ctx, call{Op: opRecall, ID: id, Digest: digest})
	if err != nil || a.Fact == nil {
		return message.Envelope{}, false, err
	}
	return *a.Fact, true, nil
}

// Append implements [message.Log].
func (r *remote) Append(ctx context.Context, e message.Envelope) error {
	e.Body, e.Refs = bytes.Clone(e.Body), slices.Clone(e.Refs) // the caller may go on to use its own
	r.mu.Lock()
	if !e.Fact() {
		defer r.mu.Unlock()
		r.kept = append(r.kept, e)
		return nil
	}
	r.sent = append(r.sent, e)
	r.mu.Unlock()
	_, err := r.send(ctx, call{Op: opAppend, Log: []message.Envelope{e}})
	return err
}

// Seal implements [orchestrator.Entry].
func (r *remote) Seal(ctx context.Context, res orchestrator.Result) error {
	return r.end(ctx, call{Op: opEnd, Result: &res})
}

// Fail implements [orchestrator.Entry].
func (r *remote) Fail(ctx context.Context, cause error) error {
	return r.end(ctx, call{Op: opEnd, Cause: cause.Error()})
}

// end sends what was kept, and then what the run came to.
func (r *remote) end(ctx context.Context, c call) error {
	r.mu.Lock()
	kept := r.kept
	r.sent, r.kept = append(r.sent, kept...), nil
	r.mu.Unlock()
	for part, err := range r.parts(kept) {
		if err != nil {
			return err
		}
		if _, err := r.send(ctx, call{Op: opAppend, Log: part}); err != nil {
			return err
		}
	}
	_, err := r.send(ctx, c)
	return err
}

// parts cuts messages into calls that the server carries: each of at most half of
// what it does, or of one message.
func (r *remote) parts(log []message.Envelope) func(func([]message.Envelope, error) bool) {
	return func(yield func([]message.Envelope, error) bool) {
		start, size := 0, 0
		for i, e := range log {
			b, err := message.Marshal(e)
			if err != nil {
				yield(nil, err)
				return
			}
			if i > start && size+len(b) > int(r.w.nc.MaxPayload())/2 {
				if !yield(log[start:i], nil) {
					return
				}
				start, size = i, 0
			}
			size += len(b)
		}
		if start < len(log) {
			yield(log[start:], nil)
		}
	}
}

// send calls the coordinator for the run. When the run is no longer this
// worker's, everything that is at work for it ends.
func (r *remote) send(ctx context.Context, c call) (answer, error) {
	c.Run, c.Hold = r.run, r.hold
	for waited := time.Duration(0); ; {
		r.again.RLock()
		anew := r.anew
		c.Paid = r.owed()
		a, err := r.w.ask(ctx, c)
		r.again.RUnlock()
		if err != nil {
			return a, err
		}
		r.told(c.Paid)
		switch a.State {
		case stateOK, stateWait, stateOver, stateBroke:
			return a, nil
		case stateDone:
			if c.Op == opEnd || c.Op == opBeat {
				return a, nil
			}
			return a, r.lost(errTaken)
		case stateRefused:
			return a, errors.New(a.Text)
		case stateUnheld:
			err = r.beginAgain(ctx, anew)
		case stateUnknown:
			// A coordinator that has just started comes to the run in its turn.
			if waited > 10*r.w.join.Lease {
				return a, r.lost(errTaken)
			}
			waited += r.w.join.Lease / 10
			err = wait(ctx, r.w.join.Lease/10)
		case stateOther:
			err = r.lost(ErrOther)
		default:
			err = r.lost(errTaken)
		}
		if err != nil {
			return a, err
		}
	}
}

// lost ends the run here, without a result.
func (r *remote) lost(err error) error {
	err = fmt.Errorf("run %s: %w", r.run, err)
	r.lose(err)
	return err
}

// beginAgain takes up the run with a coordinator that does not know that it is at
// work, and repeats what was said. While it does, nothing else is sent, so that
// the ledger gets messages after those that they follow from.
func (r *remote) beginAgain(ctx context.Context, anew int) error {
	r.again.Lock()
	defer r.again.Unlock()
	if r.anew != anew {
		return nil // another call has done it
	}
	a, err := r.w.ask(ctx, call{Op: opBegin, Run: r.run, Hold: r.hold})
	if err != nil {
		return err
	}
	if a.State != stateOK {
		return r.lost(errTaken)
	}
	r.mu.Lock()
	sent := slices.Clone(r.sent)
	r.mu.Unlock()
	for part, err := range r.parts(sent) {
		if err != nil {
			return err
		}
		a, err := r.w.ask(ctx, call{Op: opAppend, Run: r.run, Hold: r.hold, Log: part})
		switch {
		case err != nil:
			return err
		case a.State == stateRefused:
			return errors.New(a.Text)
		case a.State == stateTaken:
			return r.lost(errTaken)
		case a.State != stateOK: // it has been restarted once more: the next call finds out
			return nil
		}
	}
	r.anew++
	return nil
}

// beat says that the worker is at work.
func (r *remote) beat(ctx context.Context) {
	_, _ = r.send(ctx, call{Op: opBeat}) // what is wrong, whoever works on the run is told
}

// release hands the run back, so that another worker need not wait for the end of
// the lease. Ctx may have ended.
func (r *remote) release(ctx context.Context) {
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	_, _ = r.w.ask(within, call{Op: opRelease, Run: r.run, Hold: r.hold, Paid: r.owed()}) // without it the lease ends
}
