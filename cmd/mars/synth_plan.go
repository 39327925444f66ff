package main

import (
	"context"
	"fmt"
	"io"
	"iter"
	"os"

	"github.com/mars-rec/mars/orchestrator"
	"github.com/mars-rec/mars/star"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/trajectories"
	"github.com/mars-rec/mars/trajectories/store"
)

// plan says what a run would do.
func (a *app) plan(ctx context.Context, s synthesis, w *works, list []tasks.Task) error {
	done := 0
	if _, err := os.Stat(s.out); err == nil {
		st, err := openStore(ctx, s.out)
		if err != nil {
			return err
		}
		defer st.Close()
		asked := map[string]bool{}
		for _, run := range s.runs(list) {
			asked[run.ID] = true
		}
		for r, err := range st.Runs(ctx) {
			if err != nil {
				return storeError(err)
			}
			if asked[r.ID] && r.Status == trajectories.Done {
				done++
			}
		}
	}
	calls := 0
	for _, seat := range w.Team().Seats {
		calls++
		if seat.Kind == "analyst" || seat.Kind == star.Kind {
			calls++ // a turn with tools, and the answer
		}
	}
	missing := len(list)*s.samples - done
	p := struct {
		Tasks    int       `json:"tasks"`
		Runs     int       `json:"runs"`
		Done     int       `json:"done"`
		Calls    int       `json:"model_calls_about"`
		Estimate *estimate `json:"estimate,omitempty"`
	}{Tasks: len(list), Runs: len(list) * s.samples, Done: done, Calls: calls * missing}
	var err error
	if p.Estimate, err = s.estimate(ctx, w, list, missing); err != nil {
		return err
	}
	return a.print(p, func(out io.Writer) {
		fmt.Fprintf(out, "%s tasks", thousands(int64(p.Tasks)))
		noun := "task"
		if s.samples > 1 {
			noun = "run"
			fmt.Fprintf(out, ", %s runs", thousands(int64(p.Runs)))
		}
		fmt.Fprintf(out, ", %s of them done", thousands(int64(p.Done)))
		if p.Estimate == nil { // which counts better
			fmt.Fprintf(out, "; about %s model calls (%d a %s; long histories and subtasks that are sent back add some)", thousands(int64(p.Calls)), calls, noun)
		}
		fmt.Fprintln(out)
		writeEstimate(out, p.Estimate)
	})
}

func writeSynth(w io.Writer, r synthReport) {
	if r.Samples > 1 {
		fmt.Fprintf(w, "%s: %s of %s runs (%s tasks, %d samples of each)", r.Store, thousands(int64(r.Totals.Done+r.Totals.Skipped)),
			thousands(int64(r.Tasks*r.Samples)), thousands(int64(r.Tasks)), r.Samples)
	} else {
		fmt.Fprintf(w, "%s: %s of %s tasks", r.Store, thousands(int64(r.Totals.Done+r.Totals.Skipped)), thousands(int64(r.Tasks)))
	}
	fmt.Fprintf(w, " done by %s", r.Model)
	if r.Totals.Skipped > 0 {
		fmt.Fprintf(w, " (%s before)", thousands(int64(r.Totals.Skipped)))
	}
	fmt.Fprintf(w, ", %s failed; %s calls of models and tools", thousands(int64(r.Totals.Failed)), thousands(int64(r.Totals.Calls)))
	if in, out := r.Totals.Usage.InputTokens, r.Totals.Usage.OutputTokens; in+out > 0 {
		fmt.Fprintf(w, ", %s tokens in, %s out", thousands(int64(in)), thousands(int64(out)))
	}
	if free := r.Totals.Free; free.Cached+free.Replayed > 0 {
		fmt.Fprintf(w, "; %s cached, %s replayed", thousands(int64(free.Cached)), thousands(int64(free.Replayed)))
	}
	fmt.Fprintf(w, "; %.1f s\n", r.Seconds)
	writeSpend(w, r.Spend)
}

// list reads the tasks.
func (s *synthesis) list() ([]tasks.Task, error) {
	list, err := readTasks(s.tasks)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%s has no tasks", s.tasks)
	}
	if s.limit > 0 && s.limit < len(list) {
		list = list[:s.limit]
	}
	return list, nil
}

// runs are the runs that there are to be of the tasks.
func (s synthesis) runs(list []tasks.Task) []store.Planned {
	all := make([]store.Planned, 0, len(list)*s.samples)
	for _, t := range list {
		for n := 1; n <= s.samples; n++ {
			all = append(all, store.Planned{ID: orchestrator.SampleID(t.ID, n), Task: t})
		}
	}
	return all
}

func each(list []tasks.Task) iter.Seq2[tasks.Task, error] {
	return func(yield func(tasks.Task, error) bool) {
		for _, t := range list {
			if !yield(t, nil) {
				return
			}
		}
	}
}
