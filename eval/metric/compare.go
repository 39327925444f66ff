package metric

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// Comparison is the difference of two systems on the same cases, a minus b.
type Comparison struct {
	Cases      int     `json:"cases"`
	Clusters   int     `json:"clusters"`
	Difference float64 `json:"difference"` // of the means over cases
	Low        float64 `json:"low"`        // of the 95% interval
	High       float64 `json:"high"`
	P          float64 `json:"p"` // of the two-sided sign-flip test
}

// Compare compares two systems by what each scored on the same cases. Cases of
// one cluster, usually one user, are not independent: they are drawn, and
// flipped, together. Clusters names the cluster of each case; nil makes each
// case its own. Rounds is the number of bootstrap samples and of permutations;
// the same seed gives the same numbers.
func Compare(a, b []float64, clusters []string, rounds int, seed uint64) (Comparison, error) {
	groups, err := pair(a, b, clusters)
	if err != nil {
		return Comparison{}, err
	}
	c := Comparison{Cases: len(a), Clusters: len(groups), Difference: total(groups).mean()}
	c.Low, c.High = bootstrap(groups, rounds, seed)
	c.P = signFlip(groups, rounds, seed)
	return c, nil
}

// Bootstrap returns the 95% percentile interval of the difference of the means
// of a and b: clusters are drawn with replacement (Efron 1979; for clusters,
// Davison and Hinkley 1997, 3.8).
func Bootstrap(a, b []float64, clusters []string, rounds int, seed uint64) (low, high float64, err error) {
	groups, err := pair(a, b, clusters)
	if err != nil {
		return 0, 0, err
	}
	low, high = bootstrap(groups, rounds, seed)
	return low, high, nil
}

// SignFlip returns the two-sided p-value of the hypothesis that a and b are
// exchangeable within each cluster: the share of random swaps, the observed one
// among them, whose difference is at least as large. Where all swaps are no
// more than rounds, each is made once and the value is exact.
func SignFlip(a, b []float64, clusters []string, rounds int, seed uint64) (float64, error) {
	groups, err := pair(a, b, clusters)
	if err != nil {
		return 0, err
	}
	return signFlip(groups, rounds, seed), nil
}

// group is the differences of one cluster.
type group struct {
	sum   float64
	cases int
}

func (g group) mean() float64 { return g.sum / float64(g.cases) }

func total(groups []group) group {
	var t group
	for _, g := range groups {
		t.sum += g.sum
		t.cases += g.cases
	}
	return t
}

// pair returns the differences by cluster, in the order of first appearance.
func pair(a, b []float64, clusters []string) ([]group, error) {
	if len(a) != len(b) || clusters != nil && len(clusters) != len(a) {
		return nil, fmt.Errorf("compare: %d, %d cases and %d clusters: want the same cases in the same order", len(a), len(b), len(clusters))
	}
	if len(a) == 0 {
		return nil, fmt.Errorf("compare: no cases")
	}
	var groups []group
	at := map[string]int{}
	for k := range a {
		if clusters == nil {
			groups = append(groups, group{a[k] - b[k], 1})
			continue
		}
		n, ok := at[clusters[k]]
		if !ok {
			n = len(groups)
			at[clusters[k]] = n
			groups = append(groups, group{})
		}
		groups[n].sum += a[k] - b[k]
		groups[n].cases++
	}
	return groups, nil
}

func bootstrap(groups []group, rounds int, seed uint64) (low, high float64) {
	random := rand.New(rand.NewPCG(seed, 1))
	rounds = max(1, rounds)
	means := make([]float64, rounds)
	for r := range means {
		var drawn group
		for range groups {
			g := groups[random.IntN(len(groups))]
			drawn.sum += g.sum
			drawn.cases += g.cases
		}
		means[r] = drawn.mean()
	}
	slices.Sort(means)
	return quantile(means, 0.025), quantile(means, 0.975)
}

// quantile interpolates between the order statistics.
func quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	below := int(at)
	above := min(below+1, len(sorted)-1)
	return sorted[below] + (at-float64(below))*(sorted[above]-sorted[below])
}

func signFlip(groups []group, rounds int, seed uint64) float64 {
	// Rounding must not make the observed swap smaller than itself.
	observed := math.Abs(total(groups).sum) - 1e-9
	if n := len(groups); n < 30 && 1<<n <= rounds {
		extreme := 0
		for mask := range 1 << n {
			sum := 0.0
			for k, g := range groups {
				if mask>>k&1 == 1 {
					sum -= g.sum
				} else {
					sum += g.sum
				}
			}
			if math.Abs(sum) >= observed {
				extreme++
			}
		}
		return float64(extreme) / float64(int(1)<<n)
	}
	random := rand.New(rand.NewPCG(seed, 2))
	extreme := 1
	for range rounds {
		sum := 0.0
		for _, g := range groups {
			if random.Uint64()&1 == 1 {
				sum -= g.sum
			} else {
				sum += g.sum
			}
		}
		if math.Abs(sum) >= observed {
			extreme++
		}
	}
	return float64(extreme) / float64(rounds+1)
}
