package audit

import (
	"context"
	"sync"
)

// ordered hands items to work, up to atOnce of them at a time, and each result
// to take, one by one in the order of the items. The first error ends it; when
// it returns nothing is at work any more.
func ordered[T, R any](ctx context.Context, atOnce int, items []T, work func(context.Context, T) (R, error), take func(T, R) error) error {
	type outcome struct {
		value R
		err   error
	}
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	ahead := make([]chan outcome, 0, atOnce) // of what is at work, in order
	first := 0                               // the item of the first of them
	next := func() error {
		o := <-ahead[0]
		ahead = ahead[1:]
		if o.err == nil {
			o.err = take(items[first], o.value)
		}
		first++
		return o.err
	}
	for _, item := range items {
		if len(ahead) >= atOnce {
			if err := next(); err != nil {
				return err
			}
		}
		done := make(chan outcome, 1)
		ahead = append(ahead, done)
		wg.Go(func() {
			value, err := work(ctx, item)
			done <- outcome{value, err}
		})
	}
	for len(ahead) > 0 {
		if err := next(); err != nil {
			return err
		}
	}
	return nil
}
