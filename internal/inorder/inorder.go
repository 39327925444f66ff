// Package inorder does the work on the elements of a sequence several at a time
// and hands the results on one by one, in the order of the sequence: what is
// made of them is the same, however many are at work.
//
//	elements   e1 e2 e3 e4 ...
//	at work       [e2 e3 e4]      at most so many, by as many goroutines
//	yielded    r1
package inorder

import (
	"context"
	"iter"
	"sync"
)

// Map yields what work makes of each element, in order, with up to atOnce of
// them at work or waiting for their turn; 1 is the least. The first error, of
// the sequence or of work, is the last that is yielded. When the sequence ends,
// also early, the context that work was given has ended, and nothing is at work
// any more. The sequence is read by the goroutine that reads the results.
func Map[In, Out any](ctx context.Context, atOnce int, elements iter.Seq2[In, error], work func(context.Context, In) (Out, error)) iter.Seq2[Out, error] {
	type outcome struct {
		value Out
		err   error
	}
	type job struct {
		element In
		done    chan outcome
	}
	return func(yield func(Out, error) bool) {
		atOnce := max(1, atOnce)
		ctx, cancel := context.WithCancel(ctx)
		var wg sync.WaitGroup
		defer wg.Wait()
		defer cancel()
		var ahead []chan outcome // of what is at work, in order
		// Who works goes on with what comes next, on a stack that has grown already.
		queue := make(chan job, atOnce)
		defer close(queue)
		workers := 0
		next := func() bool {
			o := <-ahead[0]
			ahead = ahead[1:]
			return yield(o.value, o.err) && o.err == nil
		}
		for e, err := range elements {
			if len(ahead) >= atOnce && !next() {
				return
			}
			done := make(chan outcome, 1)
			ahead = append(ahead, done)
			if err != nil {
				done <- outcome{err: err}
				break
			}
			queue <- job{e, done}
			if workers == atOnce {
				continue
			}
			workers++
			wg.Go(func() {
				for j := range queue {
					var o outcome
					o.value, o.err = work(ctx, j.element)
					j.done <- o
				}
			})
		}
		for len(ahead) > 0 && next() {
		}
	}
}
