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
func (b *builder) scatter(s *side, others *names, at *[checkpoints]uint32, items bool) lists {
	rows, n := len(s.degrees), len(b.entries)
	l := lists{offsets: make([]uint32, rows+1), ids: make([]uint32, n), times: make([]uint32, n)}
	for r, d := range s.degrees {
		l.offsets[r+1] = l.offsets[r] + d
	}
	bucketOf, starts := cutRows(l.offsets)

	sorted := b.entries
	parted := builder{BuildConfig: b.BuildConfig, entries: b.entries, room: b.room}
	parted.partition(len(starts), func(e *entry) uint32 {
		if items {
			return uint32(bucketOf[e.item])
		}
		return uint32(bucketOf[e.user])
	})
	codes := make([]uint32, 0)
	if len(b.table) > 1 {
		codes = make([]uint32, n)
	}
	l.grid, l.floors = make([]uint32, longRows(l.offsets)*checkpoints), make([]uint8, rows*(checkpoints+1))
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
			if len(codes) > 0 {
				codes[to] = e.rating
			}
		}
		for r := first; r < last; r++ {
			l.breakTies(uint32(r), codes, others)
			l.fillGrid(uint32(r), at)
		}
	})
	b.entries, b.room = sorted, parted.entries
	if len(codes) == 0 {
		l.ratings = ratings{table: b.table}
	} else {
		l.ratings = packRatings(b.table, codes)
	}
	l.firsts = l.firstTimes()
	return l
}

// cutRows cuts rows into parts of about as many entries, and returns the part
// of each row and the first row of each part.
func cutRows(offsets []uint32) (of []uint16, starts []int) {
	rows := len(offsets) - 1
	of = make([]uint16, rows)
	share := uint64(offsets[rows])/buckets + 1
	for r := range rows {
		if len(starts) == 0 || uint64(offsets[r]) >= uint64(len(starts))*share {
			starts = append(starts, r)
		}
		of[r] = uint16(len(starts) - 1)
	}
	return of, starts
}

// breakTies sorts entries of row r in the same second by external id.
func (l *lists) breakTies(r uint32, codes []uint32, others *names) {
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
				if len(codes) > 0 {
					sorted[k].code = codes[from+k]
				}
			}
			slices.SortFunc(sorted, func(a, b rated) int { return cmp.Or(others.compare(a.id, b.id), cmp.Compare(a.code, b.code)) })
			for k, s := range sorted {
				run[k] = s.id
				if len(codes) > 0 {
					codes[from+k] = s.code
				}
			}
		}
		from = end
	}
}
