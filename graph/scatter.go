package graph

import (
	"cmp"
	"slices"
)

// buckets is the number of parts in which lists are written. A part of a large
// log fits the processor's cache, and so does the place it is written to.
const buckets = 512

// scatter makes the lists of users, or those of items, from the entries, which are sorted
// by time and numbered for good. It writes the lists in parts of whole rows:
// entries are moved to their part first, and placed within it then, so that
// neither step jumps about in memory.
func (b *builder) scatter(s *side, others *names, at *ticks, items bool) lists {
	rows, n := len(s.degrees), len(b.entries)
	l := lists{offsets: make([]uint32, rows+1), ids: make([]uint32, n), times: make([]uint32, n)}
	for r, d := range s.degrees {
		l.offsets[r+1] = l.offsets[r] + d
	}
	parts, starts := cutRows(l.offsets)

	sorted := b.entries
	parted := builder{BuildConfig: b.BuildConfig, entries: b.entries, room: b.room}
	parted.partition(len(starts), func(e *entry) uint32 {
		if items {
			return parts.of(e.item)
		}
		return parts.of(e.user)
	})
	codes := newCodes(b.table, n)
	l.grid, l.lasts = make([]uint32, longRows(l.offsets)*checkpoints), make([]uint8, rows)
	rough := newRough(rows)
	next := slices.Clone(l.offsets[:rows])
	b.each(len(starts), func(bucket int) {
		first, last := starts[bucket], rows
		if bucket+1 < len(starts) {
			last = starts[bucket+1]
		}
		for k := l.offsets[first]; k < l.offsets[last]; k++ {
			e := &parted.entries[k]
			row, other := e.user, e.item
			if items {
				row, other = other, row
			}
			to := next[row]
			next[row]++
			l.ids[to], l.times[to] = other, e.time
			codes.set(int(to), e.rating)
		}
		for r := first; r < last; r++ {
			l.breakTies(uint32(r), codes, others)
			l.fillGrid(uint32(r), at, rough)
		}
	})
	b.entries, b.room = sorted, parted.entries
	l.floors = newFloors(l.offsets, rough, b.each)
	l.firsts = newFirsts(&l)
	l.ratings = codes.pack(b)
	return l
}

// parts says to which part a row belongs. The longest rows are told one by one,
// the many short ones by the stretch, so that it fits the processor's cache.
type parts []uint16

const (
	oneByOne = 1 << 16
	stretch  = 64
)

func (p parts) of(row uint32) uint32 {
	if row >= oneByOne {
		row = oneByOne + (row-oneByOne)/stretch
	}
	return uint32(p[row])
}

// cutRows cuts rows into parts of about as many entries, and returns the first
// row of each part.
func cutRows(offsets []uint32) (of parts, starts []int) {
	rows := len(offsets) - 1
	share := uint64(offsets[rows])/buckets + 1
	for r := 0; r < rows; {
		if uint64(offsets[r]) >= uint64(len(starts))*share {
			starts = append(starts, r)
		}
		of = append(of, uint16(len(starts)-1))
		if r++; r > oneByOne {
			r += stretch - 1
		}
	}
	return of, starts
}

// breakTies sorts entries of row r in the same second by external id.
func (l *lists) breakTies(r uint32, codes *codes, others *names) {
	from, to := int(l.offsets[r]), int(l.offsets[r+1])
	for from < to {
		end := from + 1
		for end < to && l.times[end] == l.times[from] {
			end++
		}
		if run := l.ids[from:end]; len(run) > 1 && !slices.IsSortedFunc(run, others.compare) {
			type rated struct{ id, code uint32 }
			sorted := make([]rated, len(run))
			for k := range run {
				sorted[k].id = run[k]
				sorted[k].code = codes.at(from + k)
			}
			slices.SortFunc(sorted, func(a, b rated) int { return cmp.Or(others.compare(a.id, b.id), cmp.Compare(a.code, b.code)) })
			for k, s := range sorted {
				run[k] = s.id
				codes.set(from+k, s.code)
			}
		}
		from = end
	}
}
