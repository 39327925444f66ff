package store

import (
	"context"
	"iter"
	"runtime"
	"sync"

	"github.com/mars-rec/mars/trajectories"
)

// Walk reads the done runs and hands each to work, up to atOnce of them at a
// time, and yields what work returns in the order of the tasks. The first
// error, of the store or of work, is the last that is yielded. When the walk
// ends, also early, nothing of it is at work any more.
func Walk[T any](ctx context.Context, s *Store, atOnce int, work func(context.Context, *trajectories.Trajectory) (T, error)) iter.Seq2[T, error] {
	type outcome struct {
		value T
		err   error
	}
	return func(yield func(T, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		var wg sync.WaitGroup
		defer wg.Wait()
		defer cancel()
		var ahead []chan outcome // of what is at work, in the order of the tasks
		next := func() bool {
			o := <-ahead[0]
			ahead = ahead[1:]
			return yield(o.value, o.err) && o.err == nil
		}
		for row, err := range s.rows(ctx) {
			if err == nil && row.status != trajectories.Done {
				continue
			}
			if len(ahead) >= atOnce && !next() {
				return
			}
			done := make(chan outcome, 1)
			ahead = append(ahead, done)
			wg.Go(func() {
				o := outcome{err: err}
				var t *trajectories.Trajectory
				if o.err == nil {
					t, o.err = s.trajectory(ctx, row)
				}
				if o.err == nil {
					o.value, o.err = work(ctx, t)
				}
				done <- o
			})
		}
		for len(ahead) > 0 && next() {
		}
	}
}

// Trajectories yields the done runs with their logs, in the order of their
// tasks. It reads ahead, a run for each processor.
func (s *Store) Trajectories(ctx context.Context) iter.Seq2[*trajectories.Trajectory, error] {
	return Walk(ctx, s, runtime.GOMAXPROCS(0), func(_ context.Context, t *trajectories.Trajectory) (*trajectories.Trajectory, error) { return t, nil })
}
