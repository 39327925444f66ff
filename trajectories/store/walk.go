package store

import (
	"context"
	"fmt"
	"iter"
	"runtime"
	"slices"

	"github.com/mars-rec/mars/internal/inorder"
	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/trajectories"
)

// logsAtOnce is how many logs a walk reads at once: looking for each takes longer
// than reading it.
const logsAtOnce = 16

// Walk reads the done runs and hands each to work, up to atOnce of them at a
// time, and yields what work returns in the order of the tasks. While work is
// done, as many are read ahead. The first error, of the store or of work, is the
// last that is yielded. When the walk ends, also early, nothing of it is at work
// any more.
func Walk[T any](ctx context.Context, s *Store, atOnce int, work func(context.Context, *trajectories.Trajectory) (T, error)) iter.Seq2[T, error] {
	return inorder.Map(ctx, atOnce, inorder.Map(ctx, atOnce, s.done(ctx), s.read), work)
}

// doneRun is a run that is done, with its log as it is kept.
type doneRun struct {
	row runRow
	log logRow
	err error // why there is no log
}

// done yields the runs that are done.
func (s *Store) done(ctx context.Context) iter.Seq2[doneRun, error] {
	return func(yield func(doneRun, error) bool) {
		for rows, err := range s.pages(ctx) {
			if err != nil {
				yield(doneRun{}, err)
				return
			}
			for some := range slices.Chunk(rows, logsAtOnce) {
				logs, err := readLogs(ctx, s.readers, some[0].number, some[len(some)-1].number)
				for _, row := range some {
					if row.status != trajectories.Done {
						continue
					}
					run := doneRun{row, logs[row.number], err}
					if _, ok := logs[row.number]; err == nil && !ok {
						run.err = errNoLog
					}
					if !yield(run, nil) {
						return
					}
				}
			}
		}
	}
}

// read opens the log of a run.
func (s *Store) read(ctx context.Context, run doneRun) (*trajectories.Trajectory, error) {
	if run.err != nil {
		return nil, fmt.Errorf("run %s: %w", run.row.id, run.err)
	}
	err := run.log.check(run.row)
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", run.row.id, err)
	}
	t := &trajectories.Trajectory{}
	if t.Log, err = openLog(ctx, s.library, run.log, run.row.messages, func(m stored) message.Envelope { return m.Envelope }); err != nil {
		return nil, fmt.Errorf("run %s: %w", run.row.id, err)
	}
	t.Run, err = s.run(run.row)
	return t, err
}

// Trajectories yields the done runs with their logs, in the order of their
// tasks. It reads ahead, a run for each processor.
func (s *Store) Trajectories(ctx context.Context) iter.Seq2[*trajectories.Trajectory, error] {
	return Walk(ctx, s, runtime.GOMAXPROCS(0), func(_ context.Context, t *trajectories.Trajectory) (*trajectories.Trajectory, error) { return t, nil })
}
