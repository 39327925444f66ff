package gold

import (
	"cmp"
	"slices"
	"sort"

	"github.com/mars-rec/mars/graph"
)

// history is the whole log, arranged so that the pool of any moment is a
// prefix:
//
//	items   by first interaction, ties by id   a b c | d e     as of T: a b c
//	events  by time, ties by item              a a b a c | d   as of T: a a b a c
//
// A draw from a prefix cannot depend on what comes after it. An item is known
// by its place in items.
type history struct {
	end    *graph.Cut // after everything
	items  []graph.Item
	first  []int64 // by place: Unix seconds of the item's first interaction
	place  []int   // by graph.Item
	events []event // only where asked for
}

// event is an interaction without its user.
type event struct {
	time int64  // Unix seconds
	item uint32 // place
}

func arrange(g *graph.Graph, withEvents bool) *history {
	end := g.At(g.End())
	h := &history{end: end, place: make([]int, g.Items())}
	first := make([]int64, g.Items()) // by graph.Item
	for i := range end.AllItems() {
		h.items = append(h.items, i)
		first[i] = end.Audience(i)[0].Time.Unix()
	}
	// AllItems goes by id, and the sort is stable: ties stay by id.
	slices.SortStableFunc(h.items, func(a, b graph.Item) int { return cmp.Compare(first[a], first[b]) })
	h.first = make([]int64, len(h.items))
	for p, i := range h.items {
		h.first[p], h.place[i] = first[i], p
	}
	if !withEvents {
		return h
	}
	h.events = make([]event, 0, g.Interactions())
	for p, i := range h.items {
		for _, e := range end.Audience(i) {
			h.events = append(h.events, event{e.Time.Unix(), uint32(p)})
		}
	}
	slices.SortFunc(h.events, func(a, b event) int {
		return cmp.Or(cmp.Compare(a.time, b.time), cmp.Compare(a.item, b.item))
	})
	return h
}

// known returns how many items had an interaction before t: they are the first
// ones of items.
func (h *history) known(t int64) int {
	return sort.Search(len(h.first), func(p int) bool { return h.first[p] >= t })
}

// before returns the events before t.
func (h *history) before(t int64) []event {
	return h.events[:sort.Search(len(h.events), func(n int) bool { return h.events[n].time >= t })]
}

// touched returns the places of all items that the user ever touched, in the
// whole log, ascending.
func (h *history) touched(u graph.User) []int {
	events := h.end.History(u)
	places := make([]int, len(events))
	for n, e := range events {
		places[n] = h.place[e.Item]
	}
	slices.Sort(places)
	return places
}
