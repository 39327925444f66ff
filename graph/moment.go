package graph

import (
	"sort"
	"sync"
	"sync/atomic"
)

// moment is a time, and what is worth keeping about it: cuts at the same time
// share it.
type moment struct {
	limit      uint64 // seconds since the graph's base: entries below it are visible
	latest     uint64 // time of the last entry of all
	checkpoint int    // the checkpoints up to the limit
	tick       uint8  // of the last second that is visible: a row that ends before it is visible whole

	users, items ends
	count        sync.Once // of ends.seen
	countPairs   sync.Once
	pairs        int
}

// ends keeps where the visible part of each row ends, once so many rows were
// searched that to search all of them would not have cost much more.
type ends struct {
	searched atomic.Int64
	known    atomic.Pointer[[]uint32]
	making   atomic.Bool
	seen     int // rows with a visible entry
}

// note counts rows that were searched.
func (e *ends) note(n int) { e.searched.Add(int64(n)) }

// span returns the visible part of a row.
func (e *ends) span(l *lists, m *moment, r uint32) span {
	if known := e.of(l, m, 1); known != nil {
		return span{l, l.offsets[r], known[r]}
	}
	in, from, to := l.prefix(r, m)
	return span{in, from, to}
}

// seen returns the number of rows with a visible entry.
func (l *lists) seen(m *moment) int {
	n := l.firsts.before(m.limit)
	if l.patch == nil {
		return n
	}
	return n + l.late.seen(m.limit)
}

// of returns the ends of all rows, or nil as long as they are not kept; n is
// how many the caller is about to ask for.
func (e *ends) of(l *lists, m *moment, n int) []uint32 {
	if m.limit > m.latest || l.patch != nil {
		return nil
	}
	if known := e.known.Load(); known != nil {
		return *known
	}
	rows := len(l.offsets) - 1
	if e.searched.Add(int64(n)) < int64(rows) || !e.making.CompareAndSwap(false, true) {
		return nil
	}
	all := make([]uint32, rows)
	for r := range all {
		all[r] = l.end(uint32(r), m)
	}
	e.known.Store(&all)
	return all
}

// momentsKept bounds the moments whose searches are kept by the graph; cuts
// hold theirs.
const momentsKept = 8

// recent holds the moments last asked for.
type recent struct {
	sync.Mutex
	moments []*moment // the last one asked for at the end
}

// moment returns the moment at a limit, the same for equal limits as long as it
// is recent.
func (g *Graph) moment(limit uint64) *moment {
	limit = min(limit, g.latest+1) // all later moments are alike
	g.recent.Lock()
	defer g.recent.Unlock()
	kept := g.recent.moments
	for k, m := range kept {
		if m.limit == limit {
			copy(kept[k:], kept[k+1:])
			kept[len(kept)-1] = m
			return m
		}
	}
	m := &moment{limit: limit, latest: g.latest}
	m.checkpoint = sort.Search(checkpoints, func(k int) bool { return uint64(g.checkpoints.checkpoint(k)) > limit })
	if limit > 0 {
		m.tick = g.checkpoints.of(uint32(limit - 1))
	}
	if len(kept) == momentsKept {
		copy(kept, kept[1:])
		kept = kept[:momentsKept-1]
	}
	g.recent.moments = append(kept, m)
	return m
}
