package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mars-rec/mars/agents"
	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/tasks"
)

// Ledger keeps the runs of a batch. It is safe for concurrent use.
type Ledger interface {
	// Begin opens the run of that id, one of the task's, or goes on with it
	// where it was interrupted. For a run that is done it returns ErrDone.
	Begin(ctx context.Context, run string, task tasks.Task) (Entry, error)
}

// Entry is one run in a [Ledger]: the log that it writes, and the facts that
// are known from an earlier try.
type Entry interface {
	message.Log
	agents.Record
	// Seal ends the run with its result; when it returns, the run is done and
	// durable.
	Seal(ctx context.Context, r Result) error
	// Fail ends the run with the cause of its failure.
	Fail(ctx context.Context, cause error) error
}

// ErrDone says that a run has been done before.
var ErrDone = errors.New("the run is done")

// SampleID is the id of the nth run of a task, from 1: the first goes by the
// task's own id, the others by id~2, id~3 and so on.
func SampleID(task string, n int) string {
	if n <= 1 {
		return task
	}
	return task + "~" + strconv.Itoa(n)
}

// Outcome is what became of one run of a batch.
type Outcome string

// The outcomes. An interrupted run is neither done nor failed: the same batch
// again goes on with it.
const (
	Started     Outcome = "started"
	Done        Outcome = "done"
	Failed      Outcome = "failed"
	Skipped     Outcome = "skipped" // it was done before
	Interrupted Outcome = "interrupted"
)

// Event tells of a batch's progress.
type Event struct {
	Run     string
	Outcome Outcome
	Err     error         // of a failed run
	Usage   message.Usage // tokens of the calls made for it now, as far as providers told
	Calls   int           // model calls and tool calls made now, not recalled
	Free    Free
	Took    time.Duration
}

// Free is the model calls of a run that cost nothing now.
type Free struct {
	Cached      int           `json:"cached"`       // answered by a cache of replies
	CachedUsage message.Usage `json:"cached_usage"` // what they had cost once
	Replayed    int           `json:"replayed"`     // recalled from the run's record
	Recalled    message.Usage `json:"replayed_usage"`
}

func (f *Free) add(g Free) {
	f.Cached += g.Cached
	f.Replayed += g.Replayed
	f.CachedUsage.Add(&g.CachedUsage)
	f.Recalled.Add(&g.Recalled)
}

// BatchConfig says how a batch is run. The zero value makes one run of each
// task, one at a time.
type BatchConfig struct {
	// Samples is how many runs of each task there are to be, each under its
	// [SampleID] and with a seed of its own; 0 is 1.
	Samples int
	// Concurrency is how many runs are made at once; 0 is 1. Of several, one that
	// is made and waits for the ledger to take it counts no more.
	Concurrency int
	Drain       <-chan struct{} // when closed, no new run starts; those at work finish
	Progress    func(Event)     // called by one goroutine at a time; may be nil
	// Patience is the number of failures in a row, without a run done between
	// them, after which no new run starts and Batch returns ErrGivenUp: most
	// likely the server is down or a setting is wrong. 0 is without end.
	Patience int
	Timeout  time.Duration // of one run, which then has failed; 0 is without end
	// Halt, if not nil, says of the error that ended a run whether it would end
	// all: the run is then not failed but interrupted, those at work go on, no
	// new one starts, and Batch returns the error.
	Halt func(error) bool
}

// ErrGivenUp says that too many runs failed in a row.
var ErrGivenUp = errors.New("too many runs failed in a row")

// Totals counts a batch's outcomes.
type Totals struct {
	Done        int           `json:"done"`
	Failed      int           `json:"failed"`
	Skipped     int           `json:"skipped"`
	Interrupted int           `json:"interrupted"`
	Calls       int           `json:"calls"` // of models and tools, made now
	Usage       message.Usage `json:"usage"`
	Free
}

// Add counts an event.
func (t *Totals) Add(e Event) {
	switch e.Outcome {
	case Done:
		t.Done++
	case Failed:
		t.Failed++
	case Skipped:
		t.Skipped++
	case Interrupted:
		t.Interrupted++
	}
	t.Calls += e.Calls
	t.Usage.Add(&e.Usage)
	t.Free.add(e.Free)
}

// Batch runs the team on many tasks, task by task and of each sample by sample.
// A run that fails is recorded in the ledger and the others go on; what stops
// the batch, with an error, is a task that cannot be read, the ledger, the end
// of ctx, or more failures in a row than cfg has patience for.
func (o *Orchestrator) Batch(ctx context.Context, list iter.Seq2[tasks.Task, error], ledger Ledger, cfg BatchConfig) (Totals, error) {
	return each(ctx, list, cfg, func(ctx context.Context, run string, task tasks.Task, tell func(Event), made func()) error {
		return o.one(ctx, sample{run, task}, ledger, cfg, tell, made)
	})
}

// Each is a batch whose runs are seen to by one: it calls one for each run,
// cfg.Concurrency of them at once, in the order of [Orchestrator.Batch], and
// stops for the same reasons. One tells that the run has started, if it does, and
// what became of it; an error of its own stops the batch.
func Each(ctx context.Context, list iter.Seq2[tasks.Task, error], cfg BatchConfig,
	one func(ctx context.Context, run string, task tasks.Task, tell func(Event)) error) (Totals, error) {
	return each(ctx, list, cfg, func(ctx context.Context, run string, task tasks.Task, tell func(Event), _ func()) error {
		return one(ctx, run, task, tell)
	})
}

