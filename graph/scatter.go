package graph

import (
	"cmp"
	"slices"
	"sync"
)

// buckets is the number of parts in which lists are written. A part of a large
// log fits the processor's cache, and so does the place it is written to.
const buckets = 512

// direction is which lists are made, and of what.
type direction struct {
	items              bool  // lists of items, not of users
	rows               *side // of the lists
	others             *names
	ticks              *ticks
	newUsers, newItems []uint32 // by the numbers that the entries have
}

// scatter makes the lists of users, or those of items, from the entries, which
// are in the order of time. It writes the lists in parts of whole rows: entries
// are moved to their part first, and placed within it then, so that neither step
// jumps about in memory. It returns the users who have an item twice.
func (b *builder) scatter(d direction) (l lists, repeated map[uint32]bool) {
	rows, n := len(d.rows.degrees), b.len()
	l = lists{offsets: make([]uint32, rows+1), ids: roomFor[uint32](n), times: roomFor[uint32](n)}
	for r, degree := range d.rows.degrees {
		l.offsets[r+1] = l.offsets[r] + degree
	}
	of, first := cutRows(l.offsets)
	b.part(d, of, len(first))
	parted := b.room
	codes := newCodes(b.table, n)
	l.grid, l.lasts = make([]uint32, longRows(l.offsets)*checkpoints), make([]uint8, rows)
	rough := newRough(rows)
	next := slices.Clone(l.offsets[:rows])
	repeated = map[uint32]bool{}
	var mu sync.Mutex // of repeated
	seen := make(chan []uint32, b.workers())
	for range cap(seen) {
		seen <- make([]uint32, d.others.len())
	}
	b.each(len(first), func(bucket int) {
		from, to := first[bucket], rows
		if bucket+1 < len(first) {
			to = first[bucket+1]
		}
		l.place(parted[l.offsets[from]:l.offsets[to]], next, codes, d.items)
		mine := <-seen
		for r := from; r < to; r++ {
			if !d.items && l.repeats(uint32(r), mine) {
				mu.Lock()
				repeated[uint32(r)] = true
				mu.Unlock()
			}
			l.breakTies(uint32(r), codes, d.others)
			l.fillGrid(uint32(r), d.ticks, rough)
		}
		seen <- mine
	})
	l.floors = newFloors(l.offsets, rough, b.each)
	l.firsts = newFirsts(&l, b.each)
	l.ratings = codes.pack(b)
	return l, repeated
}

// part moves the entries, with their new numbers, to the parts that their rows
// are in, each in the order that they have.
func (b *builder) part(d direction, of parts, parts int) {
	counts := make([][]int, len(b.tallies))
	b.each(len(counts), func(part int) {
		counts[part] = make([]int, parts)
		numbers, entries := d.newUsers, b.tallies[part].users
		if d.items {
			numbers, entries = d.newItems, b.tallies[part].items
		}
		for old, n := range entries[:min(len(entries), len(numbers))] {
			if n > 0 {
				counts[part][of.of(numbers[old])] += int(n)
			}
		}
	})
	starts(counts)
	b.each(len(counts), func(part int) {
		to, room := counts[part], b.room
		b.eachStretch(part, len(counts), func(entries []entry) {
			renumber(entries, d.newUsers, d.newItems)
			for k := range entries {
				e := &entries[k]
				row := e.user
				if d.items {
					row = e.item
				}
				in := of.of(row)
				at := to[in]
				room[at] = *e
				to[in] = at + 1
			}
		})
	})
}

// place puts entries where their rows go on; next says where.
func (l *lists) place(entries []entry, next []uint32, codes *codes, items bool) {
	for k := range entries {
		e := &entries[k]
		row, other := e.user, e.item
		if items {
			row, other = other, row
		}
		to := next[row]
		next[row] = to + 1
		l.ids[to], l.times[to] = other, e.time
		codes.set(int(to), e.rating)
	}
}

// repeats reports whether row r names another end twice; seen has, for each, the
// row, plus 1, that last named it.
func (l *lists) repeats(r uint32, seen []uint32) bool {
	twice := false
	for _, j := range l.ids[l.offsets[r]:l.offsets[r+1]] {
		twice = twice || seen[j] == r+1
		seen[j] = r + 1
	}
	return twice
}

// parts says to which part a row belongs. The longest rows are told one by one,
// the many short ones by dozens, so that it fits the processor's cache.
type parts []uint16

const (
	oneByOne = 1 << 16
	dozens   = 64
)

func (p parts) of(row uint32) uint16 {
	if row >= oneByOne {
		row = oneByOne + (row-oneByOne)/dozens
	}
	return p[row]
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
			r += dozens - 1
		}
	}
	return of, starts
}

// breakTies sorts entries of row r in the same second by external id.
func (l *lists) breakTies(r uint32, codes *codes, others *names) {
	from, to := int(l.offsets[r]), int(l.offsets[r+1])
	for {
		from++ // to the next that is in the second of the one before
		for from < to && l.times[from] != l.times[from-1] {
			from++
		}
		if from >= to {
			return
		}
		from--
		end := from + 2
		for end < to && l.times[end] == l.times[from] {
			end++
		}
		if run := l.ids[from:end]; !slices.IsSortedFunc(run, others.compare) {
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
