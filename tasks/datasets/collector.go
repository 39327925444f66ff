package datasets

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/mars-rec/mars/graph"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tasks/datasets/formats"
)

// collector is the [formats.Sink] of an import and of an append. It holds ids
// and numbers only: texts of items go to the spool, texts of reviews to the
// catalog.
type collector struct {
	items   *spool
	catalog *catalogWriter
	stock   stock

	itemIDs, userIDs numbering
	records          map[uint32]int64 // spool offset of every described item
	names            map[uint32]string
	rows             []entry
	recorded         int // users with an interaction and a record

	knownItems, knownUsers int // records of what the data set has

	source  []formats.File
	counts  Counts
	pending struct{ interactions, descriptions int } // of the file that is being read
}

// stock is what a data set has to which the rows are appended; the zero value is
// that of an import.
type stock struct {
	item, user func(id string) (bool, error) // whether the catalog has it
	rows       int                           // of interactions that were read before
}

func (s stock) hasItem(id string) (bool, error) {
	if s.item == nil {
		return false, nil
	}
	return s.item(id)
}

func (s stock) hasUser(id string) (bool, error) {
	if s.user == nil {
		return false, nil
	}
	return s.user(id)
}

// entry is an interaction in numbers.
type entry struct {
	user, item uint32
	time       int64
	rating     float32
	row        uint32 // of all sources, from 1, over all files
}

// numbering gives ids numbers in the order in which they come.
type numbering struct {
	number map[string]uint32
	ids    []string
}

func (n *numbering) of(id string) uint32 {
	if k, ok := n.number[id]; ok {
		return k
	}
	if n.number == nil {
		n.number = map[string]uint32{}
	}
	id = strings.Clone(id) // a reader's row may be part of a large buffer
	k := uint32(len(n.ids))
	n.number[id] = k
	n.ids = append(n.ids, id)
	return k
}

func newCollector(items *spool, catalog *catalogWriter) *collector {
	c := &collector{items: items, catalog: catalog,
		records: map[uint32]int64{}, names: map[uint32]string{}}
	c.counts.Dropped = map[formats.Reason]int{}
	for _, r := range []formats.Reason{formats.BadTime, formats.BadRating, formats.BadID, UnknownItem, DuplicatePair} {
		c.counts.Dropped[r] = 0
	}
	return c
}

// Item implements [formats.Sink]. Of several records of an item the first stays.
func (c *collector) Item(item tasks.Item) error {
	c.pending.descriptions++
	k := c.itemIDs.of(item.ID)
	if _, ok := c.records[k]; ok {
		return nil
	}
	at, err := c.items.put(item)
	c.records[k] = at
	return err
}

// User implements [formats.Sink]. Of several records of a user the first stays.
func (c *collector) User(user tasks.User) error {
	c.pending.descriptions++
	k := c.userIDs.of(user.ID)
	if _, ok := c.names[k]; !ok {
		c.names[k] = strings.Clone(user.Name)
	}
	return nil
}

// Interaction implements [formats.Sink].
func (c *collector) Interaction(in graph.Interaction, review string) error {
	c.pending.interactions++
	c.counts.Rows++
	if len(c.records) > 0 {
		known, err := c.known(in.Item)
		if err != nil {
			return err
		}
		if !known {
			c.counts.Dropped[UnknownItem]++
			return nil
		}
	}
	e := entry{c.userIDs.of(in.User), c.itemIDs.of(in.Item), in.Time, in.Rating, uint32(c.stock.rows + c.counts.Rows)}
	c.rows = append(c.rows, e)
	if review == "" {
		return nil
	}
	c.counts.Reviews++
	return c.catalog.review(int(e.row), in, review)
}

// known reports whether an item is described, or was there before.
func (c *collector) known(item string) (bool, error) {
	if k, ok := c.itemIDs.number[item]; ok {
		// Without a record it has a number since the data set had it.
		if _, described := c.records[k]; described || c.stock.item != nil {
			return true, nil
		}
	}
	return c.stock.hasItem(item)
}

