package audit

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/mars-rec/mars/graph"
	"github.com/mars-rec/mars/tasks"
)

// Data is a data set with its future: what an audit compares with. Data sets of
// package datasets are, and those of package taskstest.
type Data interface {
	tasks.Source
	// Graph is the whole log.
	Graph() *graph.Graph
	// Catalog is not cut at any moment.
	Catalog() tasks.Catalog
}

// timeline is the log in the order of time, so that what happened before a
// moment is the beginning of it:
//
//	ann dune 3s | bob dune 4s | ann emma 5s ‖ ulysses 8s ...
//	                            before 7s  ─┘
type timeline struct {
	users, items []string
	events       []occurrence
	catalog      tasks.Catalog
}

// occurrence is an interaction, its ends as places in users and items.
type occurrence struct {
	time       int64 // Unix seconds
	user, item uint32
	rating     float32
}

func newTimeline(d Data) *timeline {
	g := d.Graph()
	cut := g.At(g.End())
	t := &timeline{catalog: d.Catalog(), events: make([]occurrence, 0, g.Interactions())}
	place := make([]uint32, g.Items()) // by graph.Item
	for i := range cut.AllItems() {
		place[i] = uint32(len(t.items))
		t.items = append(t.items, cut.ItemID(i))
	}
	for u := range cut.AllUsers() {
		for _, e := range cut.History(u) {
			t.events = append(t.events, occurrence{e.Time.Unix(), uint32(len(t.users)), place[e.Item], e.Rating})
		}
		t.users = append(t.users, cut.UserID(u))
	}
	slices.SortStableFunc(t.events, func(a, b occurrence) int { return cmp.Compare(a.time, b.time) })
	return t
}

// before returns what happened strictly before a moment. Times are in whole
// seconds, so of a moment within a second the whole second is hidden.
func (t *timeline) before(at time.Time) []occurrence {
	n, _ := slices.BinarySearchFunc(t.events, at.Unix(), func(o occurrence, at int64) int { return cmp.Compare(o.time, at) })
	return t.events[:n]
}

// past is a data set that ends before a moment. It is a [tasks.Source]: nothing
// that it gives out, whatever it is asked, happened at or after the moment.
type past struct {
	at    time.Time
	build func() (*graph.Graph, error)
	from  tasks.Catalog
}

// past returns the data set that ends before at. Its graph is built when it is
// first asked for, once.
func (t *timeline) past(at time.Time) *past {
	return &past{at, sync.OnceValues(func() (*graph.Graph, error) {
		return graph.BuildConfig{Workers: 1}.Build(func(yield func(graph.Interaction, error) bool) {
			for _, o := range t.before(at) {
				if !yield(graph.Interaction{User: t.users[o.user], Item: t.items[o.item], Time: o.time, Rating: o.rating}, nil) {
					return
				}
			}
		})
	}), t.catalog}
}

// View implements [tasks.Source].
func (p *past) View(task tasks.Task) (tasks.View, error) {
	g, err := p.build()
	if err != nil {
		return tasks.View{}, fmt.Errorf("the past of %s: %w", p.at.Format(time.RFC3339), err)
	}
	return tasks.NewView(task, g.At(task.AsOf), pastCatalog{p.from, p.at})
}

// pastCatalog is a catalog in which nobody has written a review since.
type pastCatalog struct {
	tasks.Catalog
	at time.Time
}

// Reviews implements [tasks.Catalog].
func (c pastCatalog) Reviews(ctx context.Context, q tasks.ReviewQuery) ([]tasks.Review, error) {
	if q.Before.After(c.at) {
		q.Before = c.at
	}
	found, err := c.Catalog.Reviews(ctx, q)
	return slices.DeleteFunc(slices.Clone(found), func(r tasks.Review) bool { return !r.Time.Before(c.at) }), err
}
