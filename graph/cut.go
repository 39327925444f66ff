package graph

import (
	"cmp"
	"iter"
	"slices"
	"sync"
	"time"
)

// Cut is the graph as of a moment: nothing at or after it is visible in any
// list, count, degree or score. It is safe for concurrent use.
//
// Internal ids that a Cut takes must come from the same graph; others panic or
// name someone else.
type Cut struct {
	g     *Graph
	at    int64  // Unix seconds
	limit uint64 // the same, counted from the graph's base: entries below it are visible

	count    sync.Once
	users    int
	items    int
	pairs    int
	weights  sync.Once
	weightOf []uint64 // by user: inverse user frequency, in units of 1/iufUnit
}

// At cuts the graph strictly before t. The graph's times are whole seconds,
// made so by dropping what is below a second; t is treated alike, which can
// only hide more.
func (g *Graph) At(t time.Time) *Cut {
	c := &Cut{g: g, at: t.Unix()}
	if c.at > g.base {
		c.limit = uint64(c.at) - uint64(g.base)
	}
	return c
}

// AsOf returns the moment of the cut, in whole seconds, UTC.
func (c *Cut) AsOf() time.Time { return time.Unix(c.at, 0).UTC() }

// Users returns the number of users with at least one event before the cut.
func (c *Cut) Users() int { c.totals(); return c.users }

// Items returns the number of items with at least one event before the cut.
func (c *Cut) Items() int { c.totals(); return c.items }

// Interactions returns the number of events before the cut.
func (c *Cut) Interactions() int { c.totals(); return c.pairs }

func (c *Cut) totals() {
	c.count.Do(func() {
		for u := range c.g.userIDs {
			if d := c.UserDegree(User(u)); d > 0 {
				c.users++
				c.pairs += d
			}
		}
		for range c.AllItems() {
			c.items++
		}
	})
}

// AllUsers yields the users with at least one event before the cut, by external
// id, ascending as bytes.
func (c *Cut) AllUsers() iter.Seq[User] {
	return func(yield func(User) bool) {
		for u := range c.g.userIDs {
			if c.UserDegree(User(u)) > 0 && !yield(User(u)) {
				return
			}
		}
	}
}

// AllItems yields the items with at least one event before the cut, by external
// id, ascending as bytes.
func (c *Cut) AllItems() iter.Seq[Item] {
	return func(yield func(Item) bool) {
		for i := range c.g.itemIDs {
			if c.ItemDegree(Item(i)) > 0 && !yield(Item(i)) {
				return
			}
		}
	}
}

// User returns the user with that external id; false if there is none with an
// event before the cut.
func (c *Cut) User(id string) (User, bool) {
	u, ok := slices.BinarySearch(c.g.userIDs, id)
	return User(u), ok && c.UserDegree(User(u)) > 0
}

// Item returns the item with that external id; false if there is none with an
// event before the cut.
func (c *Cut) Item(id string) (Item, bool) {
	i, ok := slices.BinarySearch(c.g.itemIDs, id)
	return Item(i), ok && c.ItemDegree(Item(i)) > 0
}

// UserID returns the external id of a user.
func (c *Cut) UserID(u User) string { return c.g.userIDs[u] }

// ItemID returns the external id of an item.
func (c *Cut) ItemID(i Item) string { return c.g.itemIDs[i] }

// UserDegree returns the number of items that the user has.
func (c *Cut) UserDegree(u User) int {
	from, to := c.g.users.prefix(uint32(u), c.limit)
	return to - from
}

// ItemDegree returns the number of users who have the item.
func (c *Cut) ItemDegree(i Item) int {
	from, to := c.g.items.prefix(uint32(i), c.limit)
	return to - from
}

// ItemDegreeSince returns the number of users who came to have the item in
// [since, cut).
func (c *Cut) ItemDegreeSince(i Item, since time.Time) int {
	from, to := c.g.items.prefix(uint32(i), c.limit)
	earlier := &Cut{g: c.g, at: ceil(since)}
	if earlier.at > c.g.base {
		earlier.limit = uint64(earlier.at) - uint64(c.g.base)
	}
	return max(0, to-from-earlier.ItemDegree(i))
}

// ceil rounds up to whole seconds: an event in the second of since, but not
// known to be at or after it, does not count.
func ceil(t time.Time) int64 {
	if t.Nanosecond() > 0 {
		return t.Unix() + 1
	}
	return t.Unix()
}

// History returns the user's events, ascending by time, ties by external item
// id. The caller may change the slice.
func (c *Cut) History(u User) []Event {
	l := &c.g.users
	from, to := l.prefix(uint32(u), c.limit)
	events := make([]Event, 0, to-from)
	for k := from; k < to; k++ {
		events = append(events, Event{u, Item(l.ids[k]), c.time(l.times[k]), l.ratings[k]})
	}
	return events
}

// Audience returns the item's events, ascending by time, ties by external user
// id. The caller may change the slice.
func (c *Cut) Audience(i Item) []Event {
	l := &c.g.items
	from, to := l.prefix(uint32(i), c.limit)
	events := make([]Event, 0, to-from)
	for k := from; k < to; k++ {
		events = append(events, Event{User(l.ids[k]), i, c.time(l.times[k]), l.ratings[k]})
	}
	return events
}

func (c *Cut) time(sinceBase uint32) time.Time {
	return time.Unix(c.g.base+int64(sinceBase), 0).UTC()
}

// itemsOf and usersOf are the visible part of a list, without copying.
func (c *Cut) itemsOf(u uint32) []uint32 {
	from, to := c.g.users.prefix(u, c.limit)
	return c.g.users.ids[from:to]
}

func (c *Cut) usersOf(i uint32) []uint32 {
	from, to := c.g.items.prefix(i, c.limit)
	return c.g.items.ids[from:to]
}

// Popular returns the k items with the highest degrees, all visible ones if k
// is 0 or less; ties by external id.
func (c *Cut) Popular(k int) []Item {
	type ranked struct {
		item   Item
		degree int
	}
	best := top[ranked]{k: k, less: func(a, b ranked) int {
		return cmp.Or(cmp.Compare(b.degree, a.degree), cmp.Compare(a.item, b.item))
	}}
	for i := range c.AllItems() {
		best.add(ranked{i, c.ItemDegree(i)})
	}
	var items []Item
	for _, r := range best.sorted() {
		items = append(items, r.item)
	}
	return items
}
