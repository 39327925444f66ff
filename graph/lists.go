package graph

import (
	"iter"
	"slices"
)

// checkpoints is the number of moments at which the grid knows the length of a
// long row; with 4 bytes each they fill one line of the processor's cache.
const checkpoints = 16

// gridFrom is the length from which a row has a grid. Shorter rows are found
// through in a few lines anyway.
const gridFrom = 64

// lists is one direction of the graph. Row r has the entries from offsets[r] to
// offsets[r+1], ascending by time, then by external id of the other end. Rows
// descend by length, so those with a grid are the first.
type lists struct {
	offsets []uint32
	ids     []uint32 // the other end
	times   []uint32 // seconds since the graph's base
	ratings ratings
	grid    []uint32 // of each long row: entries before each checkpoint
	firsts  []uint32 // the first times of all rows, ascending

	// Rows that a delta changed or added are kept whole in patch, at the row
	// that patched says.
	patched map[uint32]uint32
	patch   *lists
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
	lo, hi := l.offsets[r], l.offsets[r+1]
	if m.limit > m.latest {
		return hi
	}
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
	return lo + before(l.times[lo:hi], uint32(m.limit))
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

// least returns a lower bound of the length of row r before the moment, at the
// cost of at most one line of the grid.
func (l *lists) least(r uint32, m *moment) uint32 {
	if g := uint64(r) * checkpoints; m.checkpoint > 0 && g < uint64(len(l.grid)) && l.patch == nil {
		return l.grid[g+uint64(m.checkpoint)-1]
	}
	return 0
}

// longRows returns the number of rows with a grid.
func longRows(offsets []uint32) int {
	n := 0
	for n+1 < len(offsets) && offsets[n+1]-offsets[n] >= gridFrom {
		n++
	}
	return n
}

// makeGrid counts the entries of the row before each of the checkpoints.
func makeGrid(grid, times []uint32, at *[checkpoints]uint32) {
	n := 0
	for k, t := range at {
		for n < len(times) && times[n] < t {
			n++
		}
		grid[k] = uint32(n)
	}
}

// firstTimes returns the first times of all rows, ascending.
func (l *lists) firstTimes() []uint32 {
	firsts := make([]uint32, len(l.offsets)-1)
	for r := range firsts {
		firsts[r] = l.times[l.offsets[r]]
	}
	slices.Sort(firsts)
	return firsts
}
