package graph

import "slices"

// top keeps the first k of what is added, in the order of less; all of it if k
// is 0 or less. Internal ids ascend with external ids, so a less that ends by
// comparing them breaks ties by external id.
type top[T any] struct {
	k    int
	less func(a, b T) int
	kept []T // ascending by less, once k are kept
}

// add considers one more. It costs a comparison if v is not among the first k.
func (t *top[T]) add(v T) {
	if t.k <= 0 || len(t.kept) < t.k {
		t.kept = append(t.kept, v)
		if len(t.kept) == t.k {
			slices.SortFunc(t.kept, t.less)
		}
		return
	}
	if t.less(v, t.kept[t.k-1]) >= 0 {
		return
	}
	at, _ := slices.BinarySearchFunc(t.kept, v, t.less)
	copy(t.kept[at+1:], t.kept[at:t.k-1])
	t.kept[at] = v
}

// sorted returns what was kept, best first.
func (t *top[T]) sorted() []T {
	if t.k <= 0 || len(t.kept) < t.k {
		slices.SortFunc(t.kept, t.less)
	}
	return t.kept
}
