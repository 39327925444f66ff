package graph

import "sort"

// lists is one direction of the graph. Row r has the entries from offsets[r] to
// offsets[r+1], ascending by time, then by external id of the other end.
type lists struct {
	offsets []uint64
	ids     []uint32  // the other end
	times   []uint32  // seconds since the graph's base
	ratings []float32 // 0: none
}

// prefix returns the range of row r's entries that are earlier than limit.
func (l *lists) prefix(r uint32, limit uint64) (from, to int) {
	from, to = int(l.offsets[r]), int(l.offsets[r+1])
	if from == to || uint64(l.times[to-1]) < limit {
		return from, to
	}
	row := l.times[from:to]
	return from, from + sort.Search(len(row), func(k int) bool { return uint64(row[k]) >= limit })
}

// scatter makes the lists of rows 0 to rows-1 from entries that come in the
// order which every list is to have.
func scatter(rows int, entries []entry, row, other func(entry) uint32) lists {
	l := lists{
		offsets: make([]uint64, rows+1),
		ids:     make([]uint32, len(entries)),
		times:   make([]uint32, len(entries)),
		ratings: make([]float32, len(entries)),
	}
	for _, e := range entries {
		l.offsets[row(e)+1]++
	}
	for r := range rows {
		l.offsets[r+1] += l.offsets[r]
	}
	next := append([]uint64(nil), l.offsets[:rows]...)
	for _, e := range entries {
		at := next[row(e)]
		next[row(e)]++
		l.ids[at], l.times[at], l.ratings[at] = other(e), e.time, e.rating
	}
	return l
}