// File implements [formats.Sink]. The rows that a file lost count as interactions
// where the file has any, or has nothing else.
func (c *collector) File(f formats.File) {
	if c.pending.interactions > 0 || c.pending.descriptions == 0 {
		for reason, n := range f.Dropped {
			c.counts.Dropped[reason] += n
			c.counts.Rows += n
		}
	}
	c.pending.interactions, c.pending.descriptions = 0, 0
	c.source = append(c.source, f)
}

// settle keeps the earliest event of each pair; of those in the same second
// the one with the highest rating, then the first of the source. It returns
// the rows whose reviews must go.
func (c *collector) settle() (dropped []int) {
	slices.SortFunc(c.rows, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.user, b.user), cmp.Compare(a.item, b.item),
			cmp.Compare(a.time, b.time), cmp.Compare(b.rating, a.rating), cmp.Compare(a.row, b.row))
	})
	kept := c.rows[:0]
	for _, e := range c.rows {
		if n := len(kept); n > 0 && kept[n-1].user == e.user && kept[n-1].item == e.item {
			dropped = append(dropped, int(e.row))
			continue
		}
		kept = append(kept, e)
	}
	c.rows = kept
	c.counts.Interactions = len(kept)
	c.counts.Dropped[DuplicatePair] = len(dropped)
	slices.Sort(dropped)
	return dropped
}

// interactions yields those that stay.
func (c *collector) interactions() iter.Seq[graph.Interaction] {
	return func(yield func(graph.Interaction) bool) {
		for _, e := range c.rows {
			in := graph.Interaction{User: c.userIDs.ids[e.user], Item: c.itemIDs.ids[e.item], Time: e.time, Rating: e.rating}
			if !yield(in) {
				return
			}
		}
	}
}

// log yields the interactions that stay, until ctx is done.
func (c *collector) log(ctx context.Context) iter.Seq2[graph.Interaction, error] {
	return func(yield func(graph.Interaction, error) bool) {
		k := 0
		for in := range c.interactions() {
			if k++; k&0xfff == 0 && ctx.Err() != nil {
				yield(graph.Interaction{}, ctx.Err())
				return
			}
			if !yield(in, nil) {
				return
			}
		}
	}
}

// describe writes items and users that the data set does not have to the catalog,
// in the order of their ids, and counts them. With wider, items that nobody took
// are left out.
func (c *collector) describe(ctx context.Context, wider bool) error {
	taken := make([]bool, len(c.itemIDs.ids))
	active := make([]bool, len(c.userIDs.ids))
	for _, e := range c.rows {
		taken[e.item], active[e.user] = true, true
	}
	for n, id := range slices.Sorted(maps.Keys(c.itemIDs.number)) {
		if n&0xff == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		k := c.itemIDs.number[id]
		at, described := c.records[k]
		if known, err := c.stock.hasItem(id); err != nil {
			return err
		} else if known {
			if described {
				c.knownItems++
			}
			continue
		}
		if described {
			c.counts.ItemRecords++
		}
		switch {
		case taken[k]:
		case wider:
			c.counts.LeftOut++
			continue
		default:
			c.counts.IdleItems++
		}
		item := tasks.Item{ID: id}
		if described {
			var err error
			if item, err = c.items.get(at); err != nil {
				return fmt.Errorf("item %s: %w", id, err)
			}
		}
		if err := c.catalog.item(item); err != nil {
			return err
		}
		c.counts.Items++
	}
	for n, id := range slices.Sorted(maps.Keys(c.userIDs.number)) {
		if n&0xff == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		k := c.userIDs.number[id]
		_, described := c.names[k]
		if known, err := c.stock.hasUser(id); err != nil {
			return err
		} else if known {
			if described {
				c.knownUsers++
			}
			continue
		}
		if described {
			c.counts.UserRecords++
		}
		if active[k] {
			c.counts.Users++
			if described {
				c.recorded++
			}
		}
		if err := c.catalog.user(tasks.User{ID: id, Name: c.names[k]}); err != nil {
			return err
		}
	}
	return nil
}
