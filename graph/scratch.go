package graph

import "unsafe"

// scratch is room to work in. Between uses its counters and bits are zero:
// whoever sets them clears them. Graphs keep scratch for their queries in a
// pool, so that a query allocates its result only.
type scratch struct {
	words    []uint64 // counters of any width
	weights  []uint64 // by internal id of items
	bits     []uint64 // a set of internal ids
	skips    []uint64 // another
	touched  []uint32 // what was counted, in order
	noted    []uint32
	ordered  []uint32
	shared   []uint32 // of what was counted
	promises []promised
	spans    []span
	best     best
	sums     []float64 // by internal id of items
	masks    []uint64  // by internal id of users
	links    [batch][]found
}

// promised is what the one at a place among those noted promises.
type promised struct{ at, promise uint32 }

// span is the visible part of a row.
type span struct {
	in       *lists
	from, to uint32
}

func (s span) ids() []uint32 { return s.in.ids[s.from:s.to] }
func (s span) len() int      { return int(s.to - s.from) }

// counter is a number that counts what is shared; the narrower, the more of
// them stay in the cache.
type counter interface{ uint8 | uint16 | uint32 }

// view returns n counters of zero.
func view[C counter](s *scratch, n int) []C {
	var c C
	size := (n*int(unsafe.Sizeof(c)) + 7) / 8
	s.words = grown(s.words, size+1)
	return unsafe.Slice((*C)(unsafe.Pointer(unsafe.SliceData(s.words))), (size+1)*8/int(unsafe.Sizeof(c)))[:n]
}

// grown returns v with a length of n or more; what is new is zero.
func grown[T any](v []T, n int) []T {
	if n <= len(v) {
		return v
	}
	return make([]T, n)
}

// setWords returns the length of a set of ids below n.
func setWords(n int) int { return (n + 63) / 64 }

// set makes the ids members; unset makes none of them a member.
func set(of []uint64, ids []uint32) {
	for _, k := range ids {
		of[k>>6] |= 1 << (k & 63)
	}
}

func unset(of []uint64, ids []uint32) {
	for _, k := range ids {
		of[k>>6] &^= 1 << (k & 63)
	}
}

func has(of []uint64, k uint32) bool { return member(of, k) != 0 }

// member is 1 for a member and 0 otherwise.
func member(of []uint64, k uint32) uint64 { return of[k>>6] >> (k & 63) & 1 }

// skipping notes what is not to be found: the item itself and those excluded.
func (s *scratch) skipping(i uint32, exclude []Item) []uint32 {
	s.noted = append(s.noted[:0], i)
	for _, j := range exclude {
		s.noted = append(s.noted, uint32(j))
	}
	return s.noted
}

func (g *Graph) scratch() *scratch {
	s, ok := g.pool.Get().(*scratch)
	if !ok {
		s = &scratch{}
	}
	return s
}

func (g *Graph) release(s *scratch) {
	s.spans, s.best.kept = s.spans[:0], s.best.kept[:0]
	g.pool.Put(s)
}
