package catalog

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mars-rec/mars/graph"
	"github.com/mars-rec/mars/tools/translate"
)

// Ratings sums up the ratings of some events.
type Ratings struct {
	Count int     `json:"count"` // events with a rating
	Mean  float64 `json:"mean"`  // 2 decimals at most are told; 0 if there are none
	Liked int     `json:"liked"` // ratings at or above the bound
}

// Group is the events that have a category, a creator or a year in common.
type Group struct {
	Name    string  `json:"name"`
	Count   int     `json:"count"`
	Ratings Ratings `json:"ratings,omitzero"`
}

// ratings sums up ratings, in the order of the events: a mean is always the
// same float.
func ratings(events []graph.Event, likedFrom float64) Ratings {
	var r Ratings
	sum := 0.0
	for _, e := range events {
		if e.Rating > 0 {
			r.Count++
			sum += float64(e.Rating)
			if float64(e.Rating) >= likedFrom {
				r.Liked++
			}
		}
	}
	if r.Count > 0 {
		r.Mean = translate.Round(sum / float64(r.Count))
	}
	return r
}

// group sorts events under the names that they have, the largest group first,
// ties by name. An event counts once under a name.
func group(events []graph.Event, likedFrom float64, names func(graph.Event) []string) []Group {
	under := map[string][]graph.Event{}
	for _, e := range events {
		all := names(e)
		for i, n := range all {
			if n != "" && !slices.Contains(all[:i], n) {
				under[n] = append(under[n], e)
			}
		}
	}
	groups := make([]Group, 0, len(under))
	for _, n := range slices.Sorted(maps.Keys(under)) {
		groups = append(groups, Group{translate.Cut(n, translate.MaxTitle), len(under[n]), ratings(under[n], likedFrom)})
	}
	slices.SortStableFunc(groups, func(a, b Group) int { return cmp.Compare(b.Count, a.Count) })
	return groups
}

// bestRated returns the groups with the highest means of those with enough
// ratings, ties by the number of ratings, then by name.
func bestRated(groups []Group, enough, n int) []Group {
	best := slices.DeleteFunc(slices.Clone(groups), func(g Group) bool { return g.Ratings.Count < enough })
	slices.SortStableFunc(best, func(a, b Group) int {
		return cmp.Or(cmp.Compare(b.Ratings.Mean, a.Ratings.Mean), cmp.Compare(b.Ratings.Count, a.Ratings.Count), cmp.Compare(a.Name, b.Name))
	})
	return best[:min(n, len(best))]
}

// first returns the first n groups.
func first(groups []Group, n int) []Group { return groups[:min(n, len(groups))] }

// shares tells groups with their share of the whole: "Drama (412 of 1,204, 34%)".
func shares(groups []Group, whole int) string {
	texts := make([]string, len(groups))
	for i, g := range groups {
		texts[i] = fmt.Sprintf("%s (%s of %s, %s)", g.Name, translate.Count(g.Count), translate.Count(whole), translate.Percent(g.Count, whole))
	}
	return strings.Join(texts, ", ")
}

// means tells groups with their mean ratings: "Drama (mean 4.2 over 31)".
func means(groups []Group) string {
	texts := make([]string, len(groups))
	for i, g := range groups {
		texts[i] = fmt.Sprintf("%s (mean %s over %s)", g.Name, translate.Number(g.Ratings.Mean), translate.Count(g.Ratings.Count))
	}
	return strings.Join(texts, ", ")
}

// rate tells ratings: "mean 3.7 over 165 ratings, 98 (59%) of them 4 or more".
func rate(r Ratings, w translate.Words) string {
	return fmt.Sprintf("mean %s over %s, %s (%s) of them %s or more", translate.Number(r.Mean), translate.Plural(r.Count, "rating"),
		translate.Count(r.Liked), translate.Percent(r.Liked, r.Count), translate.Number(w.LikedFrom()))
}
