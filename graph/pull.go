package graph

import "sort"

// hubFrom is the degree from which an item is a hub: it is worth asking whether
// reading the lists of popular items is less work than reading all items of its
// users.
const hubFrom = 2048

// block is how many entries are counted before asking again whether the rest
// could be enough.
const block = 2048

// pull finds what is near an item with many users, whose set is in s.bits, by
// reading the lists of other items, most popular first. It may stop at the
// first that has too few users: where fewer share both than have the other,
//
//	cosine(i,j) <= √(deg(j)/deg(i))    jaccard(i,j) <= deg(j)/deg(i)
//
// and the degree in the whole log, by which the lists stand, is a bound of the
// degree as of the cut. It reports false, and leaves h to be filled anew, if it
// sees, every eighth of the budget, that it has more than that still to read, or
// has read twice as much.
func (c *Cut) pull(h *choose, s *scratch, budget int) bool {
	l := h.rows
	rows := uint32(len(l.offsets) - 1)
	spent := 0
	changed := l.late.falling // by a delta: they do not stand in order
	check := budget / 8
	for r := uint32(0); r < rows; r++ {
		whole := l.offsets[r+1] - l.offsets[r]
		changed = c.pullChanged(h, s, changed, whole, &spent)
		if whole < h.support || h.tooFew(whole) {
			return true
		}
		if spent > check && h.full() {
			check += budget / 8
			// What is left to read if nothing better comes. Of about half of it
			// pullOne sees that it is in vain.
			last := sort.Search(int(rows), func(k int) bool { return h.tooFew(l.offsets[k+1] - l.offsets[k]) })
			if last < int(r) || spent > 2*budget || float64(l.offsets[last]-l.offsets[r])*c.visible(l, r)/2 > float64(budget) {
				return false
			}
		}
		if l.patch != nil {
			if _, ok := l.patched[r]; ok {
				continue
			}
		}
		spent += c.pullOne(h, s, r)
	}
	c.pullChanged(h, s, changed, 0, &spent)
	return true
}

// tooFew reports whether rows of that degree are in vain.
func (h *choose) tooFew(degree uint32) bool {
	return degree < h.middle && h.hopeless(found{shared: degree, degree: degree})
}

// visible returns the share of the most popular rows that is visible.
func (c *Cut) visible(l *lists, r uint32) float64 {
	seen := 0
	for k := range r {
		_, from, to := l.prefix(k, c.m)
		seen += int(to - from)
	}
	return float64(seen) / float64(max(1, l.offsets[r]))
}

// pullOne counts and considers one row, and returns how much it read. It gives
// up as soon as the rest of the row cannot be enough.
func (c *Cut) pullOne(h *choose, s *scratch, r uint32) int {
	if has(s.skips, r) {
		return 0
	}
	degree := h.degree(r)
	most := min(degree, h.middle)
	if most < h.support || h.hopeless(found{shared: most, degree: degree}) {
		return 1
	}
	in, at := h.rows.row(r)
	ids := in.ids[in.offsets[at]:][:degree]
	shared := uint32(0)
	for len(ids) > 0 {
		n := min(block, len(ids))
		for _, u := range ids[:n] {
			shared += uint32(member(s.bits, u))
		}
		ids = ids[n:]
		if rest := shared + uint32(len(ids)); len(ids) > 0 && (rest < h.support || h.hopeless(found{shared: min(rest, most), degree: degree})) {
			return int(degree) - len(ids)
		}
	}
	if shared >= h.support && shared > 0 {
		h.add(found{id: r, shared: shared, degree: degree})
	}
	return int(degree)
}

// sharedWith returns how many of the entries of the span are in the set and, if
// liked is not 0, how many of those are rated liked or more.
func sharedWith(of []uint64, p span, liked float32) (shared, like uint32) {
	if liked <= 0 {
		for _, u := range p.ids() {
			shared += uint32(member(of, u))
		}
		return shared, 0
	}
	r := &p.in.ratings
	code := r.from(liked)
	for k, u := range p.ids() {
		if has(of, u) {
			shared++
			if len(r.table) > 0 && r.code(p.from+uint32(k)) >= code {
				like++
			}
		}
	}
	return shared, like
}

// weightWith returns the sum of the weights of those entries of the span that
// are in the set.
func (c *Cut) weightWith(of []uint64, p span) (weight uint64) {
	for _, u := range p.ids() {
		if has(of, u) {
			weight += inverseFrequency(c.UserDegree(User(u)))
		}
	}
	return weight
}
