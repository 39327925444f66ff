package store

import (
	"context"
	"iter"
	"runtime"

	"github.com/mars-rec/mars/internal/inorder"
	"github.com/mars-rec/mars/trajectories"
)

// Walk reads the done runs and hands each to work, up to atOnce of them at a
// time, and yields what work returns in the order of the tasks. While work is
// done, as many are read ahead. The first error, of the store or of work, is the
// last that is yielded. When the walk ends, also early, nothing of it is at work
// any more.
func Walk[T any](ctx context.Context, s *Store, atOnce int, work func(context.Context, *trajectories.Trajectory) (T, error)) iter.Seq2[T, error] {
	done := func(yield func(runRow, error) bool) {
		for row, err := range s.rows(ctx) {
			if (err != nil || row.status == trajectories.Done) && !yield(row, err) {
				return
			}
		}
	}
	return inorder.Map(ctx, atOnce, inorder.Map(ctx, atOnce, done, s.trajectory), work)
}

// Trajectories yields the done runs with their logs, in the order of their
// tasks. It reads ahead, a run for each processor.
func (s *Store) Trajectories(ctx context.Context) iter.Seq2[*trajectories.Trajectory, error] {
	return Walk(ctx, s, runtime.GOMAXPROCS(0), func(_ context.Context, t *trajectories.Trajectory) (*trajectories.Trajectory, error) { return t, nil })
}
