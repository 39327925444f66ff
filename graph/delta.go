package graph

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"sort"
)

// With returns the graph with more interactions, and writes nothing to disk. The
// graph itself stays as it is; the two share all rows that did not change, so
// that the result must not be used after the graph is closed:
//
//	offsets, ids, times ...        patched   patch
//	row 0 | row 1 | row 2     +    1 -> 0    row 1 as it is now | row 3, new
//
// Rows that changed are kept whole, so that a query reads one list or the other,
// never both. The work grows with the rows that change: a visitor with a history
// of his own costs no more than the audiences of its items.
func (g *Graph) With(log []Interaction) (*Graph, error) {
	w := &Graph{userIDs: g.userIDs, itemIDs: g.itemIDs, base: g.base, latest: g.latest, checkpoints: g.checkpoints, users: g.users, items: g.items, pairs: g.pairs, file: g.file}
	users, items := g.userIDs.interner(), g.itemIDs.interner()
	changes := make([]change, 0, len(log))
	for k, in := range log {
		if err := check(in); err != nil {
			return nil, fmt.Errorf("row %d: %w", k+1, err)
		}
		if in.Time < g.base || uint64(in.Time)-uint64(g.base) > math.MaxUint32 {
			return nil, fmt.Errorf("row %d: its time %d is out of the graph's reach, which is from %d to %d: build the graph anew, of all interactions", k+1, in.Time, g.base, g.base+math.MaxUint32)
		}
		since := uint32(in.Time - g.base)
		changes = append(changes, change{users.intern(in.User), items.intern(in.Item), since, in.Rating + 0})
	}
	w.userIDs, w.itemIDs = g.userIDs.with(users.ids), g.itemIDs.with(items.ids)
	w.users.change(changes, &w.itemIDs, func(c change) (row, other uint32) { return c.user, c.item })
	w.items.change(changes, &w.userIDs, func(c change) (row, other uint32) { return c.item, c.user })
	w.pairs += w.users.entries() - g.users.entries()
	w.latest = 0
	for t := range w.items.lastTimes(w.Items()) {
		w.latest = max(w.latest, uint64(t))
	}
	return w, nil
}

// change is an interaction that is added.
type change struct {
	user, item uint32
	time       uint32 // seconds since the base
	rating     float32
}

// lateInterner numbers strings that names does not know, after those it does.
type lateInterner struct {
	interner
	names *names
}

func (n *names) interner() *lateInterner { return &lateInterner{names: n} }

func (n *lateInterner) intern(id string) uint32 {
	if k, ok := n.names.find(id); ok {
		return k
	}
	return uint32(n.names.len()) + n.interner.intern(id)
}

// event is an entry of a row that is being changed.
type event struct {
	other  uint32
	time   uint32
	rating float32
}

// change adds to rows what has changed.
func (l *lists) change(changes []change, others *names, ends func(change) (row, other uint32)) {
	rows := map[uint32][]event{}
	for r := range l.patched {
		rows[r] = nil
	}
	for _, c := range changes {
		row, other := ends(c)
		rows[row] = append(rows[row], event{other, c.time, c.rating})
	}
	old := *l
	l.patched = make(map[uint32]uint32, len(rows))
	l.patch = &lists{offsets: []uint32{0}}
	var ratings palette
	var numbers []uint32
	order := make([]uint32, 0, len(rows))
	for r := range rows {
		order = append(order, r)
	}
	slices.Sort(order)
	for _, r := range order {
		l.patched[r] = uint32(len(l.patch.offsets) - 1)
		for _, e := range merge(old.events(r), rows[r], others) {
			l.patch.ids, l.patch.times = append(l.patch.ids, e.other), append(l.patch.times, e.time)
			numbers = append(numbers, ratings.number(e.rating))
		}
		l.patch.offsets = append(l.patch.offsets, uint32(len(l.patch.ids)))
	}
	l.late = l.lateOf(order)
	table, to := ratings.sorted()
	packed := newCodes(table, len(numbers))
	for k, n := range numbers {
		packed.set(k, to[n])
	}
	l.patch.ratings = packed.pack(&builder{BuildConfig: BuildConfig{Workers: 1}})
}

// events returns the entries of a row, none if it is new.
func (l *lists) events(r uint32) []event {
	in, at := l.row(r)
	if int(at) >= len(in.offsets)-1 {
		return nil
	}
	from, to := in.offsets[at], in.offsets[at+1]
	events := make([]event, 0, to-from)
	for k := from; k < to; k++ {
		events = append(events, event{in.ids[k], in.times[k], in.ratings.at(k)})
	}
	return events
}

