package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/model/budget"
	"github.com/mars-rec/mars/orchestrator"
	"github.com/mars-rec/mars/tasks"
)

// ErrCoordinated says that a batch of that name has a coordinator already.
var ErrCoordinated = errors.New("another coordinator is at work on this server under this name")

// Config says how a batch is coordinated. The zero value is ready to use.
type Config struct {
	Name string // of the batch on its server; "": DefaultName
	// Manifest says, in words that the coordinator and the workers know, what
	// runs are made with. A worker with another one gets no work.
	Manifest json.RawMessage
	Lease    time.Duration // a worker not heard of for so long is lost; 0: 30 s
	// Losses is how many workers may be lost over one run before it has failed:
	// most likely it brings them down. 0: 5.
	Losses int
	// Budget is what the calls of all workers are paid from, those that reserve
	// them; nil: nothing is counted.
	Budget *budget.Budget
	// Requests and Tokens are the most calls to one model that start in any 60
	// seconds, of all workers together, and their tokens; 0: any number.
	Requests, Tokens int
	// Replies is how many bytes of models' replies the server keeps for all workers,
	// those of later batches of the name included; 0: none. See [Worker.Replies].
	Replies int64
	Clock   func() time.Time // nil: time.Now; only leases and what is told depend on it
	// Notice hears what a person should know; may be nil. It is called by one
	// goroutine at a time.
	Notice func(string)
}

// Coordinate lets workers make the runs of a batch, and keeps them in the ledger.
// It is [orchestrator.Orchestrator.Batch] with the work done elsewhere:
// batch.Concurrency is how many runs are offered or at work at once, of all
// workers together. When all runs are seen to, workers are told to go home.
//
// While the server cannot be reached it waits. An error is the ledger's, a task
// that cannot be read, the end of ctx, [orchestrator.ErrGivenUp], or
// [ErrCoordinated].
func Coordinate(ctx context.Context, nc *nats.Conn, list iter.Seq2[tasks.Task, error], ledger orchestrator.Ledger,
	batch orchestrator.BatchConfig, cfg Config) (orchestrator.Totals, error) {
	if cfg.Lease <= 0 {
		cfg.Lease = 30 * time.Second
	}
	if cfg.Losses <= 0 {
		cfg.Losses = 5
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Notice == nil {
		cfg.Notice = func(string) {}
	}
	c := &coordinator{cfg: cfg, names: namesOf(cfg.Name), ledger: ledger, drain: batch.Drain, timeout: batch.Timeout,
		halt: batch.Halt, halted: make(chan struct{}), made: digest(cfg.Manifest),
		jobs: map[string]*job{}, done: map[string]bool{}, limiters: map[string]*model.Limiter{}}
	var err error
	if c.queue, err = newQueue(nc, c.names, max(1, batch.Concurrency), cfg); err != nil {
		return orchestrator.Totals{}, err
	}
	if err := c.insist(ctx, nc, c.queue.open); err != nil {
		return orchestrator.Totals{}, fmt.Errorf("work queue %s: %w", c.names.stream, err)
	}
	if err := c.insist(ctx, nc, func(ctx context.Context) error { return c.alone(ctx, nc) }); err != nil {
		return orchestrator.Totals{}, fmt.Errorf("%s: %w", c.names.prefix, err)
	}
	stop, err := c.listen(ctx, nc)
	if err != nil {
		return orchestrator.Totals{}, err
	}
	totals, err := orchestrator.Each(ctx, list, batch, c.one)
	stop()
	if err != nil || totals.Interrupted > 0 || drained(batch.Drain) {
		return totals, err // workers wait for whoever goes on
	}
	if err := c.goHome(ctx, nc); err != nil { // the runs are done all the same
		cfg.Notice(fmt.Sprintf("the workers cannot be told that the batch is over: %v", err))
	}
	return totals, nil
}

// insist does what needs the server until it comes to an end: while the server is
// not there, without end; one that is there and does not do it for a lease is an
// error.
func (c *coordinator) insist(ctx context.Context, nc *nats.Conn, do func(context.Context) error) error {
	var refusing time.Time
	for {
		within, cancel := context.WithTimeout(ctx, min(5*time.Second, c.cfg.Lease))
		err := do(within)
		cancel()
		if err == nil || errors.Is(err, ErrCoordinated) || nc.IsClosed() {
			return err
		}
		if err := wait(ctx, min(200*time.Millisecond, c.cfg.Lease/4)); err != nil {
			return err
		}
		switch now := c.cfg.Clock(); {
		case !nc.IsConnected():
			refusing = time.Time{}
		case refusing.IsZero():
			refusing = now
		case now.Sub(refusing) >= c.cfg.Lease:
			return err
		}
	}
}

// alone reports ErrCoordinated if somebody answers the calls of workers already.
func (c *coordinator) alone(ctx context.Context, nc *nats.Conn) error {
	ask, err := message.Marshal(call{Op: opJoin})
	if err != nil {
		return err
	}
	_, err = nc.RequestWithContext(ctx, c.names.calls(), ask)
	switch {
	case err == nil:
		return ErrCoordinated
	case errors.Is(err, nats.ErrNoResponders):
		return nil
	}
	return err
}

// goHome ends a batch that is complete.
func (c *coordinator) goHome(ctx context.Context, nc *nats.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Lease)
	defer cancel()
	if err := nc.Publish(c.names.over(), nil); err != nil {
		return err
	}
	if err := nc.FlushWithContext(ctx); err != nil {
		return err
	}
	return c.queue.drop(ctx)
}

