package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/mars-rec/mars/star"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/trajectories"
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
	p := struct {
		Tasks int `json:"tasks"`
		Runs  int `json:"runs"`
		Done  int `json:"done"`
		Calls int `json:"model_calls_about"`
	}{len(list), len(list) * s.samples, done, calls * (len(list)*s.samples - done)}
	return a.print(p, func(out io.Writer) {
		fmt.Fprintf(out, "%s tasks", thousands(int64(p.Tasks)))
		noun := "task"
		if s.samples > 1 {
			noun = "run"
			fmt.Fprintf(out, ", %s runs", thousands(int64(p.Runs)))
		}
		fmt.Fprintf(out, ", %s of them done; about %s model calls (%d a %s; long histories and subtasks that are sent back add some)\n",
			thousands(int64(p.Done)), thousands(int64(p.Calls)), calls, noun)
	})
}
