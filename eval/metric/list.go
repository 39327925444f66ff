package metric

import (
	"math"
	"slices"
)

// Form says what a ranking is as a list, beside the candidates it was asked to
// rank.
type Form struct {
	Empty    bool // no ranking at all
	Repeated int  // places taken by an item that stands further up already
	Foreign  int  // distinct items that are no candidates
	Left     int  // candidates that are not ranked
}

// Valid reports whether the ranking is a permutation of the candidates.
func (f Form) Valid() bool { return f == Form{} }

// Inspect compares a ranking with the candidates, which are distinct.
func Inspect(ranking, candidates []string) Form {
	f := Form{Empty: len(ranking) == 0, Left: len(candidates)}
	for k, item := range ranking {
		switch {
		case slices.Contains(ranking[:k], item):
			f.Repeated++
		case slices.Contains(candidates, item):
			f.Left--
		default:
			f.Foreign++
		}
	}
	return f
}

// Spearman returns Spearman's rank correlation between the places of the
// candidates in the list that was given and their places in the ranking: 1 if
// the ranking is the list, −1 if it is the list turned around, 0 on average if
// it does not look at the order. Only candidates that are ranked count, at their
// first place; with fewer than two of them it is 0.
func Spearman(ranking, candidates []string) float64 {
	var places []int // in the ranking, in the order of the list
	for _, c := range candidates {
		if k := slices.Index(ranking, c); k >= 0 {
			places = append(places, k)
		}
	}
	n := float64(len(places))
	if n < 2 {
		return 0
	}
	// Places become ranks among those that count, without ties.
	sorted := slices.Clone(places)
	slices.Sort(sorted)
	sum := 0.0
	for at, place := range places {
		rank, _ := slices.BinarySearch(sorted, place)
		sum += float64((at - rank) * (at - rank))
	}
	return 1 - 6*sum/(n*(n*n-1))
}

// Gini returns the Gini coefficient of counts (Gini 1912; for recommendations,
// Shani and Gunawardana 2011): 0 if all are alike, near 1 if a few have nearly
// all. It is 0 of nothing.
func Gini(counts []int) float64 {
	sorted := slices.Clone(counts)
	slices.Sort(sorted)
	total, weighted := 0.0, 0.0
	for k, c := range sorted {
		total += float64(c)
		weighted += float64(2*(k+1)-len(sorted)-1) * float64(c)
	}
	if total == 0 {
		return 0
	}
	return weighted / (float64(len(sorted)) * total)
}

// Quantile returns the value below which a share q of the values lies, by the
// nearest rank; NaN of none.
func Quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Clone(values)
	slices.Sort(sorted)
	return sorted[min(len(sorted)-1, max(0, int(math.Ceil(q*float64(len(sorted))))-1))]
}
