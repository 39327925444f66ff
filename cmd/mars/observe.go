package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/orchestrator"
	"github.com/mars-rec/mars/orchestrator/monitor"
	"github.com/mars-rec/mars/trajectories/store"
	"github.com/mars-rec/mars/trajectories/traces"
)

// observeFlags say who watches a synthesis, or a worker.
type observeFlags struct {
	otlp    otlpFlags
	metrics metricsFlags
	log     string
	level   string
}

func (f *observeFlags) add(c *cobra.Command) {
	f.otlp.add(c, "send each run, when it has ended, to a collector that takes OTLP over HTTP, such as http://127.0.0.1:4318; env: as OTEL_EXPORTER_OTLP_ENDPOINT says")
	f.addLocal(c)
}

// addLocal adds those that show this process, also where another one has the store.
func (f *observeFlags) addLocal(c *cobra.Command) {
	f.metrics.add(c)
	c.Flags().StringVar(&f.log, "log", "", "append log lines, JSON, to this file; - is standard error, where --json keeps other messages away")
	c.Flags().StringVar(&f.level, "log-level", "info", "what is logged: error (runs that failed), warn (calls that failed), info (runs), debug (every call)")
}

// observed is what watches runs being made. Nothing of it can fail a run or make it
// wait. It is the observer of the batch, once it has started.
type observed struct {
	flags    observeFlags
	level    zapcore.Level
	exporter *traces.Exporter // nil: nothing is traced
	queue    *traces.Queue    // nil: not started
	watchers []monitor.Observer
	closers  []func() error
}

// lastWait is how long the end of a command waits for a collector.
const lastWait = 5 * time.Second

// open reads the flags. Nothing is opened that a dry run would not want.
func (f observeFlags) open(ctx context.Context) (*observed, error) {
	o := &observed{flags: f}
	if err := f.metrics.check(); err != nil {
		return nil, err
	}
	var err error
	if o.level, err = zapcore.ParseLevel(f.level); err != nil || o.level > zap.ErrorLevel {
		return nil, usagef("--log-level is %q: want error, warn, info or debug", f.level)
	}
	if f.otlp.url != "" {
		if o.exporter, err = f.otlp.open(ctx); err != nil {
			return nil, err
		}
		o.closers = append(o.closers, func() error { return o.exporter.Close(context.Background()) })
	}
	return o, nil
}

// scene is what is watched.
type scene struct {
	notef    func(string, ...any)
	spending *spending
	store    *store.Store // nil: another process has it
	runs     int          // that there are to be; 0: that is not known
}

// start begins to watch a batch.
func (o *observed) start(ctx context.Context, a *app, s scene) error {
	if o.exporter != nil {
		o.queue = traces.NewQueue(o.exporter, s.store, traces.QueueConfig{Config: traces.Config{Content: o.flags.otlp.content}, OnFailure: func(err error) {
			s.notef("mars: %s; the runs go on, and mars trace sends them later", oneLine(err.Error()))
		}})
		o.watchers = append(o.watchers, monitor.Func(func(e monitor.Event) {
			if e.Kind == monitor.RunEnded && (e.Outcome == orchestrator.Done || e.Outcome == orchestrator.Failed) {
				o.queue.Put(e.Run)
			}
		}))
	}
	if o.flags.log != "" {
		log, end, err := a.logger(o.flags.log, o.level)
		if err != nil {
			return err
		}
		o.watchers, o.closers = append(o.watchers, monitor.NewLogger(log)), append(o.closers, end)
	}
	if o.flags.metrics.address != "" {
		return o.serve(ctx, a, s)
	}
	return nil
}

// Observe implements [monitor.Observer].
func (o *observed) Observe(e monitor.Event) {
	for _, w := range o.watchers {
		w.Observe(e)
	}
}

// calls reports whether anybody wants to hear of single calls.
func (o *observed) calls() bool { return o.flags.metrics.address != "" || o.flags.log != "" }

// model watches the model of that name.
func (o *observed) model(spec string, m model.Model) model.Model {
	if !o.calls() {
		return m
	}
	return monitor.Model(spec, m, o, nil)
}

// ledger watches what is recorded.
func (o *observed) ledger(l orchestrator.Ledger) orchestrator.Ledger {
	if !o.calls() {
		return l
	}
	return monitor.Ledger(l, o)
}

// entry watches what one run is recorded in.
func (o *observed) entry(run string, e orchestrator.Entry) orchestrator.Entry {
	if !o.calls() {
		return e
	}
	return monitor.Entry(run, e, o)
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

// Close ends what was started.
func (o *observed) Close() error {
	var errs []error
	for _, end := range o.closers {
		errs = append(errs, end())
	}
	o.closers = nil
	return errors.Join(errs...)
}
