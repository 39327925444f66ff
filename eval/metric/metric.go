// Package metric measures rankings in which one item is right: how well they
// find it, and what they are like as lists.
//
//	rank of the gold item, from 1; 0 if it is missing
//	   1  3  0  7 ...  one per case ──HitRate, NDCG, MRR──> one number per system
//
//	ranking and candidates   [c a b] [a b c] ──Inspect──> a permutation? repeated, foreign?
//	                                         ──Spearman──> does the given order show through?
//	items that were put first, and how often ──Gini──> are they always the same?
//
// With one relevant item the ideal DCG is 1, so NDCG is the gain of its rank
// (Järvelin and Kekäläinen 2002), MRR the mean of 1/rank (Voorhees 1999), and
// HR@k the share of cases in which it is among the first k.
package metric

import "math"

// Missing is the rank of a gold item that is not in the ranking: a miss at any k.
const Missing = 0

// Rank returns the rank, from 1, of the gold item in a ranking; [Missing] if it
// is not there. Of an item that is listed twice the first counts.
func Rank(ranking []string, gold string) int {
	for k, item := range ranking {
		if item == gold {
			return k + 1
		}
	}
	return Missing
}

// Hit returns 1 if the rank is among the first k, otherwise 0.
func Hit(rank, k int) float64 {
	if rank >= 1 && rank <= k {
		return 1
	}
	return 0
}

// Gain returns the NDCG at k of one case: 1/log₂(1 + rank), 0 beyond k.
func Gain(rank, k int) float64 {
	if Hit(rank, k) == 0 {
		return 0
	}
	return 1 / math.Log2(1+float64(rank))
}

// Reciprocal returns 1/rank, 0 if the item is missing.
func Reciprocal(rank int) float64 {
	if rank < 1 {
		return 0
	}
	return 1 / float64(rank)
}

// MeanHit returns the mean of Hit at 1, 3 and 5: of one case, the measure of
// AgentRecBench.
func MeanHit(rank int) float64 { return (Hit(rank, 1) + Hit(rank, 3) + Hit(rank, 5)) / 3 }

// Summary is a system's result over cases. Each number is a mean over them.
type Summary struct {
	Cases   int     `json:"cases"`
	HR1     float64 `json:"hr@1"`
	HR3     float64 `json:"hr@3"`
	HR5     float64 `json:"hr@5"`
	MeanHR  float64 `json:"mean_hr"` // at 1, 3, 5
	NDCG5   float64 `json:"ndcg@5"`
	NDCG10  float64 `json:"ndcg@10"`
	MRR     float64 `json:"mrr"`
	Missing int     `json:"missing"` // cases whose gold item was not in the ranking
}

// Summarise returns the means over the ranks of the gold items, one per case;
// zeros if there are none.
func Summarise(ranks []int) Summary {
	s := Summary{Cases: len(ranks)}
	for _, r := range ranks {
		if r < 1 {
			s.Missing++
		}
	}
	s.HR1, s.HR3, s.HR5 = HitRate(ranks, 1), HitRate(ranks, 3), HitRate(ranks, 5)
	s.MeanHR = Mean(Each(ranks, MeanHit))
	s.NDCG5, s.NDCG10, s.MRR = NDCG(ranks, 5), NDCG(ranks, 10), MRR(ranks)
	return s
}

// HitRate returns HR@k.
func HitRate(ranks []int, k int) float64 {
	return Mean(Each(ranks, func(r int) float64 { return Hit(r, k) }))
}

// NDCG returns NDCG@k.
func NDCG(ranks []int, k int) float64 {
	return Mean(Each(ranks, func(r int) float64 { return Gain(r, k) }))
}

// MRR returns the mean reciprocal rank.
func MRR(ranks []int) float64 { return Mean(Each(ranks, Reciprocal)) }

// Each returns the value of a measure for each case.
func Each(ranks []int, measure func(rank int) float64) []float64 {
	values := make([]float64, len(ranks))
	for k, r := range ranks {
		values[k] = measure(r)
	}
	return values
}

// Mean returns the mean, 0 of nothing.
func Mean(xs []float64) float64 {
	if len(xs) == 0 {
		return 0
	}
	sum := 0.0
	for _, x := range xs {
		sum += x
	}
	return sum / float64(len(xs))
}
