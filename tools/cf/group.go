package cf

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tools/translate"
)

// Group is how many of some items have a category or a creator in common.
type Group struct {
	Name  string `json:"name"`
	Count int    `json:"count"`
}

// Kinds is what some items have in common, the most frequent first.
type Kinds struct {
	Count      int     `json:"count"` // items
	Categories []Group `json:"categories,omitempty"`
	Creators   []Group `json:"creators,omitempty"`
}

// The most that is told of what items have in common, and the least items of
// which it is told.
const (
	mostCategories = 3
	mostCreators   = 2
	leastItems     = 3
)

// told reports whether there is anything to tell.
func (k *Kinds) told() bool { return len(k.Categories)+len(k.Creators) > 0 }

// alike counts how many items share the categories and the creators of one. A
// category that only one of them shares says nothing; a creator does.
func alike(of tasks.Item, items []tasks.Item) *Kinds {
	k := kinds(items, 1)
	if k == nil {
		return nil
	}
	has := func(names []string) func(Group) bool {
		return func(g Group) bool {
			return !slices.ContainsFunc(names, func(n string) bool { return short(n) == g.Name })
		}
	}
	k.Categories = slices.DeleteFunc(k.Categories, has(of.Categories))
	k.Categories = slices.DeleteFunc(k.Categories, func(g Group) bool { return g.Count < 2 })
	k.Creators = slices.DeleteFunc(k.Creators, has(of.Creators))
	return k.first()
}

// kinds counts the categories and creators of items that at least some of them
// have: nil for fewer items than one can speak of.
func kinds(items []tasks.Item, least int) *Kinds {
	if len(items) < leastItems {
		return nil
	}
	return &Kinds{len(items),
		tally(items, least, func(i tasks.Item) []string { return i.Categories }),
		tally(items, least, func(i tasks.Item) []string { return i.Creators })}
}

// first keeps what is told.
func (k *Kinds) first() *Kinds {
	k.Categories = k.Categories[:min(mostCategories, len(k.Categories))]
	k.Creators = k.Creators[:min(mostCreators, len(k.Creators))]
	if !k.told() {
		return nil
	}
	return k
}

// tally counts the items under each name, the most frequent first, ties by
// name.
func tally(items []tasks.Item, least int, names func(tasks.Item) []string) []Group {
	counts := map[string]int{}
	for _, item := range items {
		all := names(item)
		for i, n := range all {
			if n != "" && !slices.Contains(all[:i], n) {
				counts[short(n)]++
			}
		}
	}
	var groups []Group
	for _, n := range slices.Sorted(maps.Keys(counts)) {
		if counts[n] >= least {
			groups = append(groups, Group{n, counts[n]})
		}
	}
	slices.SortStableFunc(groups, func(a, b Group) int { return cmp.Compare(b.Count, a.Count) })
	return groups
}

// both returns the first few names that are in both lists.
func both(a, b []string, most int) []string {
	var names []string
	for _, n := range a {
		if len(names) < most && n != "" && slices.Contains(b, n) && !slices.Contains(names, short(n)) {
			names = append(names, short(n))
		}
	}
	return names
}

func short(name string) string { return translate.Cut(name, translate.MaxTitle) }

// records fetches what the catalog says of items.
func records(ctx context.Context, view tasks.View, ids []string) ([]tasks.Item, error) {
	items := make([]tasks.Item, len(ids))
	var err error
	for i, id := range ids {
		if items[i], err = view.Item(ctx, id); err != nil {
			return nil, err
		}
	}
	return items, nil
}
