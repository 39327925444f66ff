package rank

import (
	"math"
	"slices"
	"time"

	"github.com/mars-rec/mars/graph"
)

// ItemCFQuery says over which part of the history Item-CF runs, and how. The
// zero value: the whole history, pruned to 20, cosine, at least 2 shared users.
type ItemCFQuery struct {
	Last    int           // the last n items of the history; 0: all
	K       int           // a candidate's neighbourhood; 0: 20 for the whole history, everything for a window; negative: everything
	Measure graph.Measure // "": cosine
	Support int           // minimum of shared users; 0: graph.DefaultSupport
}

// ScoreItemCF scores each candidate by the sum of its similarities to those of
// its K nearest items, among all items, that are in the part of the history that
// is asked for. It is the item-based top-N recommender with the neighbourhood of
// the target pruned (Deshpande and Karypis 2004; ItemKNN in RecBole and in
// Ferrari Dacrema et al. 2019), on binary ratings.
//
// A window of a few items leaves little of a pruned neighbourhood, so a window
// is not pruned unless K says so.
func ScoreItemCF(cut *graph.Cut, user string, items []string, q ItemCFQuery) []float64 {
	scores := make([]float64, len(items))
	history := lastItems(cut, user, q.Last)
	var known []graph.Item
	var at []int
	for k, id := range items {
		if i, ok := cut.Item(id); ok && len(history) > 0 {
			known, at = append(known, i), append(at, k)
		}
	}
	for k, score := range cut.Affinities(history, known, q.query()) {
		scores[at[k]] = score
	}
	return scores
}

// query returns the query for the neighbours of a candidate.
func (q ItemCFQuery) query() graph.Query {
	k := q.K
	switch {
	case k == 0 && q.Last > 0:
		k = -1
	case k == 0:
		k = 20
	}
	return graph.Query{K: k, Measure: q.Measure, Support: q.Support}
}

// ItemCFLinks returns what an item's score in [ScoreItemCF] is the sum of: those
// of its nearest items that are in the part of the history that is asked for,
// nearest first.
func ItemCFLinks(cut *graph.Cut, user, item string, q ItemCFQuery) []graph.Neighbour {
	history := lastItems(cut, user, q.Last)
	i, ok := cut.Item(item)
	if !ok || len(history) == 0 {
		return nil
	}
	query := q.query()
	if query.K < 0 {
		query.Among = history
	}
	return slices.DeleteFunc(cut.ItemCF(i, query), func(n graph.Neighbour) bool { return !slices.Contains(history, n.Item) })
}

// lastItems returns the last n items of the user's history, all if n is 0.
func lastItems(cut *graph.Cut, user string, n int) []graph.Item {
	u, ok := cut.User(user)
	if !ok {
		return nil
	}
	history := cut.History(u)
	if n > 0 && n < len(history) {
		history = history[len(history)-n:]
	}
	items := make([]graph.Item, len(history))
	for k, e := range history {
		items[k] = e.Item
	}
	return items
}

// ScoreUserCF scores each candidate by the sum of the cosines of those of the
// user's nearest users who have it: [graph.Cut.UserCF] among the candidates. A
// candidate that the user has already scores 0.
func ScoreUserCF(cut *graph.Cut, user string, items []string, q graph.UserQuery) []float64 {
	scores := make([]float64, len(items))
	u, ok := cut.User(user)
	if !ok {
		return scores
	}
	at := make(map[graph.Item]int, len(items))
	q.Among = make([]graph.Item, 0, len(items))
	for k, id := range items {
		if i, ok := cut.Item(id); ok {
			at[i] = k
			q.Among = append(q.Among, i)
		}
	}
	q.K = -1
	for _, s := range cut.UserCF(u, q) {
		scores[at[s.Item]] = s.Score
	}
	return scores
}

// ScorePopularity scores each candidate by ln(1 + degree).
func ScorePopularity(cut *graph.Cut, items []string) []float64 {
	return degrees(cut, items, func(i graph.Item) int { return cut.ItemDegree(i) })
}

// RecentWindow is what counts as recent for [PopularityRecent].
const RecentWindow = 180 * 24 * time.Hour

// ScorePopularityRecent scores each candidate by ln(1 + degree gained in the
// window before the cut); a window of 0 is [RecentWindow].
func ScorePopularityRecent(cut *graph.Cut, items []string, window time.Duration) []float64 {
	if window == 0 {
		window = RecentWindow
	}
	since := cut.AsOf().Add(-window)
	return degrees(cut, items, func(i graph.Item) int { return cut.ItemDegreeSince(i, since) })
}

func degrees(cut *graph.Cut, items []string, degree func(graph.Item) int) []float64 {
	scores := make([]float64, len(items))
	for k, id := range items {
		if i, ok := cut.Item(id); ok {
			scores[k] = math.Log1p(float64(degree(i)))
		}
	}
	return scores
}

// Attributes is what a catalog says of items, by external id. An item that it
// does not know has no categories and year 0.
type Attributes interface {
	Categories(item string) []string
	Year(item string) int // 0: unknown
}

// ScoreCategory scores each candidate by the cosine of its categories and those
// of the user's history: the history as the number of its items in each
// category, the candidate as 1 in each of its own.
func ScoreCategory(cut *graph.Cut, user string, items []string, attributes Attributes) []float64 {
	profile := map[string]int{}
	for _, i := range lastItems(cut, user, 0) {
		for _, c := range attributes.Categories(cut.ItemID(i)) {
			profile[c]++
		}
	}
	square := 0
	for _, n := range profile {
		square += n * n
	}
	scores := make([]float64, len(items))
	for k, id := range items {
		categories := attributes.Categories(id)
		shared := 0
		for _, c := range categories {
			shared += profile[c]
		}
		if shared > 0 {
			scores[k] = float64(shared) / math.Sqrt(float64(square)*float64(len(categories)))
		}
	}
	return scores
}

// ScoreYear scores each candidate by the closeness of its year to those of the
// last ten items of the history: the mean of 1/(1 + |difference|/5) over those
// of known year. A candidate of unknown year gets the mean of the others.
func ScoreYear(cut *graph.Cut, user string, items []string, attributes Attributes) []float64 {
	var years []int
	for _, i := range lastItems(cut, user, 10) {
		if y := attributes.Year(cut.ItemID(i)); y != 0 {
			years = append(years, y)
		}
	}
	scores := make([]float64, len(items))
	if len(years) == 0 {
		return scores
	}
	sum, known := 0.0, 0
	var unknown []int
	for k, id := range items {
		y := attributes.Year(id)
		if y == 0 {
			unknown = append(unknown, k)
			continue
		}
		for _, h := range years {
			scores[k] += 1 / (1 + math.Abs(float64(y-h))/5)
		}
		scores[k] /= float64(len(years))
		sum += scores[k]
		known++
	}
	for _, k := range unknown {
		if known > 0 {
			scores[k] = sum / float64(known)
		}
	}
	return slices.Clip(scores)
}
