package graph

import (
	"cmp"
	"slices"
	"sync"
)

// builder makes a graph of entries. What is large is passed over as few times
// as can be, and little of it is kept:
//
//	log file, or entries ──count──> new numbers, by popularity
//	        │
//	        ├──moved to parts of users──> room ──placed──> users' lists
//	        └──moved to parts of items──> room ──placed──> items' lists
//
// Entries out of order are sorted by time before; where a pair repeats, one of
// it is kept, and the build begins again.
type builder struct {
	BuildConfig
	entries      []entry
	log          *logRows // instead of entries
	tallies      []tally  // of equal parts of the entries; nil: not counted
	room         []entry  // to move all entries to
	base         int64
	table        []float32 // of ratings
	users, items side
}

// side is what a build knows of the users, or of the items.
type side struct {
	ids     []string // ascending as bytes
	sorted  []uint32 // by position in ids: the number in the entries
	degrees []uint32 // by number
}

func (b *builder) build() (*Graph, error) {
	g := &Graph{base: b.base}
	b.tell(0.2, "count")
	b.count()
	if !b.inOrder() {
		b.gather(nil, nil)
		b.tell(0.3, "sort by time")
		b.sortByTime()
		b.count()
	}
	if b.room == nil {
		b.room = roomFor[entry](b.len())
	}
	for {
		users, items := b.numbers()
		var err error
		if g.userIDs, err = newNames(b.users.ids, b.users.sorted); err != nil {
			return nil, err
		}
		if g.itemIDs, err = newNames(b.items.ids, b.items.sorted); err != nil {
			return nil, err
		}
		n := b.len()
		for k := range g.checkpoints {
			g.checkpoints[k] = b.timeAt((k + 1) * n / (len(g.checkpoints) + 1))
		}
		b.tell(0.4, "lists of users")
		d := direction{rows: &b.users, others: &g.itemIDs, ticks: &g.checkpoints, newUsers: users, newItems: items}
		var repeated map[uint32]bool
		if g.users, repeated = b.scatter(d); len(repeated) > 0 {
			b.tell(0.5, "one of each pair")
			b.gather(users, items)
			b.earliestOfPairs(repeated)
			b.count()
			continue
		}
		b.tell(0.7, "lists of items")
		d.rows, d.others, d.items = &b.items, &g.userIDs, true
		g.items, _ = b.scatter(d)
		if g.pairs = n; n > 0 {
			g.latest = uint64(b.timeAt(n - 1))
		}
		b.tell(1, "done")
		return g, nil
	}
}

// len returns the number of entries.
func (b *builder) len() int {
	if b.log != nil {
		return b.log.n
	}
	return len(b.entries)
}

// stretch is how many entries are looked at together.
const stretch = 512

// eachStretch calls do with all entries of a part of so many, a copy of a few at
// a time.
func (b *builder) eachStretch(part, parts int, do func(entries []entry)) {
	var some [stretch]entry
	n := b.len()
	for from, end := part*n/parts, (part+1)*n/parts; from < end; from += stretch {
		entries := some[:min(stretch, end-from)]
		b.read(from, entries)
		do(entries)
	}
}

// read fills into with the entries from a position on.
func (b *builder) read(from int, into []entry) {
	if b.log != nil {
		b.log.read(from, into)
	} else {
		copy(into, b.entries[from:])
	}
}

// timeAt returns the time of an entry, 0 if there is none.
func (b *builder) timeAt(k int) uint32 {
	var one [1]entry
	if k < b.len() {
		b.read(k, one[:])
	}
	return one[0].time
}

// gather puts the entries in place that a log file has, and gives them new
// numbers, if there are any.
func (b *builder) gather(users, items []uint32) {
	all := b.entries
	if b.log != nil {
		all = roomFor[entry](b.len())
	}
	parts, n := b.workers(), b.len()
	b.each(parts, func(part int) {
		at := part * n / parts
		b.eachStretch(part, parts, func(entries []entry) {
			if users != nil {
				renumber(entries, users, items)
			}
			at += copy(all[at:], entries)
		})
	})
	b.entries, b.log, b.tallies = all, nil, nil
}

// renumber gives entries new numbers by the ones they have.
func renumber(entries []entry, users, items []uint32) {
	for k := range entries {
		e := &entries[k]
		e.user, e.item = users[e.user], items[e.item]
	}
}

// sortByTime sorts the entries by time: three stable passes by 11 bits each.
func (b *builder) sortByTime() {
	const buckets = 1 << 11
	b.room = roomFor[entry](len(b.entries))
	parts, n := b.workers(), len(b.entries)
	for shift := 0; shift < 32; shift += 11 {
		counts := make([][]int, parts)
		b.each(parts, func(part int) {
			counts[part] = make([]int, buckets)
			for _, e := range b.entries[part*n/parts : (part+1)*n/parts] {
				counts[part][e.time>>shift&(buckets-1)]++
			}
		})
		starts(counts)
		b.each(parts, func(part int) {
			to := counts[part]
			for _, e := range b.entries[part*n/parts : (part+1)*n/parts] {
				bucket := e.time >> shift & (buckets - 1)
				b.room[to[bucket]] = e
				to[bucket]++
			}
		})
		b.entries, b.room = b.room, b.entries
	}
}

