package graph

import (
	"cmp"
	"math/bits"
	"slices"
)

// found is a vertex near another, as counted.
type found struct {
	id     uint32
	shared uint32
	degree uint32
	weight uint64 // of the shared users, for IUF
}

// order is the order of what is near a vertex: best first, ties by external id.
// Where it can it compares fractions by cross-multiplication, so that no root
// is taken of what will not be kept, and equal fractions are equal.
type order struct {
	measure Measure
	middle  uint32 // degree of the vertex in the middle
	names   *names
}

// byScore is negative if a is nearer than b, zero if both are as near.
func (o *order) byScore(a, b found) int {
	switch o.measure {
	case Cosine:
		// shared²/degree: the degree in the middle is common to both.
		return products(square(b.shared), uint64(a.degree), square(a.shared), uint64(b.degree))
	case Jaccard:
		return products(uint64(b.shared), o.union(a), uint64(a.shared), o.union(b))
	case Lift:
		return products(uint64(b.shared), uint64(a.degree), uint64(a.shared), uint64(b.degree))
	}
	return cmp.Compare(iuf(b.weight, o.middle, b.degree), iuf(a.weight, o.middle, a.degree))
}

func (o *order) compare(a, b found) int {
	if c := o.byScore(a, b); c != 0 {
		return c
	}
	return o.names.compare(a.id, b.id)
}

// union is the number of users who have either. It fits: both are 32 bits.
func (o *order) union(f found) uint64 {
	return uint64(o.middle) + uint64(f.degree) - uint64(f.shared)
}

func square(x uint32) uint64 { return uint64(x) * uint64(x) }

// products compares a·b with c·d.
func products(a, b, c, d uint64) int {
	hi1, lo1 := bits.Mul64(a, b)
	hi2, lo2 := bits.Mul64(c, d)
	if hi1 != hi2 {
		return cmp.Compare(hi1, hi2)
	}
	return cmp.Compare(lo1, lo2)
}

// best keeps the k nearest of what is added; all of it if k is negative. With a
// bar it need not keep what is farther than that.
type best struct {
	order
	k    int
	bar  found   // nothing if nothing is shared
	kept []found // ascending, once k are kept
}

// reset empties best for another question.
func (b *best) reset(o order, k int) {
	b.order, b.k, b.bar, b.kept = o, k, found{}, b.kept[:0]
}

// last returns what must at least be met to be kept, if anything must.
func (b *best) last() (f found, ok bool) {
	if b.full() {
		return b.kept[b.k-1], true
	}
	return b.bar, b.bar.shared > 0
}

func (b *best) full() bool { return b.k >= 0 && len(b.kept) >= b.k }

// hopeless reports whether nothing like f can be among the best any more. With
// a degree that is too low f is taken for better than it is, never for worse.
func (b *best) hopeless(f found) bool {
	last, ok := b.last()
	return ok && b.byScore(f, last) > 0
}

// least returns a number of shared users below which nothing is kept any more,
// whatever its degree: nothing has fewer users than it shares.
func (b *best) least(support uint32) uint32 {
	last, ok := b.last()
	if !ok {
		return support
	}
	switch b.measure {
	case Cosine:
		// shared²/shared >= last.shared²/last.degree
		return max(support, uint32((square(last.shared)+uint64(last.degree)-1)/uint64(last.degree)))
	case Jaccard:
		// shared/degree >= last.shared/union
		u := b.union(last)
		return max(support, uint32((uint64(last.shared)*uint64(b.middle)+u-1)/u))
	}
	return support
}

// add considers one more.
func (b *best) add(f found) {
	if !b.full() {
		b.kept = append(b.kept, f)
		if b.full() {
			slices.SortFunc(b.kept, b.compare)
		}
		return
	}
	if b.compare(f, b.kept[b.k-1]) >= 0 {
		return
	}
	at, _ := slices.BinarySearchFunc(b.kept, f, b.compare)
	copy(b.kept[at+1:], b.kept[at:b.k-1])
	b.kept[at] = f
}

// sorted returns what was kept, best first.
func (b *best) sorted() []found {
	if !b.full() {
		slices.SortFunc(b.kept, b.compare)
	}
	return b.kept
}
