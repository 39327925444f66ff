package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/model/cache"
	"github.com/mars-rec/mars/orchestrator"
	"github.com/mars-rec/mars/orchestrator/cluster"
	"github.com/mars-rec/mars/orchestrator/monitor"
	"github.com/mars-rec/mars/tasks/datasets"
	"github.com/mars-rec/mars/trajectories"
)

// labour is what `mars worker` is asked for.
type labour struct {
	cluster     clusterFlags
	models      *modelFlags
	spend       spendFlags
	data        string
	prompts     string
	stored      string
	concurrency int
	observe     observeFlags
	observed    *observed
}

func workerCommand(a *app) *cobra.Command {
	var l labour
	c := &cobra.Command{
		Use:   "worker --cluster URL --data DIR",
		Short: "Make runs for a mars synth on another machine",
		Long: strings.TrimSpace(`
Make runs for a mars synth --cluster, over a NATS server with JetStream. It says
what runs are made with; the worker needs the data set, and keys for the models if
they ask for one. Its data set, prompts and models are checked against those of
the coordinator, and another one is refused.

Workers may come, go or be killed at any time. What a worker had fetched from
models and tools is with the coordinator, and whoever goes on with its runs does
not pay for it again. Before each call of a model it asks the coordinator, which has
the budget and the rate of all workers. An interrupt finishes the runs at work; a second one hands
them back. When the batch is complete, the worker ends.`),
		Example: `  mars worker --cluster nats://queue:4222 --data data/ml
  mars worker --cluster nats://queue:4222 --data data/ml --metrics 127.0.0.1:9465 --log worker.log
  mars worker --cluster tls://queue:4222 --nats-ca ca.pem --nats-creds worker.creds --data data/ml --concurrency 16`,
		Args: exactly(),
		RunE: func(c *cobra.Command, _ []string) error { return a.worker(c, l) },
	}
	l.models = a.addModelFlags(c)
	l.spend.addLocal(c)
	l.observe.addLocal(c)
	l.cluster.add(c, "address of the NATS server, such as nats://host:4222 or tls://host:4222")
	f := c.Flags()
	f.StringVar(&l.data, "data", "", "data set directory, the same as the coordinator's")
	f.StringVar(&l.prompts, "prompts", "", "folder of the coordinator's prompts, if it has any of its own and they are elsewhere here")
	f.StringVar(&l.stored, "stored", "", "file of the coordinator's stored evidence, if it is elsewhere here")
	f.IntVar(&l.concurrency, "concurrency", 4, "runs at work at once")
	return c
}

func (a *app) worker(c *cobra.Command, l labour) error {
	calls()
	if err := need(c, "cluster", "data"); err != nil {
		return err
	}
	if err := l.cluster.check(); err != nil {
		return err
	}
	if l.concurrency < 1 {
		return usagef("--concurrency is %d: want 1 or more", l.concurrency)
	}
	ctx := c.Context()
	var err error
	if l.observed, err = l.observe.open(ctx); err != nil {
		return err
	}
	defer l.observed.Close() //nolint:errcheck // what it could not tell has been said
	data, err := openData(l.data)
	if err != nil {
		return err
	}
	defer data.Close()
	nc, err := l.cluster.connect("mars worker")
	if err != nil {
		return err
	}
	defer nc.Close()
	a.notef("waiting for a mars synth --cluster")
	w, err := cluster.Join(ctx, nc, l.cluster.batch)
	if err != nil {
		return err
	}
	works, spending, err := l.works(ctx, data, w)
	if err != nil {
		return err
	}
	defer works.Close()
	if err := works.timed(a.now); err != nil {
		return err
	}
	var shared cache.Shelf
	if replies, err := w.Replies(ctx); err != nil {
		return err
	} else if replies != nil {
		shared = replies
	}
	if err := spending.keep(ctx, shared); err != nil {
		return err
	}
	if err := l.observed.start(ctx, a, scene{notef: a.notef, spending: spending}); err != nil {
		return errors.Join(err, spending.Close())
	}
	return errors.Join(a.labour(ctx, l, w, works), spending.Close())
}

// works makes what the coordinator makes runs with, of what is here.
func (l labour) works(ctx context.Context, data *datasets.Dataset, w *cluster.Worker) (*works, *spending, error) {
	var then trajectories.Manifest
	var s setup
	if err := json.Unmarshal(w.Manifest(), &then); err != nil {
		return nil, nil, fmt.Errorf("what the coordinator makes runs with cannot be read: %w", err)
	}
	if err := json.Unmarshal(then.Setup, &s); err != nil {
		return nil, nil, fmt.Errorf("what the coordinator makes runs with cannot be read: %w", err)
	}
	s.Data = l.data
	if l.prompts != "" {
		s.Prompts = l.prompts
	}
	if l.stored != "" {
		s.Stored = l.stored
	}
	spending, err := l.spend.check(l.models, s.Seed)
	if err != nil {
		return nil, nil, err
	}
	spending.payer, spending.watch = w, l.observed.model
	works, err := s.assemble(ctx, data, func(spec string) (model.Model, error) {
		m, _, err := spending.open(spec, s.Sampling.MaxTokens)
		return m, err
	})
	if err != nil {
		return nil, nil, err
	}
	here, err := s.manifest(works)
	if err == nil {
		if other := then.Differences(here); len(other) > 0 {
			err = hinted(fmt.Errorf("this worker would make other runs than its coordinator: %s here", strings.Join(other, " here, ")),
				"give it the same data set, prompts and weights, and the same version of mars")
		}
	}
	if err != nil {
		return nil, nil, errors.Join(err, works.Close())
	}
	return works, spending, nil
}

// labour makes runs and shows how many.
func (a *app) labour(ctx context.Context, l labour, w *cluster.Worker, works *works) error {
	start := a.now()
	l.models.onRetry = func(err error, wait time.Duration) {
		l.observed.Observe(monitor.Event{Kind: monitor.Retried, Err: err})
		a.notef("mars: %s; the next try is in %s", oneLine(err.Error()), wait.Round(100*time.Millisecond))
	}
	drain, release := a.draining()
	defer release()
	totals, err := w.Work(ctx, works, cluster.WorkConfig{Concurrency: l.concurrency, Drain: drain, Clock: a.now, Watch: l.observed.entry, Progress: monitor.Progress(l.observed, func(e orchestrator.Event) {
		switch e.Outcome {
		case orchestrator.Done:
			a.notef("%s done in %s, %d calls of models and tools", e.Run, e.Took.Round(time.Millisecond), e.Calls)
		case orchestrator.Failed:
			a.notef("mars: %s failed: %s", e.Run, oneLine(e.Err.Error()))
		case orchestrator.Interrupted:
			if e.Err != nil && ctx.Err() == nil {
				a.notef("mars: %s handed back: %s", e.Run, oneLine(e.Err.Error()))
			}
		}
	})})
	if err != nil {
		return clusterError(err)
	}
	report := struct {
		Totals  orchestrator.Totals `json:"totals"`
		Seconds float64             `json:"seconds"`
	}{totals, a.now().Sub(start).Round(time.Millisecond).Seconds()}
	return a.print(report, func(w io.Writer) {
		fmt.Fprintf(w, "%s runs done here, %s failed, %s handed back; %s calls of models and tools; %.1f s\n", thousands(int64(totals.Done)),
			thousands(int64(totals.Failed)), thousands(int64(totals.Interrupted)), thousands(int64(totals.Calls)), report.Seconds)
	})
}