// starts turns how much each part has for each bucket into where it begins: the
// buckets stand one after another, and in each the parts do.
func starts(counts [][]int) {
	next := 0
	for bucket := range counts[0] {
		for part := range counts {
			counts[part][bucket], next = next, next+counts[part][bucket]
		}
	}
}

// each calls do for 0 to n-1, several at once, and waits for all.
func (b *builder) each(n int, do func(k int)) {
	var wait sync.WaitGroup
	work := make(chan int)
	for range min(n, b.workers()) {
		wait.Go(func() {
			for k := range work {
				do(k)
			}
		})
	}
	for k := range n {
		work <- k
	}
	close(work)
	wait.Wait()
}

// numbers gives users and items new numbers by popularity: descending by degree,
// ties by external id. Those without an entry are dropped. It returns the new
// numbers by the old ones, which the entries still have.
func (b *builder) numbers() (users, items []uint32) {
	b.users.degrees, b.items.degrees = make([]uint32, len(b.users.ids)), make([]uint32, len(b.items.ids))
	for _, t := range b.tallies {
		plus(b.users.degrees, t.users)
		plus(b.items.degrees, t.items)
	}
	b.each(2, func(k int) {
		if k == 0 {
			users = b.users.byPopularity()
		} else {
			items = b.items.byPopularity()
		}
	})
	return users, items
}

// plus adds counters to others. Where there are more, they are 0.
func plus(to, counters []uint32) {
	for k, n := range counters[:min(len(to), len(counters))] {
		to[k] += n
	}
}

// byPopularity renumbers a side and returns the new numbers by the old ones.
func (s *side) byPopularity() []uint32 {
	most := uint32(0)
	for _, d := range s.degrees {
		most = max(most, d)
	}
	// A sort by counting: next[d] is the next number for a degree of d.
	next := make([]uint32, int(most)+2)
	for _, d := range s.degrees {
		next[d]++
	}
	sum := uint32(0)
	for d := most; d > 0; d-- {
		next[d], sum = sum, sum+next[d]
	}
	to := make([]uint32, len(s.degrees))
	degrees := make([]uint32, sum)
	for _, old := range s.sorted {
		if d := s.degrees[old]; d > 0 {
			to[old], degrees[next[d]] = next[d], d
			next[d]++
		}
	}
	ids, sorted := make([]string, 0, len(degrees)), make([]uint32, 0, len(degrees))
	for p, old := range s.sorted {
		if s.degrees[old] > 0 {
			ids, sorted = append(ids, s.ids[p]), append(sorted, to[old])
		}
	}
	s.ids, s.sorted, s.degrees = ids, sorted, degrees
	return to
}

// earliestOfPairs keeps one entry of each pair of the given users: the
// earliest, of those in one second the one with the highest rating.
func (b *builder) earliestOfPairs(of map[uint32]bool) {
	var pairs []entry
	rest := b.room[:0]
	for _, e := range b.entries {
		if of[e.user] {
			pairs = append(pairs, e)
		} else {
			rest = append(rest, e)
		}
	}
	slices.SortFunc(pairs, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.user, b.user), cmp.Compare(a.item, b.item),
			cmp.Compare(a.time, b.time), cmp.Compare(b.rating, a.rating))
	})
	pairs = slices.CompactFunc(pairs, func(a, b entry) bool { return a.user == b.user && a.item == b.item })
	slices.SortFunc(pairs, func(a, b entry) int { return cmp.Compare(a.time, b.time) })
	merged := b.entries[:0]
	for len(pairs) > 0 || len(rest) > 0 {
		if len(rest) == 0 || len(pairs) > 0 && pairs[0].time < rest[0].time {
			merged, pairs = append(merged, pairs[0]), pairs[1:]
		} else {
			merged, rest = append(merged, rest[0]), rest[1:]
		}
	}
	b.entries, b.room = merged, b.room[:len(merged)]
	b.tallies = nil
	b.forgetRatings()
}

// forgetRatings drops from the table the ratings that no entry has any more.
func (b *builder) forgetRatings() {
	codes := make([]uint32, len(b.table))
	for k := range b.entries {
		codes[b.entries[k].rating] = 1
	}
	var table []float32
	for old, used := range codes {
		if used == 1 {
			codes[old] = uint32(len(table))
			table = append(table, b.table[old])
		}
	}
	for k := range b.entries {
		b.entries[k].rating = codes[b.entries[k].rating]
	}
	b.table = table
}
