package inorder_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/mars-rec/mars/internal/inorder"
)

// count yields 0 and on, and err in the place of the element at bad.
func count(n, bad int, err error) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		for i := range n {
			if i == bad && !yield(0, err) || i != bad && !yield(i, nil) {
				return
			}
		}
	}
}

func TestMapKeepsTheOrder(t *testing.T) {
	for _, atOnce := range []int{0, 1, 2, 7, 200} {
		var atWork, most atomic.Int64
		next := 0
		for got, err := range inorder.Map(t.Context(), atOnce, count(100, -1, nil), func(_ context.Context, i int) (int, error) {
			most.Store(max(most.Load(), atWork.Add(1)))
			defer atWork.Add(-1)
			return i * i, nil
		}) {
			if err != nil || got != next*next {
				t.Fatalf("%d at once: result %d is %d (%v)", atOnce, next, got, err)
			}
			next++
		}
		if next != 100 || most.Load() > int64(max(1, atOnce)) {
			t.Fatalf("%d at once: %d results, %d at work at once", atOnce, next, most.Load())
		}
	}
}

func TestMapEndsWithTheFirstError(t *testing.T) {
	bad := errors.New("bad")
	for name, c := range map[string]struct{ element, work int }{
		"of the sequence":  {element: 5, work: -1},
		"of the work":      {element: -1, work: 5},
		"the first of two": {element: 9, work: 5},
	} {
		for _, atOnce := range []int{1, 4} {
			var got []string
			for i, err := range inorder.Map(t.Context(), atOnce, count(100, c.element, bad), func(_ context.Context, i int) (int, error) {
				if i == c.work {
					return 0, bad
				}
				return i, nil
			}) {
				got = append(got, fmt.Sprint(i, err))
			}
			if want := []string{"0 <nil>", "1 <nil>", "2 <nil>", "3 <nil>", "4 <nil>", "0 bad"}; !slices.Equal(got, want) {
				t.Errorf("%s, %d at once: yields %v, want %v", name, atOnce, got, want)
			}
		}
	}
}

func TestMapLeavesNothingAtWork(t *testing.T) {
	var atWork atomic.Int64
	for range inorder.Map(t.Context(), 8, count(100, -1, nil), func(ctx context.Context, i int) (int, error) {
		atWork.Add(1)
		defer atWork.Add(-1)
		if i > 0 {
			<-ctx.Done() // when nobody wants the rest
		}
		return i, nil
	}) {
		break
	}
	if n := atWork.Load(); n != 0 {
		t.Fatalf("%d are still at work", n)
	}
}
