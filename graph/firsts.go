package graph

import (
	"slices"
	"sort"
)

// firsts are the first times of all rows, ascending. The upper halves of their
// bits say where the lower ones stand.
type firsts struct {
	starts []uint32 // the upper half of the first time; by upper half, from that on: where its lower halves start
	low    []uint16
}

// newFirsts takes the first times of rows.
func newFirsts(l *lists, each func(n int, do func(k int))) firsts {
	rows := len(l.offsets) - 1
	if rows == 0 {
		return firsts{}
	}
	times := make([]uint32, rows)
	from, to := uint32(1<<16), uint32(0)
	for r := range times {
		times[r] = l.times[l.offsets[r]]
		from, to = min(from, times[r]>>16), max(to, times[r]>>16)
	}
	f := firsts{starts: make([]uint32, to-from+3), low: make([]uint16, rows)}
	f.starts[0] = from
	starts := f.starts[1:]
	for _, t := range times {
		starts[t>>16-from+1]++
	}
	for k := 1; k < len(starts); k++ {
		starts[k] += starts[k-1]
	}
	next := slices.Clone(starts)
	for _, t := range times {
		f.low[next[t>>16-from]] = uint16(t)
		next[t>>16-from]++
	}
	each(len(starts)-1, func(k int) { slices.Sort(f.low[starts[k]:starts[k+1]]) })
	return f
}

// before returns how many of the times are before the limit.
func (f *firsts) before(limit uint64) int {
	half := limit >> 16
	if len(f.low) == 0 || half < uint64(f.starts[0]) {
		return 0
	}
	at := half - uint64(f.starts[0]) + 1
	if at+1 >= uint64(len(f.starts)) {
		return len(f.low)
	}
	from := f.starts[at]
	low := f.low[from:f.starts[at+1]]
	return int(from) + sort.Search(len(low), func(k int) bool { return low[k] >= uint16(limit) })
}
