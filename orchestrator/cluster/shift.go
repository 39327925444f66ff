package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/orchestrator"
)

// shift is a worker at work.
type shift struct {
	*Worker
	runner   Runner
	progress func(orchestrator.Event)
	clock    func() time.Time
	watch    func(run string, e orchestrator.Entry) orchestrator.Entry

	mu     sync.Mutex
	totals orchestrator.Totals
}

func (s *shift) tell(e orchestrator.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.totals.Add(e)
	if s.progress != nil {
		s.progress(e)
	}
}

// one makes the run that a message of the queue offers. What is acknowledged is
// forgotten by the queue, so that is done only when the coordinator has the run;
// an acknowledgement that is lost brings the offer back, to be told that the run
// is done.
func (s *shift) one(ctx context.Context, m jetstream.Msg) error {
	var o offer
	if err := json.Unmarshal(m.Data(), &o); err != nil {
		return errors.Join(fmt.Errorf("an offer cannot be read: %w", err), m.Term())
	}
	hold := newHold()
	a, err := s.ask(ctx, call{Op: opBegin, Run: o.Run, Hold: hold})
	switch {
	case err != nil:
		_ = m.Nak() // an error of these: the offer comes back later
		return nil
	case a.State == stateOther:
		_ = m.Nak()
		return ErrOther
	case a.State == stateBusy:
		_ = m.NakWithDelay(s.join.Lease / 2)
		return nil
	case a.State == stateDone:
		_ = m.Ack()
		return nil
	case a.State != stateOK:
		_ = m.Term() // the coordinator offers it anew when its turn has come
		return nil
	}
	running, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r := &remote{w: s.Worker, run: o.Run, hold: hold, known: a.Known, lose: cancel}
	running = context.WithValue(running, runKey{}, r)
	r.ctx = running
	s.settle(ctx, running, m, r, s.make(running, m, r, o))
	return nil
}

// make makes the run, and says meanwhile that it is at work.
func (s *shift) make(ctx context.Context, m jetstream.Msg, r *remote, o offer) orchestrator.Event {
	start := s.clock()
	s.tell(orchestrator.Event{Run: o.Run, Outcome: orchestrator.Started})
	beating, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		for wait(beating, s.join.Lease/3) == nil {
			_ = m.InProgress() // an error: the offer comes back, and the coordinator knows who has the run
			r.beat(beating)
		}
	})
	meter := orchestrator.NewMeter(s.watch(o.Run, r))
	e := orchestrator.Event{Run: o.Run, Outcome: orchestrator.Done}
	res, err := s.timed(ctx, o, meter)
	if err == nil {
		err = r.Seal(ctx, res)
	}
	if err != nil {
		e.Outcome, e.Err = orchestrator.Failed, err
	}
	broke := errors.Is(err, model.ErrBudget)
	if err != nil && ctx.Err() == nil && !broke {
		if err := r.Fail(ctx, err); err != nil {
			e.Outcome, e.Err = orchestrator.Interrupted, err
		}
	}
	if (ctx.Err() != nil || broke) && e.Outcome == orchestrator.Failed {
		e.Outcome = orchestrator.Interrupted
	}
	stop()
	wg.Wait()
	meter.Count(&e)
	e.Took = s.clock().Sub(start)
	return e
}

// timed makes the run, within its time.
func (s *shift) timed(ctx context.Context, o offer, m *orchestrator.Meter) (orchestrator.Result, error) {
	limit := s.join.Timeout
	if limit == 0 {
		return s.runner.RunAs(ctx, o.Run, o.Task, m, m)
	}
	inTime, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	res, err := s.runner.RunAs(inTime, o.Run, o.Task, m, m)
	if err != nil && inTime.Err() != nil && ctx.Err() == nil {
		err = fmt.Errorf("no ranking within %s: %w", limit, err)
	}
	return res, err
}

// settle tells the queue what became of the run.
func (s *shift) settle(ctx, running context.Context, m jetstream.Msg, r *remote, e orchestrator.Event) {
	switch {
	case e.Outcome != orchestrator.Interrupted:
		_ = m.Ack()
	case errors.Is(context.Cause(running), errTaken):
		r.tell(ctx) // the offer is another worker's now, and not ours to acknowledge
	case errors.Is(e.Err, model.ErrBudget):
		r.release(ctx) // it is not failed: whoever has a larger budget offers it anew
		_ = m.Term()
	default:
		if ctx.Err() != nil {
			r.release(ctx)
		}
		_ = m.Nak()
	}
	s.tell(e)
}
