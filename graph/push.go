package graph

import "slices"

// ahead is how many rows before its turn a row's first entry is touched, so
// that it is on its way from memory when its turn comes.
const ahead = 6

// push adds one for every entry of the spans.
func push[C counter](counts []C, spans []span) {
	var touched uint32
	for k, s := range spans {
		if k+ahead < len(spans) {
			if next := spans[k+ahead]; next.from < next.to {
				touched += next.in.ids[next.from]
			}
		}
		for _, j := range s.ids() {
			counts[j]++
		}
	}
	keep(touched)
}

// keep makes the compiler keep a value that is loaded only for the sake of the
// load.
//
//go:noinline
func keep(uint32) {}

// pushNoting does the same, and notes what is counted for the least'th time, of
// which there are as many as noted has room for. It returns their number.
func pushNoting[C counter](counts []C, spans []span, least C, noted []uint32) (n int) {
	var touched uint32
	for k, s := range spans {
		if k+ahead < len(spans) {
			if next := spans[k+ahead]; next.from < next.to {
				touched += next.in.ids[next.from]
			}
		}
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
	keep(touched)
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
	for k, r := range noted {
		if h.stale && k%1024 == 0 {
			h.raise()
		}
		h.consider(r, uint32(counts[r]), 0)
	}
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
	for _, r := range rows {
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
