package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/orchestrator"
	"github.com/mars-rec/mars/orchestrator/ledger"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/trajectories"
	"github.com/mars-rec/mars/trajectories/store"
)

// runForks makes the forks that are not there yet.
func (a *app) runForks(ctx context.Context, f forking, w *works, st *store.Store, t *trajectories.Trajectory) (forkReport, error) {
	report := forkReport{Store: f.out, Origin: *w.origin, Forks: []sibling{}}
	for _, e := range t.Log {
		if e.Fact() && e.ID.Compare(w.origin.At) < 0 {
			report.Recalled++
		}
	}
	start := a.now()
	bar := a.progress("fork", int64(f.samples), thousands)
	defer bar.Close()
	f.models.onRetry = func(err error, wait time.Duration) {
		bar.notef("mars: %s; the next try is in %s", oneLine(err.Error()), wait.Round(100*time.Millisecond))
	}
	drain, release := a.draining()
	defer release()
	var (
		mu    sync.Mutex
		wg    sync.WaitGroup
		errs  []error
		slots = make(chan struct{}, f.concurrency)
	)
	for n := 1; n <= f.samples; n++ {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			run := w.origin.Fork(n)
			totals, err := f.one(ctx, w, st, t, run, drain)
			mu.Lock()
			defer mu.Unlock()
			report.add(totals)
			if err != nil && ctx.Err() == nil {
				errs = append(errs, err)
			}
			if totals.Failed > 0 {
				bar.notef("mars: %s failed", oneLine(run))
			}
			bar.Extra("%s tokens%s", thousands(int64(report.Totals.Usage.InputTokens+report.Totals.Usage.OutputTokens)), f.spending.line())
			bar.Skip(int64(totals.Skipped))
			bar.Add(int64(totals.Done + totals.Failed))
		})
	}
	wg.Wait()
	stopped := errors.Join(errs...)
	if stopped != nil && !errors.Is(stopped, model.ErrBudget) {
		return report, stopped
	}
	report.Spend = f.spending.report(report.Totals.Done + report.Totals.Skipped)
	report.Seconds = a.now().Sub(start).Round(time.Millisecond).Seconds()
	ctx = context.WithoutCancel(ctx) // what was made is told also where the rest was stopped
	for n := 1; n <= f.samples; n++ {
		made, err := st.Trajectory(ctx, w.origin.Fork(n))
		if errors.Is(err, store.ErrNoRun) {
			continue
		}
		if err != nil {
			return report, err
		}
		s := sibling{Run: made.Run.ID, Status: made.Run.Status, Cause: made.Run.Cause, Ranking: made.Run.Ranking}
		if d, ok := trajectories.Diff(t, made); ok && s.Status == trajectories.Done {
			s.Parts = d.ID
		}
		report.Forks = append(report.Forks, s)
	}
	return report, stopped
}

// one makes one fork.
func (f forking) one(ctx context.Context, w *works, st *store.Store, t *trajectories.Trajectory, run string, drain <-chan struct{}) (orchestrator.Totals, error) {
	team, err := w.of(run)
	if err != nil {
		return orchestrator.Totals{}, err
	}
	return team.Batch(ctx, each([]tasks.Task{t.Run.Task}), ledger.Fork(st, run, t, w.origin.At), orchestrator.BatchConfig{
		Drain: drain, Timeout: f.spend.taskTime, Halt: func(err error) bool { return errors.Is(err, model.ErrBudget) },
	})
}

// add sums up.
func (r *forkReport) add(t orchestrator.Totals) {
	r.Totals.Done += t.Done
	r.Totals.Failed += t.Failed
	r.Totals.Skipped += t.Skipped
	r.Totals.Interrupted += t.Interrupted
	r.Totals.Calls += t.Calls
	r.Totals.Usage.Add(&t.Usage)
}

func writeForks(w io.Writer, r forkReport) {
	n := int64(len(r.Forks))
	fmt.Fprintf(w, "%s: %s forks of %s from %s on; of each, %s facts recalled; %s calls of models and tools made now", r.Store, thousands(n), r.Origin.Run, r.Origin.At,
		thousands(int64(r.Recalled)), thousands(int64(r.Totals.Calls)))
	if in, out := r.Totals.Usage.InputTokens, r.Totals.Usage.OutputTokens; in+out > 0 {
		fmt.Fprintf(w, ", %s tokens in, %s out", thousands(int64(in)), thousands(int64(out)))
	}
	fmt.Fprintf(w, "; %.1f s\n", r.Seconds)
	writeSpend(w, r.Spend)
	for _, d := range r.Origin.Changed {
		fmt.Fprintf(w, "changed: %s\n", d)
	}
	for _, s := range r.Forks {
		switch {
		case s.Status != trajectories.Done:
			fmt.Fprintln(w, strings.TrimSpace(fmt.Sprintf("%s  %s  %s", s.Run, s.Status, oneLine(s.Cause))))
		case s.Parts == "":
			fmt.Fprintf(w, "%s  the same bytes\n", s.Run)
		default:
			fmt.Fprintf(w, "%s  parts at %s, first %s\n", s.Run, s.Parts, s.Ranking[0])
		}
	}
}
