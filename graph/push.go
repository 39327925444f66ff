package graph

import "unsafe"

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

// pushNoting does the same, and notes what it counted first.
func pushNoting[C counter](counts []C, spans []span, touched []uint32) []uint32 {
	for _, s := range spans {
		for _, j := range s.ids() {
			if counts[j] == 0 {
				touched = append(touched, j)
			}
			counts[j]++
		}
	}
	return touched
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

// choose ranks rows of one direction by what is counted of them.
type choose struct {
	*best
	rows    *lists
	m       *moment
	ends    []uint32 // nil if not known
	asked   int      // rows searched for their end
	support uint32
	least   uint32 // shared below it is in vain
}

// choosing starts to choose among rows.
func (c *Cut) choosing(b *best, rows *lists, e *ends, support int) choose {
	return choose{best: b, rows: rows, m: c.m, ends: e.of(rows, c.m, 0), support: uint32(support), least: b.least(uint32(support))}
}

// degree returns the number of visible entries of a row.
func (h *choose) degree(r uint32) uint32 {
	if h.ends != nil {
		return h.ends[r] - h.rows.offsets[r]
	}
	h.asked++
	_, from, to := h.rows.prefix(r, h.m)
	return to - from
}

// consider adds a row, unless what is known of it for little says that it is in
// vain: first by what is shared alone, then by a lower bound of its degree.
func (h *choose) consider(r, shared uint32, weight uint64) {
	if shared < h.least {
		return
	}
	f := found{id: r, shared: shared, weight: weight, degree: shared}
	if h.ends == nil {
		f.degree = max(shared, h.rows.least(r, h.m))
		if h.hopeless(f) {
			return
		}
	}
	f.degree = h.degree(r)
	if h.hopeless(f) {
		return
	}
	h.add(f)
	h.least = h.best.least(h.support)
}

// sweep considers all counters and clears them. It reads eight bytes at once and
// looks closer only where one of them may be enough.
func sweep[C counter](h *choose, s *scratch, n int) {
	var c C
	width := 8 * uint(unsafe.Sizeof(c))
	lanes := 64 / width
	ones := ^uint64(0) / (1<<width - 1) // 1 in each counter
	high := ones << (width - 1)
	words := s.words[:(n+int(lanes)-1)/int(lanes)]
	for w, x := range words {
		if x == 0 {
			continue
		}
		words[w] = 0
		// Halved, so that the highest bit of each counter is free: it stays set
		// where half of the counter is half of the least or more.
		half := uint64(h.least) >> 1 & (1<<(width-1) - 1)
		if (x>>1&^high|high)-half*ones&high == 0 {
			continue
		}
		for r := uint32(w) * uint32(lanes); x != 0; r++ {
			if shared := uint32(C(x)); shared >= h.least && shared > 0 {
				h.consider(r, shared, 0)
			}
			x >>= width
		}
	}
}

// pushAndChoose counts all entries of the spans and chooses among the n rows
// that they may name, but none of skip. Where the counts are few it
// notes which, otherwise it looks through all.
func pushAndChoose[C counter](h *choose, s *scratch, n int, skip []uint32, dense bool) {
	counts := view[C](s, n)
	if dense {
		push(counts, s.spans)
	} else {
		s.touched = pushNoting(counts, s.spans, s.touched[:0])
	}
	for _, r := range skip {
		counts[r] = 0
	}
	if dense {
		sweep[C](h, s, n)
		return
	}
	for _, r := range s.touched {
		h.consider(r, uint32(counts[r]), 0)
		counts[r] = 0
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
