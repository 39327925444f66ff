package graph

import (
	"cmp"
	"fmt"
	"iter"
	"math"
	"slices"
)

// maxID bounds the length of an external id, in bytes.
const maxID = 4096

// entry is an interaction in internal ids.
type entry struct {
	user, item uint32
	time       uint32 // seconds since the base
	rating     float32
}

// Build makes a graph of a log in any order. Of a pair's interactions the
// earliest stays; of those in the same second, the one with the highest rating.
// The same interactions in another order make the same graph, to the byte of
// its snapshot.
//
// An error of the log ends the build and is returned. So does a row with an id
// that is empty or longer than 4096 bytes, or with a rating that is not finite,
// and a log that spans more than 136 years.
func Build(log iter.Seq2[Interaction, error]) (*Graph, error) {
	var users, items interner
	var rows []row
	for in, err := range log {
		if err != nil {
			return nil, fmt.Errorf("build graph: row %d: %w", len(rows)+1, err)
		}
		if err := check(in); err != nil {
			return nil, fmt.Errorf("build graph: row %d: %w", len(rows)+1, err)
		}
		rows = append(rows, row{users.intern(in.User), items.intern(in.Item), in.Time, in.Rating})
	}
	g := &Graph{}
	if len(rows) > 0 {
		earliest, latest := rows[0].time, rows[0].time
		for _, r := range rows {
			earliest, latest = min(earliest, r.time), max(latest, r.time)
		}
		// The difference of two int64 is exact as a uint64.
		if uint64(latest)-uint64(earliest) > math.MaxUint32 {
			return nil, fmt.Errorf("build graph: times from %d to %d, in Unix seconds, span more than 136 years: are some in milliseconds?", earliest, latest)
		}
		g.base = earliest
	}
	var userRank, itemRank []uint32
	g.userIDs, userRank = users.sorted()
	g.itemIDs, itemRank = items.sorted()
	entries := make([]entry, len(rows))
	for k, r := range rows {
		entries[k] = entry{userRank[r.user], itemRank[r.item], uint32(r.time - g.base), r.rating}
	}
	entries = earliestOfPairs(entries)
	// Internal ids ascend with external ids, so this one order sorts the lists of
	// users (time, item) and those of items (time, user).
	slices.SortFunc(entries, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.time, b.time), cmp.Compare(a.item, b.item), cmp.Compare(a.user, b.user))
	})
	user := func(e entry) uint32 { return e.user }
	item := func(e entry) uint32 { return e.item }
	g.users = scatter(len(g.userIDs), entries, user, item)
	g.items = scatter(len(g.itemIDs), entries, item, user)
	return g, nil
}

func check(in Interaction) error {
	switch {
	case in.User == "":
		return fmt.Errorf("the user id is empty")
	case in.Item == "":
		return fmt.Errorf("the item id is empty")
	case len(in.User) > maxID || len(in.Item) > maxID:
		return fmt.Errorf("an id is longer than %d bytes", maxID)
	case math.IsNaN(float64(in.Rating)) || math.IsInf(float64(in.Rating), 0):
		return fmt.Errorf("the rating %v is not a finite number", in.Rating)
	}
	return nil
}

// earliestOfPairs keeps one entry of each pair. It reorders entries.
func earliestOfPairs(entries []entry) []entry {
	slices.SortFunc(entries, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.user, b.user), cmp.Compare(a.item, b.item),
			cmp.Compare(a.time, b.time), cmp.Compare(b.rating, a.rating))
	})
	return slices.CompactFunc(entries, func(a, b entry) bool { return a.user == b.user && a.item == b.item })
}

// row is an interaction in the order of first appearance, before ids are sorted.
type row struct {
	user, item uint32
	time       int64
	rating     float32
}

// interner numbers strings in the order of their first appearance.
type interner struct {
	index map[string]uint32
	ids   []string
}

func (n *interner) intern(s string) uint32 {
	if k, ok := n.index[s]; ok {
		return k
	}
	if n.index == nil {
		n.index = map[string]uint32{}
	}
	k := uint32(len(n.ids))
	n.index[s] = k
	n.ids = append(n.ids, s)
	return k
}

// sorted returns the strings ascending as bytes, and where each number went.
func (n *interner) sorted() (ids []string, rank []uint32) {
	ids = slices.Sorted(slices.Values(n.ids))
	rank = make([]uint32, len(ids))
	for k, id := range ids {
		rank[n.index[id]] = uint32(k)
	}
	return ids, rank
}
