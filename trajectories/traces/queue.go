package traces

import (
	"context"
	"sync"

	"github.com/mars-rec/mars/trajectories"
)

// Sender takes the spans of runs; an [Exporter] is one.
type Sender interface {
	Export(ctx context.Context, spans []Span) error
}

// Reader reads runs; a run store is one.
type Reader interface {
	Trajectory(ctx context.Context, id string) (*trajectories.Trajectory, error)
}

// QueueConfig says how a [Queue] works. The zero value works.
type QueueConfig struct {
	Config
	Size  int // runs that wait at most; 0: 10,000
	Batch int // spans that are sent at once, about; 0: 1,024
	// OnFailure, if not nil, hears the first failure; the others are counted.
	OnFailure func(error)
}

// Queue sends runs in the background, each as a whole or not at all:
//
//	run ended ─Put─> at most Size ids ─> read, make spans ─> one request at a time
//	                   │ full: dropped, counted                │ failed: counted
//
// Put never waits and nothing fails with it, so a collector that is slow or dead
// costs traces and neither time nor runs.
type Queue struct {
	cfg  QueueConfig
	to   Sender
	from Reader
	stop context.CancelFunc
	done chan struct{} // closed when nothing is sent any more

	mu     sync.Mutex
	ids    chan string
	closed bool
	counts QueueCounts
}

// QueueCounts says what became of runs.
type QueueCounts struct {
	Sent    int    `json:"sent"`
	Failed  int    `json:"failed"`          // not read, or refused by the collector
	Dropped int    `json:"dropped"`         // too many waited, or there was no more time
	Error   string `json:"error,omitempty"` // the first failure
}

// NewQueue starts to send what is put. Close ends it.
func NewQueue(to Sender, from Reader, cfg QueueConfig) *Queue {
	if cfg.Size == 0 {
		cfg.Size = 10_000
	}
	if cfg.Batch == 0 {
		cfg.Batch = 1024
	}
	ctx, stop := context.WithCancel(context.Background())
	q := &Queue{cfg: cfg, to: to, from: from, stop: stop, done: make(chan struct{}), ids: make(chan string, cfg.Size)}
	go q.work(ctx)
	return q
}

// Put asks for a run, which has ended, to be sent. It returns at once.
func (q *Queue) Put(run string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.closed {
		select {
		case q.ids <- run:
			return
		default:
		}
	}
	q.counts.Dropped++
}

// Close sends what waits, until ctx ends, and tells what became of all.
func (q *Queue) Close(ctx context.Context) QueueCounts {
	q.mu.Lock()
	if !q.closed {
		q.closed = true
		close(q.ids)
	}
	q.mu.Unlock()
	select {
	case <-q.done:
	case <-ctx.Done():
	}
	q.stop()
	<-q.done
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.counts
}

// Counts tells what became of the runs so far.
func (q *Queue) Counts() QueueCounts {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.counts
}

// work sends batches until there is nothing more to come.
func (q *Queue) work(ctx context.Context) {
	defer close(q.done)
	for id := range q.ids {
		var spans []Span
		runs := 0
		for more := true; more; {
			if ctx.Err() != nil {
				q.count(func(c *QueueCounts) { c.Dropped++ })
			} else if t, err := q.from.Trajectory(ctx, id); err != nil {
				q.fail(ctx, 1, err)
			} else {
				spans = append(spans, Spans(t, q.cfg.Config)...)
				runs++
			}
			if len(spans) >= q.cfg.Batch {
				break
			}
			select {
			case id, more = <-q.ids:
			default:
				more = false
			}
		}
		if runs == 0 {
			continue
		}
		if err := q.to.Export(ctx, spans); err != nil {
			q.fail(ctx, runs, err)
			continue
		}
		q.count(func(c *QueueCounts) { c.Sent += runs })
	}
}

// fail counts runs that were not sent. What is broken off at the end had no more
// time; its error says nothing.
func (q *Queue) fail(ctx context.Context, runs int, err error) {
	if ctx.Err() != nil {
		q.count(func(c *QueueCounts) { c.Dropped += runs })
		return
	}
	first := false
	q.count(func(c *QueueCounts) {
		c.Failed += runs
		if c.Error == "" {
			c.Error, first = err.Error(), true
		}
	})
	if first && q.cfg.OnFailure != nil {
		q.cfg.OnFailure(err)
	}
}

func (q *Queue) count(change func(*QueueCounts)) {
	q.mu.Lock()
	defer q.mu.Unlock()
	change(&q.counts)
}
