package graph

import (
	"cmp"
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
	room         []entry // as long as entries: to move them to
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
	b.room = make([]entry, len(b.entries))
	b.tell(0.1, "sort by time")
	b.sortByTime()
	for {
		b.tell(0.3, "count")
		b.relabel()
		var err error
		if g.userIDs, err = newNames(b.users.ids, b.users.sorted); err != nil {
			return nil, err
		}
		if g.itemIDs, err = newNames(b.items.ids, b.items.sorted); err != nil {
			return nil, err
		}
		for k := range g.checkpoints {
			if n := len(b.entries); n > 0 {
				g.checkpoints[k] = b.entries[(k+1)*n/(len(g.checkpoints)+1)].time
			}
		}
		b.tell(0.4, "lists of users")
		g.users = b.scatter(&b.users, &g.itemIDs, &g.checkpoints, false)
		repeated := g.users.repeats(len(b.items.ids), b.workers())
		if len(repeated) == 0 {
			break
		}
		b.tell(0.5, "one of each pair")
		b.earliestOfPairs(repeated)
	}
	b.tell(0.7, "lists of items")
	g.items = b.scatter(&b.items, &g.userIDs, &g.checkpoints, true)
	if g.pairs = len(b.entries); g.pairs > 0 {
		g.latest = uint64(b.entries[g.pairs-1].time)
	}
	b.tell(1, "done")
	return g, nil
}

// sortByTime sorts the entries by time if they are not sorted: three stable
// passes by 11 bits each.
func (b *builder) sortByTime() {
	if slices.IsSortedFunc(b.entries, func(a, b entry) int { return cmp.Compare(a.time, b.time) }) {
		return
	}
	for shift := 0; shift < 32; shift += 11 {
		b.partition(1<<11, func(e *entry) uint32 { return e.time >> shift & (1<<11 - 1) })
	}
}

// partition moves the entries into buckets, each in the order that they had,
// and returns where each bucket ends.
func (b *builder) partition(buckets int, of func(*entry) uint32) (ends []int) {
	parts := b.workers()
	n := len(b.entries)
	counts := make([][]int, parts)
	b.each(parts, func(part int) {
		counts[part] = make([]int, buckets)
		for k := part * n / parts; k < (part+1)*n/parts; k++ {
			counts[part][of(&b.entries[k])]++
		}
	})
	ends = make([]int, buckets)
	next := 0
	for bucket := range buckets {
		for part := range counts {
			counts[part][bucket], next = next, next+counts[part][bucket]
		}
		ends[bucket] = next
	}
	b.each(parts, func(part int) {
		to := counts[part]
		for k := part * n / parts; k < (part+1)*n/parts; k++ {
			bucket := of(&b.entries[k])
			b.room[to[bucket]] = b.entries[k]
			to[bucket]++
		}
	})
	b.entries, b.room = b.room, b.entries
	return ends
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

// relabel numbers users and items by popularity: descending by degree, ties by
// external id. Those without an entry are dropped.
func (b *builder) relabel() {
	sides := []*side{&b.users, &b.items}
	maps := make([][]uint32, len(sides))
	b.each(len(sides), func(k int) {
		s := sides[k]
		s.degrees = make([]uint32, len(s.ids))
		if k == 0 {
			for i := range b.entries {
				s.degrees[b.entries[i].user]++
			}
		} else {
			for i := range b.entries {
				s.degrees[b.entries[i].item]++
			}
		}
		maps[k] = s.byPopularity()
	})
	parts, n := b.workers(), len(b.entries)
	b.each(parts, func(part int) {
		for k := part * n / parts; k < (part+1)*n/parts; k++ {
			e := &b.entries[k]
			e.user, e.item = maps[0][e.user], maps[1][e.item]
		}
	})
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

// repeats returns the rows that name another end twice, as a set.
func (l *lists) repeats(others, workers int) map[uint32]bool {
	found := map[uint32]bool{}
	var mu sync.Mutex
	rows := len(l.offsets) - 1
	b := builder{BuildConfig: BuildConfig{Workers: workers}}
	b.each(workers, func(part int) {
		seen := make([]uint32, others) // the row, plus 1, that last named it
		for r := part * rows / workers; r < (part+1)*rows/workers; r++ {
			for _, j := range l.ids[l.offsets[r]:l.offsets[r+1]] {
				if seen[j] == uint32(r)+1 {
					mu.Lock()
					found[uint32(r)] = true
					mu.Unlock()
				}
				seen[j] = uint32(r) + 1
			}
		}
	})
	return found
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