func drained(drain <-chan struct{}) bool {
	select {
	case <-drain:
		return true
	default:
		return false
	}
}

// coordinator is a batch that is being coordinated.
type coordinator struct {
	cfg     Config
	names   names
	ledger  orchestrator.Ledger
	queue   *queue
	made    string
	drain   <-chan struct{}
	halt    func(error) bool // does a run that ended so end all? may be nil
	halted  chan struct{}    // closed when one has
	timeout time.Duration

	mu        sync.Mutex
	jobs      map[string]*job // by run: those that are offered or at work
	done      map[string]bool // runs that need nobody any more
	limiters  map[string]*model.Limiter
	missed    map[landed]*budget.Reservation // calls whose workers were lost
	missing   []landed                       // in the order in which they were
	obtaining sync.WaitGroup                 // calls that wait for the budget or the rate
}

// listen answers the calls of workers and keeps the queue filled. Stop ends both
// and waits for them.
func (c *coordinator) listen(ctx context.Context, nc *nats.Conn) (stop func(), err error) {
	var wg sync.WaitGroup
	var gate sync.Mutex
	closed := false
	sub, err := nc.Subscribe(c.names.calls(), func(m *nats.Msg) {
		gate.Lock()
		defer gate.Unlock()
		if !closed {
			wg.Go(func() { c.receive(ctx, m) })
		}
	})
	if err != nil {
		return nil, err
	}
	filling, end := context.WithCancel(ctx)
	wg.Go(func() { c.refill(filling) })
	return func() {
		_ = sub.Unsubscribe() // an error: the connection is closed
		gate.Lock()
		closed = true
		gate.Unlock()
		end()
		wg.Wait() // calls that were taken are answered
		c.obtaining.Wait()
	}, nil
}

// receive answers one call. A call that cannot be answered is repeated.
func (c *coordinator) receive(ctx context.Context, m *nats.Msg) {
	var in call
	out := answer{State: stateRefused}
	if err := json.Unmarshal(m.Data, &in); err != nil {
		out.Text = fmt.Sprintf("the call cannot be read: %v", err)
	} else {
		out = c.answer(ctx, in)
	}
	payload, err := message.Marshal(out)
	if err == nil {
		_ = m.Respond(payload) // without an answer the worker calls again
	}
}

