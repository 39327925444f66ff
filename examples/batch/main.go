// Command batch lets the team work on tasks and keeps its runs on disk, as an
// experiment does: it can be stopped at any moment and goes on where it was. Then
// it draws the last word of one run again, with what came before taken from the
// record.
//
//	go run ./examples/batch
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"slices"

	"github.com/mars-rec/mars/agents/roles"
	"github.com/mars-rec/mars/model/builtin"
	"github.com/mars-rec/mars/orchestrator"
	"github.com/mars-rec/mars/orchestrator/ledger"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tasks/taskstest"
	"github.com/mars-rec/mars/tools/catalog"
	"github.com/mars-rec/mars/tools/cf"
	"github.com/mars-rec/mars/trajectories"
	"github.com/mars-rec/mars/trajectories/store"
)

func main() {
	dir, err := os.MkdirTemp("", "batch")
	if err != nil {
		log.Fatal(err)
	}
	err = run(context.Background(), os.Stdout, dir)
	if err := errors.Join(err, os.RemoveAll(dir)); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, w io.Writer, dir string) (err error) {
	source, task := taskstest.Library() // datasets.Open and tasks.ReadFile read those of mars import and mars tasks
	team, err := orchestrator.New(orchestrator.Config{
		Source: source,
		Tools:  slices.Concat(cf.Tools(cf.Config{}), catalog.Tools(catalog.Config{})),
		Cast:   roles.New(roles.Config{}).Cast,
		Model:  orchestrator.Model{Name: "builtin", Model: builtin.New(builtin.Config{})},
		Seed:   42,
	})
	if err != nil {
		return err
	}

	// What the runs are made with: a store takes no runs that are made otherwise.
	st, err := store.Open(ctx, filepath.Join(dir, "run.db"), store.Config{Manifest: &trajectories.Manifest{Data: "library", Seed: 42}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	for range 2 { // the second time all is done
		totals, err := team.Batch(ctx, one(task), ledger.New(st), orchestrator.BatchConfig{Samples: 3, Concurrency: 2})
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%d done, %d done before, %d failed; %d calls\n", totals.Done, totals.Skipped, totals.Failed, totals.Calls)
	}

	// The same run from its ranker on. Another Model in the team's Config would
	// rank in builtin's place; it stands in a store of its own, as it is made
	// otherwise.
	parent, err := st.Trajectory(ctx, task.ID)
	if err != nil {
		return err
	}
	forks, err := store.Open(ctx, filepath.Join(dir, "forks.db"), store.Config{Manifest: &trajectories.Manifest{Data: "library", Seed: 42}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, forks.Close()) }()
	totals, err := team.Batch(ctx, one(task), ledger.Fork(forks, task.ID+"~1", parent, "1.7"), orchestrator.BatchConfig{})
	if err != nil {
		return err
	}
	fork, err := forks.Trajectory(ctx, task.ID+"~1")
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "forked at 1.7: %d replayed, %d calls\n", totals.Free.Replayed, totals.Calls)
	if at, differs := trajectories.Diff(parent, fork); differs {
		fmt.Fprintln(w, "the fork parts at", at.ID)
	} else {
		fmt.Fprintln(w, "the fork says the same")
	}
	return nil
}

// one yields one task.
func one(t tasks.Task) func(yield func(tasks.Task, error) bool) {
	return func(yield func(tasks.Task, error) bool) { yield(t, nil) }
}
