package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"github.com/mars-rec/mars/agents"
	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/orchestrator"
	"github.com/mars-rec/mars/tasks"
)

var (
	// ErrOther says that the coordinator makes runs with something else than
	// when the worker joined.
	ErrOther = errors.New("the coordinator now makes runs with something else")

	errTaken = errors.New("the run is no longer this worker's")
	errOver  = errors.New("the batch is over")
)

// Runner makes a run; [orchestrator.Orchestrator] is one.
type Runner interface {
	RunAs(ctx context.Context, run string, task tasks.Task, log message.Log, record agents.Record) (orchestrator.Result, error)
}

// Worker is a process that makes runs for a coordinator.
type Worker struct {
	nc    *nats.Conn
	js    jetstream.JetStream
	names names
	join  answer
	made  string
	clock func() time.Time // of its own: for how long word of a grant took
	over  atomic.Bool      // the batch is complete: whoever is still at work has lost its run
}

// Join finds the coordinator of the batch of that name, "" for [DefaultName], and
// waits for one until ctx ends.
func Join(ctx context.Context, nc *nats.Conn, name string) (*Worker, error) {
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, err
	}
	w := &Worker{nc: nc, js: js, names: namesOf(name), clock: time.Now}
	if w.join, err = w.ask(ctx, call{Op: opJoin}); err != nil {
		return nil, err
	}
	w.made = digest(w.join.Manifest)
	return w, nil
}

// Manifest is what the coordinator makes runs with.
func (w *Worker) Manifest() json.RawMessage { return w.join.Manifest }

// WorkConfig says how a worker works. The zero value makes one run at a time.
type WorkConfig struct {
	Concurrency int                      // runs at once; 0 is 1
	Drain       <-chan struct{}          // when closed, no new run starts; those at work finish
	Progress    func(orchestrator.Event) // called by one goroutine at a time; may be nil
	Clock       func() time.Time         // nil: time.Now; only what is told depends on it
	// Watch, if not nil, wraps what each run is recorded in.
	Watch func(run string, e orchestrator.Entry) orchestrator.Entry
}

// Work makes runs until the batch is over, cfg.Drain is closed or ctx ends, which
// hands the runs at work back. While the server or the coordinator cannot be
// reached it waits. What its models and tools do wrong is a failure of the run;
// an error of Work is [ErrOther] or the end of the connection.
func (w *Worker) Work(ctx context.Context, r Runner, cfg WorkConfig) (orchestrator.Totals, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	pulling, stop := context.WithCancel(ctx)
	defer stop()
	sub, err := w.nc.Subscribe(w.names.over(), func(*nats.Msg) {
		w.over.Store(true)
		stop()
	})
	if err != nil {
		return orchestrator.Totals{}, err
	}
	defer sub.Unsubscribe() //nolint:errcheck // it ends with the connection too
	var watch sync.WaitGroup
	watch.Go(func() {
		select {
		case <-cfg.Drain:
			stop()
		case <-pulling.Done():
		}
	})
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Watch == nil {
		cfg.Watch = func(_ string, e orchestrator.Entry) orchestrator.Entry { return e }
	}
	s := &shift{Worker: w, runner: r, progress: cfg.Progress, clock: cfg.Clock, watch: cfg.Watch}
	var wg sync.WaitGroup
	for range max(1, cfg.Concurrency) {
		wg.Go(func() {
			for pulling.Err() == nil {
				m, err := w.pull(pulling)
				if err == nil && m != nil {
					err = s.one(ctx, m)
				}
				if err != nil {
					cancel(err)
				}
			}
		})
	}
	wg.Wait()
	stop()
	watch.Wait()
	return s.totals, context.Cause(ctx)
}

// pull takes an offer from the queue; nil if there is none for a while.
func (w *Worker) pull(ctx context.Context) (jetstream.Msg, error) {
	var m jetstream.Msg
	within, cancel := context.WithTimeout(ctx, w.patience())
	defer cancel()
	cons, err := w.js.Consumer(within, w.names.stream, consumer) // each time: it may have been made anew
	if err == nil {
		m, err = cons.Next(jetstream.FetchContext(within))
	}
	switch {
	case err == nil:
		return m, nil
	case w.nc.IsClosed():
		return nil, fmt.Errorf("pull: %w", nats.ErrConnectionClosed)
	case ctx.Err() == nil && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, nats.ErrTimeout):
		_ = wait(ctx, 100*time.Millisecond) // the server or the queue is not there
	}
	return nil, nil
}

// ask calls the coordinator until it answers. Every call may be repeated.
func (w *Worker) ask(ctx context.Context, c call) (answer, error) {
	c.Made = w.made
	payload, err := message.Marshal(c)
	if err != nil {
		return answer{}, err
	}
	if limit := w.nc.MaxPayload(); limit > 0 && int64(len(payload)) > limit {
		return answer{}, fmt.Errorf("%s of run %s has %d bytes, and the server's max_payload is %d", c.Op, c.Run, len(payload), limit)
	}
	const first, last = 20 * time.Millisecond, 2 * time.Second
	for pause := time.Duration(first); ; pause = min(2*pause, last) {
		within, cancel := context.WithTimeout(ctx, w.patience())
		sent := w.clock()
		m, err := w.nc.RequestWithContext(within, w.names.calls(), payload)
		cancel()
		switch {
		case ctx.Err() != nil:
			return answer{}, context.Cause(ctx)
		case errors.Is(err, nats.ErrNoResponders) && w.over.Load():
			return answer{}, errOver
		case errors.Is(err, nats.ErrConnectionClosed), errors.Is(err, nats.ErrMaxPayload):
			return answer{}, err
		case err == nil:
			var a answer
			if err := json.Unmarshal(m.Data, &a); err != nil {
				return a, fmt.Errorf("the coordinator's answer to %s: %w", c.Op, err)
			}
			a.sent = sent
			return a, nil
		}
		if err := wait(ctx, pause); err != nil {
			return answer{}, err
		}
	}
}

// patience is how long an answer is waited for before it is asked for again: less
// than the lease, so that a message that was lost does not lose the run.
func (w *Worker) patience() time.Duration {
	if w.join.Lease == 0 { // not joined yet
		return 2 * time.Second
	}
	return min(5*time.Second, w.join.Lease/2)
}

// wait waits, or until ctx ends.
func wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// newHold names a try at a run.
func newHold() string { return nuid.Next() }
