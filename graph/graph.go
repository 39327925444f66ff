// Package graph is the user-item graph: who had what, and when. It answers the
// questions of collaborative filtering as of any moment of the past.
//
// The graph is bipartite. It is kept as two sets of lists, one per direction,
// each compressed by rows (CSR), each list ascending by time:
//
//	user -> items                            item -> users
//	 ann | dune 3s   emma 5s | emil 9s        dune | ann 3s   bob 4s |
//	 bob | dune 4s         | ulysses 8s       emma | ann 5s          |
//	                       ^                                         ^
//	                       cut at 7s: only what is left of it exists
//
// A [Cut] is the graph as of a moment. Because the lists are sorted by time,
// what was known at that moment is a prefix of each list, found by binary
// search. Everything a Cut tells (lists, counts, degrees, normalisers, weights)
// is taken from these prefixes, so that no answer knows the future.
//
// # Definitions
//
// An interaction is a user, an item, a time in whole seconds and perhaps a
// rating. Of a pair's interactions the earliest counts. An interaction is
// visible at T if its time is strictly before T. All of the following is as of
// the cut:
//
//	shared(i,j)  users who have both i and j
//	cosine(i,j)  shared / √(deg(i)·deg(j))
//	jaccard(i,j) shared / (deg(i) + deg(j) − shared)
//	lift(i,j)    shared · users / (deg(i)·deg(j))
//	iuf(i,j)     Σ 1/ln(1+deg(u)) over the shared users u, / √(deg(i)·deg(j))
//
// The last is cosine with inverse user frequency: who has everything says
// little (Breese, Heckerman and Kadie 1998). Its weights are rounded to
// multiples of 2⁻¹⁴, so that a sum does not depend on its order.
//
// # Order
//
// Every list of answers has one order: best first, ties by external id,
// ascending as bytes. Internal ids ([User], [Item]) are handles within one
// graph; they go by popularity, which keeps what is asked for most close
// together, and nothing that is returned depends on their values.
package graph

import (
	"sync"
	"time"
)

// Interaction is one row of a log: a user did something with an item.
type Interaction struct {
	User, Item string
	Time       int64   // Unix seconds
	Rating     float32 // in the source's stars; 0: none
}

// User is a graph's internal id of a user: valid in that graph and its cuts.
type User uint32

// Item is a graph's internal id of an item: valid in that graph and its cuts.
type Item uint32

// Event is an interaction as a cut shows it.
type Event struct {
	User   User
	Item   Item
	Time   time.Time // UTC
	Rating float32   // in the source's stars; 0: none
}

// Graph holds a whole log. It is immutable and safe for concurrent use. It is
// made by [Build] or [Open] and asked through [Graph.At].
type Graph struct {
	userIDs, itemIDs names
	base             int64  // Unix seconds; times in the lists count from here
	latest           uint64 // time of the last entry; 0 without any
	checkpoints      ticks
	users            lists // of each user: items
	items            lists // of each item: users
	pairs            int

	recent recent
	pool   sync.Pool // of *scratch
	file   *mapping  // nil if in memory
}

// Users returns the number of users in the whole log.
func (g *Graph) Users() int { return g.userIDs.len() }

// Items returns the number of items in the whole log.
func (g *Graph) Items() int { return g.itemIDs.len() }

// Interactions returns the number of distinct pairs in the whole log.
func (g *Graph) Interactions() int { return g.pairs }

// End returns the earliest moment at which the whole log is visible: a second
// after the last interaction. It is the zero time for an empty log.
func (g *Graph) End() time.Time {
	if g.pairs == 0 {
		return time.Time{}
	}
	return time.Unix(g.base+int64(g.latest)+1, 0).UTC()
}

// Quantile returns the time of the interaction before which a share q (0 to 1)
// of the log lies: the one at position ⌊q·n⌋ of the n interactions sorted by
// time. For q = 1 it is [Graph.End]. It is the zero time for an empty log.
func (g *Graph) Quantile(q float64) time.Time {
	if g.pairs == 0 {
		return time.Time{}
	}
	at := int(min(max(q, 0), 1) * float64(g.pairs))
	if at == g.pairs {
		return g.End()
	}
	// The upper half of the time's bits first, then the lower: two passes, and
	// no sorted copy of all times.
	high := 0
	for half := range 2 {
		counts := make([]int, 1<<16)
		for t := range g.items.all(g.Items()) {
			switch {
			case half == 0:
				counts[t>>16]++
			case int(t>>16) == high:
				counts[t&0xffff]++
			}
		}
		k := 0
		for ; at >= counts[k]; k++ {
			at -= counts[k]
		}
		if half == 1 {
			return time.Unix(g.base+int64(high<<16|k), 0).UTC()
		}
		high = k
	}
	panic("unreachable")
}

// Close releases what the graph holds. No cut of it may be used afterwards.
func (g *Graph) Close() error {
	if g.file == nil {
		return nil
	}
	return g.file.close()
}