func (c *coordinator) answer(ctx context.Context, in call) answer {
	switch in.Op {
	case opJoin:
		return answer{State: stateOK, Manifest: c.cfg.Manifest, Lease: c.cfg.Lease, Timeout: c.timeout, Replies: c.cfg.Replies > 0}
	}
	if in.Made != c.made {
		return answer{State: stateOther}
	}
	c.amend(in)
	c.mu.Lock()
	j, done := c.jobs[in.Run], c.done[in.Run]
	c.mu.Unlock()
	switch {
	case done:
		return answer{State: stateDone}
	case j == nil:
		return answer{State: stateUnknown}
	}
	return j.answer(ctx, in)
}

// one sees to one run: it is offered, and ends when a worker ends it.
func (c *coordinator) one(ctx context.Context, run string, task tasks.Task, tell func(orchestrator.Event)) error {
	entry, err := c.ledger.Begin(ctx, run, task)
	if errors.Is(err, orchestrator.ErrDone) {
		c.finish(run)
		tell(orchestrator.Event{Run: run, Outcome: orchestrator.Skipped})
		return nil
	}
	if err != nil {
		return fmt.Errorf("run %s: %w", run, err)
	}
	j := &job{c: c, run: run, task: task, entry: orchestrator.NewMeter(entry), tell: tell, ended: make(chan struct{}), calls: map[string]*reserved{}}
	c.mu.Lock()
	c.jobs[run] = j
	c.mu.Unlock()
	// An error is no loss: whoever refills the queue offers it again.
	within, cancel := context.WithTimeout(ctx, min(5*time.Second, c.cfg.Lease))
	_ = c.queue.put(within, offer{run, task})
	cancel()
	select {
	case <-j.ended:
	case <-ctx.Done():
		j.interrupt()
	}
	e, stop := j.outcome()
	if e.Outcome == orchestrator.Interrupted {
		c.mu.Lock()
		delete(c.jobs, run)
		c.mu.Unlock()
	} else {
		c.finish(run)
	}
	tell(e)
	return stop
}

// letGo says that no run is to begin any more.
func (c *coordinator) letGo() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !drained(c.halted) {
		close(c.halted)
	}
}

// finish says that a run needs nobody any more.
func (c *coordinator) finish(run string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.jobs, run)
	c.done[run] = true
}

// refill looks now and then whether each run that nobody works on is in the
// queue, and puts it there: the queue may have been wiped, or its message
// acknowledged late for a worker that had lost the run.
func (c *coordinator) refill(ctx context.Context) {
	tick := time.NewTicker(max(c.cfg.Lease/4, 10*time.Millisecond))
	defer tick.Stop()
	told, drain, halted := false, c.drain, c.halted
	for {
		select {
		case <-ctx.Done():
			return
		case <-drain: // what nobody works on is let go at once
			drain = nil
		case <-halted:
			halted = nil
		case <-tick.C:
		}
		err := c.refillOnce(ctx)
		if err != nil && !told && ctx.Err() == nil {
			c.cfg.Notice(fmt.Sprintf("the work queue: %v; it is tried again until it is there", err))
		}
		told = err != nil
	}
}

func (c *coordinator) refillOnce(ctx context.Context) error {
	var idle []*job
	c.mu.Lock()
	for _, j := range c.jobs {
		idle = append(idle, j)
	}
	c.mu.Unlock()
	for _, j := range idle {
		j.expire()
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Lease)
	defer cancel()
	offered, err := c.queue.offered(ctx)
	if err != nil { // gone, most likely: it is made anew
		if err := c.queue.open(ctx); err != nil {
			return err
		}
		c.cfg.Notice("the work queue was gone; it is rebuilt from the run store")
		offered = nil
	}
	for _, j := range idle {
		if j.live() {
			continue
		}
		if drained(c.drain) || drained(c.halted) {
			j.interrupt()
			continue
		}
		if offered[c.names.offer(j.run)] == 0 {
			if err := c.queue.put(ctx, offer{j.run, j.task}); err != nil {
				return err
			}
		}
	}
	return nil
}
