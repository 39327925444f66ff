package graph

import (
	"iter"
	"math/bits"
	"slices"
)

// checkpoints is the number of moments at which the grid knows the length of a
// long row; with 4 bytes each they fill one line of the processor's cache.
const checkpoints = 16

// gridFrom is the length from which a row has a grid. Shorter rows are found
// through in a few steps anyway.
const gridFrom = 256

// lists is one direction of the graph. Row r has the entries from offsets[r] to
// offsets[r+1], ascending by time, then by external id of the other end. Rows
// descend by length, so those with a grid are the first.
type lists struct {
	offsets []uint32
	ids     []uint32 // the other end
	times   []uint32 // seconds since the graph's base
	ratings ratings
	grid    []uint32 // of each long row: entries before each checkpoint
	floors  []uint8  // of each checkpoint and the end, by row: the same, roughly and never more
	firsts  []uint32 // the first times of all rows, ascending

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

// floorsAt returns, by row, a rough lower bound of the length of the rows before
// the moment; nothing where nothing is known. A delta never makes a row shorter,
// so that the bounds hold for rows that it changed.
func (l *lists) floorsAt(m *moment) []uint8 {
	rows := len(l.offsets) - 1
	switch {
	case m.limit > m.latest:
		return l.floors[checkpoints*rows:]
	case m.checkpoint > 0:
		return l.floors[(m.checkpoint-1)*rows : m.checkpoint*rows]
	}
	return nil
}

// toFloor rounds n down to what a byte can say: four binary digits, and how many
// follow.
func toFloor(n uint32) uint8 {
	if n < 8 {
		return uint8(n)
	}
	e := uint32(bits.Len32(n)) - 4
	return uint8((e+1)<<3 | n>>e&7)
}

func fromFloor(f uint8) uint32 {
	if f < 8 {
		return uint32(f)
	}
	return (8 | uint32(f&7)) << (f>>3 - 1)
}

// longRows returns the number of rows with a grid.
func longRows(offsets []uint32) int {
	n := 0
	for n+1 < len(offsets) && offsets[n+1]-offsets[n] >= gridFrom {
		n++
	}
	return n
}

// fillGrid counts the entries of row r before each of the checkpoints.
func (l *lists) fillGrid(r uint32, at *[checkpoints]uint32) {
	n, rows := 0, uint64(len(l.offsets)-1)
	times := l.times[l.offsets[r]:l.offsets[r+1]]
	for k, t := range at {
		for n < len(times) && times[n] < t {
			n++
		}
		if g := uint64(r)*checkpoints + uint64(k); g < uint64(len(l.grid)) {
			l.grid[g] = uint32(n)
		}
		l.floors[uint64(k)*rows+uint64(r)] = toFloor(uint32(n))
	}
	l.floors[checkpoints*rows+uint64(r)] = toFloor(uint32(len(times)))
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
