package graph

import (
	"slices"
	"unsafe"
)

// ahead is how many rows before its turn a row is asked for, so that it is on its
// way from memory when its turn comes; linesAhead is how much of it.
const (
	ahead      = 8
	linesAhead = 6
)

// announce asks for the start of a row.
func announce(spans []span, k int) {
	if k < len(spans) {
		if s := spans[k]; s.from < s.to {
			prefetch(unsafe.Pointer(&s.in.ids[s.from]), min(linesAhead, s.len()/16+1))
		}
	}
}

// push adds one for every entry of the spans.
func push[C counter](counts []C, spans []span) {
	for k, s := range spans {
		announce(spans, k+ahead)
		for _, j := range s.ids() {
			counts[j]++
		}
	}
}

// pushNoting does the same, and notes what is counted for the least'th time, of
// which there are as many as noted has room for. It returns their number.
func pushNoting[C counter](counts []C, spans []span, least C, noted []uint32) (n int) {
	for k, s := range spans {
		announce(spans, k+ahead)
		for _, j := range s.ids() {
			c := counts[j] + 1
			counts[j] = c
			// Written in any case: whether it stays is no branch to guess.
			noted[n] = j
			if c == least {
				n++
			}
		}
	}
	return n
}

// pushWeighted counts, and adds the weight of each row's owner.
func pushWeighted(counts []uint32, weights []uint64, spans []span, touched []uint32) []uint32 {
	for _, s := range spans {
		w := inverseFrequency(s.len())
		for _, j := range s.ids() {
			if counts[j] == 0 {
				touched = append(touched, j)
			}
			counts[j]++
			weights[j] += w
		}
	}
	return touched
}

// pushAndChoose counts all entries of the spans, work of them, and chooses among
// the n rows that they may name, but none of skip. Where little is counted it
// notes what may be enough, otherwise it looks through all.
func pushAndChoose[C counter](h *choose, s *scratch, n, work int, skip []uint32, dense bool) {
	counts := view[C](s, n)
	if dense {
		push(counts, s.spans)
		for _, r := range skip {
			counts[r] = 0
		}
		sweep[C](h, s, n)
		return
	}
	least := max(1, h.least)
	if least > uint32(^C(0)) {
		return // more than are counted
	}
	room := min(work/int(least), n) + 1
	s.touched = slices.Grow(s.touched[:0], room)[:room]
	noted := s.touched[:pushNoting(counts, s.spans, C(least), s.touched)]
	for _, r := range skip {
		counts[r] = 0
	}
	chooseNoted(h, s, counts, noted)
	if work > n/8 {
		clear(counts)
		return
	}
	for _, p := range s.spans {
		for _, r := range p.ids() {
			counts[r] = 0
		}
	}
}

// spread gathers the visible parts of rows, the latest most entries of each if
// most is not 0, and returns the number of their entries.
func (c *Cut) spread(s *scratch, l *lists, e *ends, rows []uint32, most int) (work int) {
	s.spans = s.spans[:0]
	known := e.of(l, c.m, len(rows))
	for k, r := range rows {
		if k+2*ahead < len(rows) {
			l.announce(rows[k+2*ahead])
		}
		if k+ahead < len(rows) && known == nil {
			l.announceEnd(rows[k+ahead], c.m)
		}
		var p span
		if known != nil {
			p = span{l, l.offsets[r], known[r]}
		} else {
			p.in, p.from, p.to = l.prefix(r, c.m)
		}
		if most > 0 && p.len() > most {
			p.from = p.to - uint32(most)
		}
		work += p.len()
		s.spans = append(s.spans, p)
	}
	return work
}

// announce asks for what says where a row stands.
func (l *lists) announce(r uint32) {
	if int(r) < len(l.lasts) {
		prefetch(unsafe.Pointer(&l.offsets[r]), 1)
		prefetch(unsafe.Pointer(&l.lasts[r]), 1)
		if g := uint64(r) * checkpoints; g < uint64(len(l.grid)) {
			prefetch(unsafe.Pointer(&l.grid[g]), 1)
		}
	}
}

// announceEnd asks for the times among which the end of a row's visible part is
// searched: for all if they are few, otherwise for those the search begins with.
func (l *lists) announceEnd(r uint32, m *moment) {
	const few = 80
	if m.limit > m.latest || int(r) >= len(l.lasts) || l.lasts[r] < m.tick {
		return
	}
	lo, hi := l.window(r, m)
	switch n := hi - lo; {
	case n == 0:
	case n <= few:
		prefetch(unsafe.Pointer(&l.times[lo]), int(n/16+1))
	default:
		for _, at := range [...]uint32{n / 2, n / 4, n / 4 * 3} {
			prefetch(unsafe.Pointer(&l.times[lo+at]), 1)
		}
	}
}