// sealed is how many runs that are made may wait for the ledger, at least.
const sealed = 64

// each is Each for what can say that a run is made, and only its ledger has yet to
// take it: another run then begins, unless they are to be one after the other.
func each(ctx context.Context, list iter.Seq2[tasks.Task, error], cfg BatchConfig,
	one func(ctx context.Context, run string, task tasks.Task, tell func(Event), made func()) error) (Totals, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var (
		totals  Totals
		mu      sync.Mutex
		wg      sync.WaitGroup
		slots   = make(chan struct{}, max(1, cfg.Concurrency))
		sealing = make(chan struct{}, max(sealed, cfg.Concurrency))
		inRow   int
		givenUp atomic.Bool
		halted  error
	)
	tell := func(e Event) {
		mu.Lock()
		defer mu.Unlock()
		totals.Add(e)
		switch e.Outcome {
		case Done:
			inRow = 0
		case Failed:
			if inRow++; inRow == cfg.Patience {
				givenUp.Store(true)
			}
		case Interrupted:
			if halted == nil && cfg.Halt != nil && e.Err != nil && cfg.Halt(e.Err) {
				halted = fmt.Errorf("run %s: %w", e.Run, e.Err)
				givenUp.Store(true)
			}
		}
		if cfg.Progress != nil {
			cfg.Progress(e)
		}
	}
	var bad error
	for s, err := range samples(list, cfg.Samples) {
		if err != nil {
			bad = err
			break
		}
		if givenUp.Load() || !take(ctx, slots, cfg.Drain) {
			break
		}
		wg.Go(func() {
			held := slots
			defer func() { <-held }()
			made := func() {
				if cfg.Concurrency > 1 {
					sealing <- struct{}{}
					<-slots
					held = sealing
				}
			}
			if err := one(ctx, s.run, s.task, tell, made); err != nil {
				cancel(err)
			}
		})
	}
	wg.Wait()
	switch {
	case bad != nil:
	case ctx.Err() != nil:
		bad = context.Cause(ctx)
	case halted != nil:
		bad = halted
	case givenUp.Load():
		bad = fmt.Errorf("%w: %d", ErrGivenUp, cfg.Patience)
	}
	return totals, bad
}

// sample is one run that a batch is to make.
type sample struct {
	run  string
	task tasks.Task
}

// samples yields the runs that a batch is to make of the tasks.
func samples(list iter.Seq2[tasks.Task, error], each int) iter.Seq2[sample, error] {
	return func(yield func(sample, error) bool) {
		for task, err := range list {
			for n := 1; n <= max(1, each); n++ {
				if !yield(sample{SampleID(task.ID, n), task}, err) || err != nil {
					return
				}
			}
		}
	}
}

// take waits for a free slot; false means that nothing new is to start.
func take(ctx context.Context, slots chan<- struct{}, drain <-chan struct{}) bool {
	select {
	case <-ctx.Done():
		return false
	case <-drain:
		return false
	default:
	}
	select {
	case slots <- struct{}{}:
		return true
	case <-ctx.Done():
	case <-drain:
	}
	return false
}

// one makes one run of a batch, and says when it is made. Its error stops the
// batch.
func (o *Orchestrator) one(ctx context.Context, s sample, ledger Ledger, cfg BatchConfig, tell func(Event), made func()) error {
	start := o.cfg.Clock()
	entry, err := ledger.Begin(ctx, s.run, s.task)
	if errors.Is(err, ErrDone) {
		tell(Event{Run: s.run, Outcome: Skipped})
		return nil
	}
	if err != nil {
		return fmt.Errorf("run %s: %w", s.run, err)
	}
	tell(Event{Run: s.run, Outcome: Started})
	meter := NewMeter(entry)
	res, err := o.timed(ctx, s, meter, cfg.Timeout)
	e := Event{Run: s.run, Outcome: Done, Err: err}
	var stop error
	switch {
	case err == nil:
		made()
		stop = entry.Seal(ctx, res)
	case ctx.Err() != nil, cfg.Halt != nil && cfg.Halt(err):
		e.Outcome = Interrupted
	default:
		e.Outcome = Failed
		stop = entry.Fail(ctx, err)
	}
	if stop != nil {
		e.Outcome, e.Err = Interrupted, stop
		stop = fmt.Errorf("run %s: %w", s.run, stop)
	}
	e.Took = o.cfg.Clock().Sub(start)
	meter.Count(&e)
	tell(e)
	return stop
}

// timed makes one run, within its time.
func (o *Orchestrator) timed(ctx context.Context, s sample, m *Meter, limit time.Duration) (Result, error) {
	if limit == 0 {
		return o.RunAs(ctx, s.run, s.task, m, m)
	}
	inTime, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	res, err := o.RunAs(inTime, s.run, s.task, m, m)
	if err != nil && inTime.Err() != nil && ctx.Err() == nil {
		err = fmt.Errorf("no ranking within %s: %w", limit, err)
	}
	return res, err
}