// merge returns the events of a row, one for each other end, in the row's order.
// The old ones are in that order and distinct already, so that a long row costs
// one walk, however few are late.
func merge(old, late []event, others *names) []event {
	if len(late) == 0 {
		return old
	}
	earlier := func(a, b event) bool {
		return cmp.Or(cmp.Compare(a.time, b.time), cmp.Compare(b.rating, a.rating)) < 0
	}
	best := make(map[uint32]event, len(late))
	for _, e := range late {
		if b, ok := best[e.other]; !ok || earlier(e, b) {
			best[e.other] = e
		}
	}
	kept := old[:0]
	for _, e := range old {
		if b, ok := best[e.other]; ok {
			if earlier(b, e) {
				continue
			}
			delete(best, e.other)
		}
		kept = append(kept, e)
	}
	added := slices.Collect(maps.Values(best)) // in no order, but for the next line
	order := func(a, b event) int {
		return cmp.Or(cmp.Compare(a.time, b.time), others.compare(a.other, b.other))
	}
	slices.SortFunc(added, order)
	all := make([]event, 0, len(kept)+len(added))
	for _, e := range kept {
		for len(added) > 0 && order(added[0], e) < 0 {
			all, added = append(all, added[0]), added[1:]
		}
		all = append(all, e)
	}
	return append(all, added...)
}

// late is what queries need to know of the rows in a patch together.
type late struct {
	falling  []uint32 // the rows, descending by length
	first    []uint32 // the first times, ascending
	replaced []uint32 // the first times that those of them had that are not new, ascending
}

// lateOf sums up the rows that the patch has.
func (l *lists) lateOf(rows []uint32) (t late) {
	for _, r := range rows {
		if int(r) < len(l.offsets)-1 {
			t.replaced = append(t.replaced, l.times[l.offsets[r]])
		}
		t.first = append(t.first, l.patch.times[l.patch.offsets[l.patched[r]]])
	}
	slices.Sort(t.replaced)
	slices.Sort(t.first)
	t.falling = slices.SortedFunc(slices.Values(rows), func(a, b uint32) int {
		return cmp.Or(cmp.Compare(l.patchedLen(b), l.patchedLen(a)), cmp.Compare(a, b))
	})
	return t
}

// patchedLen returns the length of a row of the patch.
func (l *lists) patchedLen(r uint32) uint32 {
	p := l.patched[r]
	return l.patch.offsets[p+1] - l.patch.offsets[p]
}

// seen returns how many rows more have an entry before the limit than without
// the patch.
func (t *late) seen(limit uint64) int {
	before := func(times []uint32) int {
		return sort.Search(len(times), func(k int) bool { return uint64(times[k]) >= limit })
	}
	return before(t.first) - before(t.replaced)
}

// pullChanged is pull for the changed rows, the longest first, that have at least
// so many entries as the next of the others. It returns those that are left, and
// adds to spent what it has read.
func (c *Cut) pullChanged(h *choose, s *scratch, changed []uint32, least uint32, spent *int) []uint32 {
	for len(changed) > 0 {
		n := h.rows.patchedLen(changed[0])
		if n < least || n < h.support || h.tooFew(n) {
			break
		}
		*spent += c.pullOne(h, s, changed[0])
		changed = changed[1:]
	}
	return changed
}

// entries returns the number of entries of all rows.
func (l *lists) entries() int {
	n := len(l.ids)
	if l.patch != nil {
		n += len(l.patch.ids)
		for r := range l.patched {
			if int(r) < len(l.offsets)-1 {
				n -= int(l.offsets[r+1] - l.offsets[r])
			}
		}
	}
	return n
}

// Folded returns the graph that the log makes at once, without a delta: the
// graph itself if it has none.
func (g *Graph) Folded(c BuildConfig) (*Graph, error) {
	folded, err := g.folded(c)
	if err != nil {
		return nil, fmt.Errorf("fold graph: %w", err)
	}
	return folded, nil
}

// folded returns the graph that the log makes at once, without a delta.
func (g *Graph) folded(c BuildConfig) (*Graph, error) {
	if g.users.patch == nil {
		return g, nil
	}
	b := builder{BuildConfig: c, base: g.base, entries: make([]entry, 0, g.pairs)}
	var ratings palette
	for u := range uint32(g.Users()) {
		in, at := g.users.row(u)
		for k := in.offsets[at]; k < in.offsets[at+1]; k++ {
			b.entries = append(b.entries, entry{u, in.ids[k], in.times[k], ratings.number(in.ratings.at(k))})
		}
	}
	table, codes := ratings.sorted()
	for k := range b.entries {
		b.entries[k].rating = codes[b.entries[k].rating]
	}
	b.table = table
	b.users, b.items = g.userIDs.side(), g.itemIDs.side()
	return b.build()
}

// side returns the names as a build takes them.
func (n *names) side() side {
	s := side{ids: make([]string, 0, n.len()), sorted: make([]uint32, 0, n.len())}
	for k := range n.all() {
		s.ids, s.sorted = append(s.ids, n.id(k)), append(s.sorted, k)
	}
	return s
}
