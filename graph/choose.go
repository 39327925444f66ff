package graph

import (
	"math"
	"math/bits"
	"slices"
	"unsafe"
)

// choose ranks rows of one direction by what is counted of them. Most rows are
// in vain, and each question about a row has its price, so that it asks the
// cheap ones first: is enough shared at all; is it enough for a degree as low
// as the row's floor, a byte; and only then, what is its degree.
type choose struct {
	*best
	own     uint32 // the row in the middle
	rows    *lists
	m       *moment
	ends    []uint32 // nil if not known
	floors  floorsAt
	asked   int // rows searched for their end
	support uint32
	least   uint32      // shared below it is in vain, whatever the floor
	needed  [256]uint32 // by floor: shared below it is in vain
	stale   bool        // needed could be higher
	patient bool        // there will be more before needed is to be raised
	search  bool        // degrees must be searched for

	waiting [together]candidate
	n       int // of them
}

// together is how many candidates are asked for their degree at once: what is
// needed for one is on its way from memory while another is looked at.
const together = 32

type candidate struct {
	row, shared uint32
	weight      uint64
}

// choosing starts to choose among rows what is near one of them.
func (c *Cut) choosing(own uint32, b *best, rows *lists, e *ends, support int) choose {
	h := choose{own: own, best: b, rows: rows, m: c.m, ends: e.of(rows, c.m, 0), floors: rows.floors.at(c.m), support: uint32(support)}
	h.search = h.ends == nil && c.m.limit <= c.m.latest
	h.raise()
	return h
}

