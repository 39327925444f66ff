package graph

import (
	"cmp"
	"iter"
	"time"
)

// Cut is the graph as of a moment: nothing at or after it is visible in any
// list, count, degree or score. It is safe for concurrent use.
//
// Internal ids that a Cut takes must come from the same graph; others panic or
// name someone else.
type Cut struct {
	g  *Graph
	at int64 // Unix seconds
	m  *moment
}

// At cuts the graph strictly before t. The graph's times are whole seconds,
// made so by dropping what is below a second; t is treated alike, which can
// only hide more. What a cut learns of its moment is shared with later cuts at
// the same, as long as few others lie between.
func (g *Graph) At(t time.Time) *Cut {
	at := t.Unix()
	return &Cut{g: g, at: at, m: g.moment(g.since(at))}
}

// since returns a time in Unix seconds as seconds since the base, at least 0.
func (g *Graph) since(at int64) uint64 {
	if at <= g.base {
		return 0
	}
	return uint64(at) - uint64(g.base)
}

// AsOf returns the moment of the cut, in whole seconds, UTC.
func (c *Cut) AsOf() time.Time { return time.Unix(c.at, 0).UTC() }

// Users returns the number of users with at least one event before the cut.
func (c *Cut) Users() int { c.count(); return c.m.users.seen }

// Items returns the number of items with at least one event before the cut.
func (c *Cut) Items() int { c.count(); return c.m.items.seen }

func (c *Cut) count() {
	c.m.count.Do(func() {
		c.m.users.seen = c.g.users.seen(c.m)
		c.m.items.seen = c.g.items.seen(c.m)
	})
}

// Interactions returns the number of events before the cut.
func (c *Cut) Interactions() int {
	c.m.countPairs.Do(func() {
		for i := range c.g.Items() {
			c.m.pairs += c.ItemDegree(Item(i))
		}
	})
	return c.m.pairs
}

// AllUsers yields the users with at least one event before the cut, by external
// id, ascending as bytes.
func (c *Cut) AllUsers() iter.Seq[User] {
	return func(yield func(User) bool) {
		for u := range c.g.userIDs.all() {
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
		for i := range c.g.itemIDs.all() {
			if c.ItemDegree(Item(i)) > 0 && !yield(Item(i)) {
				return
			}
		}
	}
}

// User returns the user with that external id; false if there is none with an
// event before the cut.
func (c *Cut) User(id string) (User, bool) {
	u, ok := c.g.userIDs.find(id)
	return User(u), ok && c.UserDegree(User(u)) > 0
}

// Item returns the item with that external id; false if there is none with an
// event before the cut.
func (c *Cut) Item(id string) (Item, bool) {
	i, ok := c.g.itemIDs.find(id)
	return Item(i), ok && c.ItemDegree(Item(i)) > 0
}

// UserID returns the external id of a user.
func (c *Cut) UserID(u User) string { return c.g.userIDs.id(uint32(u)) }

// ItemID returns the external id of an item.
func (c *Cut) ItemID(i Item) string { return c.g.itemIDs.id(uint32(i)) }

// UserDegree returns the number of items that the user has.
func (c *Cut) UserDegree(u User) int { return c.history(uint32(u)).len() }

// ItemDegree returns the number of users who have the item.
func (c *Cut) ItemDegree(i Item) int { return c.audience(uint32(i)).len() }

// ItemDegreeSince returns the number of users who came to have the item in
// [since, cut).
func (c *Cut) ItemDegreeSince(i Item, since time.Time) int {
	from, p := c.g.since(ceil(since)), c.audience(uint32(i))
	if from > c.m.latest {
		return 0
	}
	return p.len() - int(before(p.in.times[p.from:p.to], uint32(from)))
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
	p := c.history(uint32(u))
	events := make([]Event, 0, p.len())
	for k := p.from; k < p.to; k++ {
		events = append(events, Event{u, Item(p.in.ids[k]), c.time(p.in.times[k]), p.in.ratings.at(k)})
	}
	return events
}

// Audience returns the item's events, ascending by time, ties by external user
// id. The caller may change the slice.
func (c *Cut) Audience(i Item) []Event {
	p := c.audience(uint32(i))
	events := make([]Event, 0, p.len())
	for k := p.from; k < p.to; k++ {
		events = append(events, Event{User(p.in.ids[k]), i, c.time(p.in.times[k]), p.in.ratings.at(k)})
	}
	return events
}

func (c *Cut) time(sinceBase uint32) time.Time {
	return time.Unix(c.g.base+int64(sinceBase), 0).UTC()
}

// history and audience are the visible part of a list, in place.
func (c *Cut) history(u uint32) span {
	return c.m.users.span(&c.g.users, c.m, u)
}

func (c *Cut) audience(i uint32) span {
	return c.m.items.span(&c.g.items, c.m, i)
}

func (c *Cut) itemsOf(u uint32) []uint32 { return c.history(u).ids() }
func (c *Cut) usersOf(i uint32) []uint32 { return c.audience(i).ids() }

// Popular returns the k items with the highest degrees, all visible ones if k
// is 0 or less; ties by external id.
func (c *Cut) Popular(k int) []Item {
	type ranked struct {
		item   uint32
		degree int
	}
	best := top[ranked]{k: k}
	compare := func(a, b ranked) int {
		return cmp.Or(cmp.Compare(b.degree, a.degree), c.g.itemIDs.compare(a.item, b.item))
	}
	for i := range uint32(c.g.Items()) {
		if d := c.ItemDegree(Item(i)); d > 0 {
			best.add(ranked{i, d}, compare)
		}
	}
	var items []Item
	for _, r := range best.sorted(compare) {
		items = append(items, Item(r.item))
	}
	return items
}
