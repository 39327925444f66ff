package graph

import "iter"

// lists is one direction of the graph. Row r has the entries from offsets[r] to
// offsets[r+1], ascending by time, then by external id of the other end. Rows
// descend by length, so those with a grid are the first.
type lists struct {
	offsets []uint32
	ids     []uint32 // the other end
	times   []uint32 // seconds since the graph's base
	ratings ratings
	grid    []uint32 // of each long row: entries before each checkpoint
	floors  floors
	lasts   []uint8 // by row: the tick of its last entry
	firsts  firsts

	// Rows that a delta changed or added are kept whole in patch, at the row
	// that patched says.
	patched map[uint32]uint32
	patch   *lists
	late    late
}

// all yields the times of all entries of the first n rows.
func (l *lists) all(n int) iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		for r := range uint32(n) {
			in, at := l.row(r)
			for _, t := range in.times[in.offsets[at]:in.offsets[at+1]] {
				if !yield(t) {
					return
				}
			}
		}
	}
}

// lastTimes yields the time of the last entry of each of the first n rows.
func (l *lists) lastTimes(n int) iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		for r := range uint32(n) {
			in, at := l.row(r)
			if !yield(in.times[in.offsets[at+1]-1]) {
				return
			}
		}
	}
}

// row is where a row stands.
func (l *lists) row(r uint32) (*lists, uint32) {
	if l.patch != nil {
		if p, ok := l.patched[r]; ok {
			return l.patch, p
		}
	}
	return l, r
}

// prefix returns the range, in the returned lists, of row r's entries before
// the moment.
func (l *lists) prefix(r uint32, m *moment) (at *lists, from, to uint32) {
	l, r = l.row(r)
	return l, l.offsets[r], l.end(r, m)
}

// end returns where row r's entries before the moment end. The row is not
// patched.
func (l *lists) end(r uint32, m *moment) uint32 {
	if m.limit > m.latest || int(r) < len(l.lasts) && l.lasts[r] < m.tick {
		return l.offsets[r+1]
	}
	lo, hi := l.window(r, m)
	return lo + before(l.times[lo:hi], uint32(m.limit))
}

// window returns where row r's entries before the moment may end, at least and
// at most.
func (l *lists) window(r uint32, m *moment) (lo, hi uint32) {
	lo, hi = l.offsets[r], l.offsets[r+1]
	if g := uint64(r) * checkpoints; g < uint64(len(l.grid)) {
		row := l.grid[g : g+checkpoints]
		from := lo
		if m.checkpoint > 0 {
			lo = from + row[m.checkpoint-1]
		}
		if m.checkpoint < checkpoints {
			hi = from + row[m.checkpoint]
		}
	}
	return lo, hi
}

// before returns how many of the times, which ascend, are before the limit. It
// always halves, whatever it finds, so that there is no branch to guess.
func before(times []uint32, limit uint32) (n uint32) {
	size := uint32(len(times))
	for size > 1 {
		half := size / 2
		if times[n+half-1] < limit {
			n += half
		}
		size -= half
	}
	if size == 1 && times[n] < limit {
		n++
	}
	return n
}
