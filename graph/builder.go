package graph

import (
	"cmp"
	"errors"
	"slices"
	"sync"
)

// builder makes a graph of entries, in steps that each take the entries once:
//
//	entries ──by time──> sorted ──relabelled──> by popularity ──scatter──> users' lists, items' lists
//	                       ^                                       │
//	                       └── one of each pair, where pairs repeat┘
type builder struct {
	BuildConfig
	entries      []entry
	inOrder      bool    // of time, as far as is known
	room         []entry // as long as entries: to move them to
	base         int64
	table        []float32 // of ratings
	users, items side
}

// side is what a build knows of the users, or of the items.
type side struct {
	ids     []string // ascending as bytes
	sorted  []uint32 // by position in ids: the number in the entries
	degrees []uint32 // by number; nil: not counted yet
}

func (b *builder) build() (*Graph, error) {
	g := &Graph{base: b.base}
	b.room = roomFor[entry](len(b.entries))
	b.tell(0.1, "sort by time")
	b.sortByTime()
	for {
		b.tell(0.2, "count")
		users, items := b.numbers()
		var errs [2]error
		b.each(2, func(k int) {
			if k == 0 {
				g.userIDs, errs[k] = newNames(b.users.ids, b.users.sorted)
			} else {
				g.itemIDs, errs[k] = newNames(b.items.ids, b.items.sorted)
			}
		})
		if err := errors.Join(errs[:]...); err != nil {
			return nil, err
		}
		for k := range g.checkpoints {
			if n := len(b.entries); n > 0 {
				g.checkpoints[k] = b.entries[(k+1)*n/(len(g.checkpoints)+1)].time
			}
		}
		b.tell(0.4, "lists of users")
		var repeated map[uint32]bool
		g.users, repeated = b.scatter(direction{side: &b.users, others: &g.itemIDs, ticks: &g.checkpoints, renumber: func(part []entry) {
			for k := range part {
				e := &part[k]
				e.user, e.item = users[e.user], items[e.item]
			}
		}})
		if len(repeated) == 0 {
			break
		}
		b.tell(0.5, "one of each pair")
		b.earliestOfPairs(repeated)
	}
	b.tell(0.7, "lists of items")
	g.items, _ = b.scatter(direction{side: &b.items, others: &g.userIDs, ticks: &g.checkpoints, items: true})
	if g.pairs = len(b.entries); g.pairs > 0 {
		g.latest = uint64(b.entries[g.pairs-1].time)
	}
	b.tell(1, "done")
	return g, nil
}

// sortByTime sorts the entries by time if they are not sorted: three stable
// passes by 11 bits each.
func (b *builder) sortByTime() {
	if b.inOrder || slices.IsSortedFunc(b.entries, func(a, b entry) int { return cmp.Compare(a.time, b.time) }) {
		return
	}
	for shift := 0; shift < 32; shift += 11 {
		b.partition(1<<11, nil, func(part []entry, in []uint16) {
			for k := range part {
				in[k] = uint16(part[k].time >> shift & (1<<11 - 1))
			}
		})
	}
}

// partition moves the entries into buckets, each in the order that they had.
// Before, it calls prepare, if there is one, once with each stretch of entries,
// which may change them; of says which bucket each entry of a stretch is in.
func (b *builder) partition(buckets int, prepare func(part []entry), of func(part []entry, in []uint16)) {
	parts := b.workers()
	n := len(b.entries)
	counts := make([][]int, parts)
	b.each(parts, func(part int) {
		to := make([]int, buckets)
		eachStretch(b.entries[part*n/parts:(part+1)*n/parts], func(entries []entry, in []uint16) {
			if prepare != nil {
				prepare(entries)
			}
			of(entries, in)
			for _, bucket := range in {
				to[bucket]++
			}
		})
		counts[part] = to
	})
	next := 0
	for bucket := range buckets {
		for part := range counts {
			counts[part][bucket], next = next, next+counts[part][bucket]
		}
	}
	b.each(parts, func(part int) {
		to, room := counts[part], b.room
		eachStretch(b.entries[part*n/parts:(part+1)*n/parts], func(entries []entry, in []uint16) {
			of(entries, in)
			for k, bucket := range in {
				at := to[bucket]
				room[at] = entries[k]
				to[bucket] = at + 1
			}
		})
	})
	b.entries, b.room = b.room, b.entries
}

// eachStretch calls do with a few entries at a time, and room for the bucket of
// each.
func eachStretch(entries []entry, do func(entries []entry, in []uint16)) {
	var in [1024]uint16
	for len(entries) > 0 {
		n := min(len(in), len(entries))
		do(entries[:n], in[:n])
		entries = entries[n:]
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
	b.count()
	b.each(2, func(k int) {
		if k == 0 {
			users = b.users.byPopularity()
		} else {
			items = b.items.byPopularity()
		}
	})
	return users, items
}

// count counts the entries of each user and item, unless that is done.
func (b *builder) count() {
	if b.users.degrees != nil && b.items.degrees != nil {
		return
	}
	parts, n := b.workers(), len(b.entries)
	tallies := make([]tally, parts)
	b.each(parts, func(part int) {
		t := &tallies[part]
		t.users, t.items = make([]uint32, len(b.users.ids)), make([]uint32, len(b.items.ids))
		for _, e := range b.entries[part*n/parts : (part+1)*n/parts] {
			t.users[e.user]++
			t.items[e.item]++
		}
	})
	b.users.degrees, b.items.degrees = sums(tallies)
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
	b.users.degrees, b.items.degrees = nil, nil
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
