package graph

import "slices"

// top keeps the first k of what is added, in the order of compare, which is
// given with each call and total; all of it if k is 0 or less.
type top[T any] struct {
	k    int
	kept []T // ascending, once k are kept
}

// add considers one more. It costs a comparison if v is not among the first k.
func (t *top[T]) add(v T, compare func(a, b T) int) {
	if t.k <= 0 || len(t.kept) < t.k {
		if t.kept == nil && t.k > 0 {
			t.kept = make([]T, 0, min(t.k, 1024))
		}
		t.kept = append(t.kept, v)
		if len(t.kept) == t.k {
			slices.SortFunc(t.kept, compare)
		}
		return
	}
	if compare(v, t.kept[t.k-1]) >= 0 {
		return
	}
	at, _ := slices.BinarySearchFunc(t.kept, v, compare)
	copy(t.kept[at+1:], t.kept[at:t.k-1])
	t.kept[at] = v
}

// sorted returns what was kept, best first.
func (t *top[T]) sorted(compare func(a, b T) int) []T {
	if t.k <= 0 || len(t.kept) < t.k {
		slices.SortFunc(t.kept, compare)
	}
	return t.kept
}
