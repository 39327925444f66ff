package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/mars-rec/mars/orchestrator"
	"github.com/mars-rec/mars/trajectories/store"
	"github.com/mars-rec/mars/trajectories/traces"
)

// observeFlags say who watches a synthesis.
type observeFlags struct {
	otlp otlpFlags
}

func (f *observeFlags) add(c *cobra.Command) {
	f.otlp.add(c, "send each run, when it has ended, to a collector that takes OTLP over HTTP, such as http://127.0.0.1:4318; env: as OTEL_EXPORTER_OTLP_ENDPOINT says")
}

// observed is what watches a synthesis. Nothing of it can fail a run or make it
// wait.
type observed struct {
	exporter *traces.Exporter // nil: nothing is traced
	queue    *traces.Queue
}

// lastWait is how long the end of a command waits for a collector.
const lastWait = 5 * time.Second

// open makes what the flags ask for; nothing is opened that could keep the
// program from its work.
func (f *observeFlags) open(ctx context.Context) (*observed, error) {
	o := &observed{}
	var err error
	if f.otlp.url != "" {
		o.exporter, err = f.otlp.open(ctx)
	}
	return o, err
}

// start begins to watch the runs of a store.
func (o *observed) start(notef func(string, ...any), f observeFlags, st *store.Store) {
	if o.exporter != nil {
		o.queue = traces.NewQueue(o.exporter, st, traces.QueueConfig{Config: traces.Config{Content: f.otlp.content}, OnFailure: func(err error) {
			notef("mars: %s; the runs go on, and mars trace sends them later", oneLine(err.Error()))
		}})
	}
}

// event hears what becomes of runs.
func (o *observed) event(e orchestrator.Event) {
	if o.queue != nil && (e.Outcome == orchestrator.Done || e.Outcome == orchestrator.Failed) {
		o.queue.Put(e.Run)
	}
}

// end waits for what is still being told, for a while, and says what could not be.
func (o *observed) end(ctx context.Context, notef func(string, ...any)) *traces.QueueCounts {
	if o.queue == nil {
		return nil
	}
	last, cancel := context.WithTimeout(ctx, lastWait)
	defer cancel()
	counts := o.queue.Close(last)
	if lost := counts.Failed + counts.Dropped; lost > 0 {
		notef("mars: %s of %s runs were not traced; mars trace sends them later", thousands(int64(lost)), thousands(int64(lost+counts.Sent)))
	}
	return &counts
}

// Close releases what was opened.
func (o *observed) Close() error {
	var errs []error
	if o.exporter != nil {
		errs = append(errs, o.exporter.Close(context.Background()))
	}
	return errors.Join(errs...)
}
