// Package stat compares systems that answered the same cases. It asks how sure
// a difference is, how large it is, and what the sample could have shown.
//
//	        case   1    2    3    4  ...             what one system scored on one case
//	cluster       ann  ann  bob  eve ...             usually the user
//	ItemKNN        1    0    ⅔    0
//	teacher        1    ⅓    1    0
//	                └─ sums by cluster ─┬─ drawn with replacement ──> interval
//	                                    ├─ signs flipped ───────────> p
//	                                    └─ spread over clusters ────> effect size, what
//	                                                                  the sample can see
//
// Cases of one user are not independent, so users are drawn and flipped, never
// cases (Davison and Hinkley 1997, 3.8). All systems are drawn together: each
// round costs one pass over the clusters, whatever the number of pairs, and any
// two systems can be compared afterwards. A round depends on the seed and its
// number alone, so that the figures are the same with any number of workers.
package stat

import (
	"fmt"
	"math"
)

// Panel is what each of some systems scored on the same cases, summed by
// cluster.
type Panel struct {
	systems int
	total   int       // cases
	cases   []int32   // by cluster, in the order of first appearance
	sums    []float64 // by cluster, then by system
	means   []float64 // by system, over all cases
}

// New makes a panel of the score of each system on each case: scores[s][k] is
// that of system s on case k. Clusters names the cluster of each case; nil makes
// each case its own. Not a single case, or another number of them, is an error.
func New(clusters []string, scores ...[]float64) (*Panel, error) {
	if len(scores) == 0 || len(scores[0]) == 0 {
		return nil, fmt.Errorf("compare: no cases")
	}
	n := len(scores[0])
	for _, s := range scores {
		if len(s) != n || clusters != nil && len(clusters) != n {
			return nil, fmt.Errorf("compare: %d, %d cases and %d clusters: want the same cases in the same order", n, len(s), len(clusters))
		}
	}
	p := &Panel{systems: len(scores), total: n, means: make([]float64, len(scores))}
	at := map[string]int{}
	for k := range n {
		c := k
		if clusters != nil {
			known := false
			if c, known = at[clusters[k]]; !known {
				c = len(p.cases)
				at[clusters[k]] = c
			}
		}
		if c == len(p.cases) {
			p.cases = append(p.cases, 0)
			p.sums = append(p.sums, make([]float64, p.systems)...)
		}
		p.cases[c]++
		for s := range scores {
			p.sums[c*p.systems+s] += scores[s][k]
			p.means[s] += scores[s][k]
		}
	}
	for s := range p.means {
		p.means[s] /= float64(n)
	}
	return p, nil
}

// Cases returns the number of cases.
func (p *Panel) Cases() int { return p.total }

// Clusters returns the number of clusters.
func (p *Panel) Clusters() int { return len(p.cases) }

// Mean returns a system's mean over cases.
func (p *Panel) Mean(system int) float64 { return p.means[system] }

// Error returns the standard error of a system's mean, clusters being drawn:
// that of a ratio of sums, linearised (Davison and Hinkley 1997, 2.7). It is 0
// of a single cluster.
func (p *Panel) Error(system int) float64 {
	return p.spread(func(c int) float64 { return p.sums[c*p.systems+system] })
}

// spread is the standard error of the mean of what is summed by cluster.
func (p *Panel) spread(sum func(cluster int) float64) float64 {
	n := float64(len(p.cases))
	if n < 2 {
		return 0
	}
	total := 0.0
	for c := range p.cases {
		total += sum(c)
	}
	mean, squares := total/float64(p.total), 0.0
	for c, k := range p.cases {
		d := sum(c) - float64(k)*mean
		squares += d * d
	}
	return math.Sqrt(squares*n/(n-1)) / float64(p.total)
}