// raise sets what is needed by what is kept.
func (h *choose) raise() {
	h.stale = false
	h.least = h.best.least(h.support)
	top := uint8(255)
	if len(h.rows.offsets) > 1 {
		top = toFloor(h.rows.offsets[1]) // rows descend by length
	}
	for f := range int(top) + 1 {
		h.needed[f] = max(h.least, h.best.needed(fromFloor(uint8(f))))
	}
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

// enough reports whether so many shared may be enough for a row.
func (h *choose) enough(r, shared uint32) bool {
	if shared < h.least || shared == 0 {
		return false
	}
	return shared >= h.needed[h.floors.of(r)]
}

// consider adds a row unless it is in vain, at once or when settle is called.
func (h *choose) consider(r, shared uint32, weight uint64) {
	if !h.enough(r, shared) {
		return
	}
	if h.search {
		h.rows.announce(r)
	} else if h.ends == nil && int(r) < len(h.rows.lasts) {
		prefetch(unsafe.Pointer(&h.rows.offsets[r]), 1)
	}
	h.waiting[h.n] = candidate{r, shared, weight}
	if h.n++; h.n == together {
		h.settle()
	}
}

// settle adds the candidates that wait, unless they are in vain.
func (h *choose) settle() {
	waiting := h.waiting[:h.n]
	h.n = 0
	if h.search {
		for _, c := range waiting {
			h.rows.announceEnd(c.row, h.m)
		}
	}
	for _, c := range waiting {
		if !h.enough(c.row, c.shared) {
			continue
		}
		f := found{id: c.row, shared: c.shared, weight: c.weight, degree: h.degree(c.row)}
		if h.hopeless(f) {
			continue
		}
		full := h.full()
		h.add(f)
		if !full && h.full() && !h.patient {
			h.raise()
			continue
		}
		h.least = h.best.least(h.support)
		h.stale = true
	}
}

// promise ranks what is counted of a row, roughly, by the most that its score
// may be: eight times the logarithm of the cosine, without what is common to
// all, or of the lift.
func (h *choose) promise(r, shared uint32) int {
	of, floor := logOfFloor(toFloor(shared)), logOfFloor(max(h.floors.of(r), toFloor(shared)))
	if h.measure == Lift {
		return of - floor
	}
	return 2*of - floor
}

// chooseNoted considers what is noted: first what promises most, so that little
// of the rest needs a closer look. Which is first changes no answer.
func chooseNoted[C counter](h *choose, s *scratch, counts []C, noted []uint32) {
	defer h.settle()
	if h.k <= 0 || !h.search || len(noted) < 8*h.k {
		for k, r := range noted {
			if h.stale && k%256 == 0 {
				h.raise()
			}
			h.consider(r, uint32(counts[r]), 0)
		}
		return
	}
	s.shared = slices.Grow(s.shared[:0], len(noted))[:len(noted)]
	var with [256]uint32
	for k, r := range noted {
		c := uint32(counts[r])
		s.shared[k] = c
		with[min(c, 255)]++
	}
	h.promising(s, noted, leastOf(with[:], 8*h.k))
	for k, r := range noted {
		if h.stale && k%256 == 0 {
			h.raise()
		}
		h.consider(r, s.shared[k], 0)
	}
}

// leastOf returns the least number that so many have or exceed, given how many
// have each.
func leastOf(with []uint32, many int) int {
	k := len(with) - 1
	for sum := int(with[k]); k > 0 && sum < many; sum += int(with[k]) {
		k--
	}
	return k
}

// promising considers what promises most of what is noted and shares so much,
// and forgets what is shared.
func (h *choose) promising(s *scratch, noted []uint32, shared int) {
	const promises = 512
	var with [promises]uint32
	s.promises = s.promises[:0]
	h.patient = true
	for k, c := range s.shared {
		if int(c) >= shared {
			p := min(max(0, promises/2+h.promise(noted[k], c)), promises-1)
			with[p]++
			s.promises = append(s.promises, promised{uint32(k), uint32(p)})
		}
	}
	first := leastOf(with[:], 2*h.k)
	for _, p := range s.promises {
		if int(p.promise) >= first {
			h.consider(noted[p.at], s.shared[p.at], 0)
			s.shared[p.at] = 0
		}
	}
	h.settle()
	h.patient = false
	h.raise()
}

// sweep considers all counters and clears them. What is as popular as the row in
// the middle is likelier to be near: begun there, the rest is measured by what
// is good already.
func sweep[C counter](h *choose, s *scratch, n int) {
	var c C
	lanes := 8 / int(unsafe.Sizeof(c))
	words := s.words[:(n+lanes-1)/lanes]
	start := min(int(h.own)/lanes, len(words))
	sweepWords[C](h, words, start, len(words))
	sweepWords[C](h, words, 0, start)
	h.settle()
}

// sweepWords reads eight bytes at once and looks closer only where one of the
// counters in them may be enough.
func sweepWords[C counter](h *choose, words []uint64, from, to int) {
	const raiseAfter = 256
	var c C
	width := 8 * uint(unsafe.Sizeof(c))
	lanes := 64 / width
	ones := ^uint64(0) / (1<<width - 1) // 1 in each counter
	half := uint64(1) << (width - 1)
	high := ones * half
	raised := from
	for w := from; w < to; w++ {
		x := words[w]
		if x == 0 {
			continue
		}
		words[w] = 0
		if h.stale && w-raised > raiseAfter {
			h.raise()
			raised = w
		}
		// The highest bit of each counter that is the least or more; at most half
		// of what a counter holds is asked for, so that no sum flows over.
		enough := half - min(uint64(h.least), half)
		for is := (x&^high + enough*ones | x) & high; is != 0; is &= is - 1 {
			lane := uint(bits.TrailingZeros64(is)) / width
			r, shared := uint32(w)*uint32(lanes)+uint32(lane), uint32(C(x>>(lane*width)))
			if h.enough(r, shared) {
				h.consider(r, shared, 0)
			}
		}
	}
}

// needed returns a number of shared users below which nothing of that degree or
// a higher one is kept any more. It may be too low, never too high.
func (b *best) needed(degree uint32) uint32 {
	last, ok := b.last()
	if !ok {
		return 0
	}
	var n float64
	switch b.measure {
	case Cosine:
		n = math.Sqrt(float64(square(last.shared)) * float64(degree) / float64(last.degree))
	case Jaccard:
		n = float64(last.shared) * (float64(b.middle) + float64(degree)) / (float64(b.union(last)) + float64(last.shared))
	case Lift:
		n = float64(last.shared) * float64(degree) / float64(last.degree)
	}
	// Less than what rounding may have added.
	return uint32(max(0, n*(1-1e-9)))
}
