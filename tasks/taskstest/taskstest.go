// Package taskstest is a data set in memory, for tests and examples: a
// [tasks.Source] made of slices, with the graph and the catalog behind it.
//
//	items, users, interactions, reviews ──New──> Source ──View(task)──> tasks.View
//	                                                └──OtherFuture──> Source
//
// It keeps the contracts of the real thing: reviews are cut at a moment, search
// goes by the number of matched words, views are cut strictly before their
// task's moment. [Library] is a small world to try things in.
package taskstest

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"unicode"

	"github.com/mars-rec/mars/graph"
	"github.com/mars-rec/mars/tasks"
)

// Source is a data set in memory. It is immutable and safe for concurrent use.
type Source struct {
	graph        *graph.Graph
	catalog      *catalog
	interactions []graph.Interaction
}

// New makes a data set. Interactions may come in any order and may name items
// and users that have no record, as real logs do. It panics on input that no
// graph can be made of: that is a bug of the test.
func New(items []tasks.Item, users []tasks.User, interactions []graph.Interaction, reviews []tasks.Review) *Source {
	g, err := graph.Build(func(yield func(graph.Interaction, error) bool) {
		for _, in := range interactions {
			if !yield(in, nil) {
				return
			}
		}
	})
	if err != nil {
		panic(fmt.Sprintf("taskstest: %v", err))
	}
	c := &catalog{items: map[string]tasks.Item{}, users: map[string]tasks.User{}, reviews: slices.Clone(reviews)}
	for _, i := range items {
		c.items[i.ID] = i
	}
	for _, u := range users {
		c.users[u.ID] = u
	}
	slices.SortStableFunc(c.reviews, func(a, b tasks.Review) int {
		return cmp.Or(b.Time.Compare(a.Time), cmp.Compare(a.User, b.User), cmp.Compare(a.Item, b.Item))
	})
	return &Source{g, c, slices.Clone(interactions)}
}

// Graph returns the whole graph, the future included.
func (s *Source) Graph() *graph.Graph { return s.graph }

// Catalog returns the descriptive side.
func (s *Source) Catalog() tasks.Catalog { return s.catalog }

// View implements [tasks.Source].
func (s *Source) View(t tasks.Task) (tasks.View, error) {
	return tasks.NewView(t, s.graph.At(t.AsOf), s.catalog)
}

type catalog struct {
	items   map[string]tasks.Item
	users   map[string]tasks.User
	reviews []tasks.Review // the latest first
}

func (c *catalog) Item(_ context.Context, id string) (tasks.Item, bool, error) {
	item, ok := c.items[id]
	return item, ok, nil
}

func (c *catalog) User(_ context.Context, id string) (tasks.User, bool, error) {
	user, ok := c.users[id]
	return user, ok, nil
}

func (c *catalog) Reviews(_ context.Context, q tasks.ReviewQuery) ([]tasks.Review, error) {
	var found []tasks.Review
	for _, r := range c.reviews {
		if q.Limit > 0 && len(found) >= q.Limit {
			break
		}
		if (q.User == "" || q.User == r.User) && (q.Item == "" || q.Item == r.Item) && r.Time.Before(q.Before) {
			found = append(found, r)
		}
	}
	return found, nil
}

func (c *catalog) Search(_ context.Context, query string) iter.Seq2[tasks.Item, error] {
	type match struct {
		item  tasks.Item
		words int
	}
	asked := words(query)
	var found []match
	for _, item := range c.items {
		has := words(strings.Join(slices.Concat([]string{item.Title, item.Text}, item.Categories, item.Creators), " "))
		n := 0
		for w := range asked {
			if has[w] {
				n++
			}
		}
		if n > 0 {
			found = append(found, match{item, n})
		}
	}
	slices.SortFunc(found, func(a, b match) int {
		return cmp.Or(cmp.Compare(b.words, a.words), cmp.Compare(a.item.ID, b.item.ID))
	})
	return func(yield func(tasks.Item, error) bool) {
		for _, m := range found {
			if !yield(m.item, nil) {
				return
			}
		}
	}
}

// words is the set of the words of a text, in lower case.
func words(s string) map[string]bool {
	set := map[string]bool{}
	for w := range strings.FieldsFuncSeq(strings.ToLower(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) }) {
		set[w] = true
	}
	return set
}
