// Package rank is the classical side of recommending: signals over a cut of
// the graph, rankers made of them, and the fused score. Teacher, tools,
// controls and the fall-back of the service use these same definitions.
//
//	cut, user, candidates ──Score*──> one number per candidate and signal
//	                                        │
//	                                   Weights.Fuse ──> one number per candidate ──Order──> ranking
//
// A signal is one number per candidate, in the order of the candidates; larger
// is better. All are as of the cut. A user or candidate that the cut does not
// know has no evidence: its numbers are those of nothing shared and degree 0.
package rank

import (
	"math"
	"slices"
	"strings"
)

// The signals.
const (
	ItemCF           = "item_cf"           // Item-CF over the whole history, neighbourhoods pruned to k=20
	ItemCFRecent     = "item_cf_recent"    // over the last ten items, not pruned
	ItemCFLast       = "item_cf_last"      // over the last three items, not pruned
	UserCF           = "user_cf"           // the user's nearest users
	Popularity       = "popularity"        // log of the degree as of the cut
	PopularityRecent = "popularity_recent" // log of the degree in the last months before the cut
	Category         = "category"          // how much of the history shares the item's categories
	Year             = "year"              // closeness in year to the recent history
)

// Standard returns the standard scores of xs: (x − mean) / standard deviation
// over xs. Where all are equal it returns zeros.
func Standard(xs []float64) []float64 {
	z := make([]float64, len(xs))
	if len(xs) == 0 || slices.Min(xs) == slices.Max(xs) {
		return z
	}
	mean, variance := 0.0, 0.0
	for _, x := range xs {
		mean += x
	}
	mean /= float64(len(xs))
	for _, x := range xs {
		variance += float64((x - mean) * (x - mean))
	}
	deviation := math.Sqrt(variance / float64(len(xs)))
	if deviation == 0 {
		return z
	}
	for k, x := range xs {
		z[k] = (x - mean) / deviation
	}
	return z
}

// Order returns the ids by score, highest first; ties by id, ascending as
// bytes. A score that is not a number comes last.
func Order(ids []string, scores []float64) []string {
	at := make([]int, len(ids))
	for k := range at {
		at[k] = k
	}
	slices.SortFunc(at, func(a, b int) int {
		if x, y := scores[a], scores[b]; x > y || (!math.IsNaN(x) && math.IsNaN(y)) {
			return -1
		} else if y > x || (!math.IsNaN(y) && math.IsNaN(x)) {
			return 1
		}
		return strings.Compare(ids[a], ids[b])
	})
	ordered := make([]string, len(ids))
	for k, i := range at {
		ordered[k] = ids[i]
	}
	return ordered
}
