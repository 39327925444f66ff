package fit

import (
	"math"
)

// softmax is the listwise model: of the items of a case, item k is the gold one
// with probability exp(w·x_k) / Σ exp(w·x_j). It is the conditional logit of
// McFadden (1974), and ListNet's top-one model (Cao et al. 2007).
type softmax struct {
	lists   []list
	penalty float64 // the loss adds penalty/2 · |w|²
}

// list is one case: the features of each item, item by item, and the gold item.
type list struct {
	features [][]float64
	gold     int
}

// fit minimises the penalised negative log likelihood by Newton's method with
// step halving. The loss is strictly convex, so where it ends does not depend on
// where it starts; it starts at zero. It returns the weights and the mean
// negative log likelihood.
func (m softmax) fit(dimension int) (weights []float64, loss float64) {
	weights = make([]float64, dimension)
	value, gradient, hessian := m.at(weights, true)
	for range 100 {
		step := solve(hessian, gradient)
		moved, decrease := make([]float64, dimension), 0.0
		for a := range step {
			decrease += gradient[a] * step[a]
		}
		if decrease < 1e-9 {
			break
		}
		scale := 1.0
		for {
			for a := range moved {
				moved[a] = weights[a] - scale*step[a]
			}
			next, _, _ := m.at(moved, false)
			if next <= value-1e-4*scale*decrease {
				break
			}
			if scale /= 2; scale < 1e-9 {
				return weights, m.mean(weights)
			}
		}
		weights = moved
		value, gradient, hessian = m.at(weights, true)
	}
	return weights, m.mean(weights)
}

// mean returns the mean negative log likelihood without the penalty.
func (m softmax) mean(weights []float64) float64 {
	value, _, _ := softmax{m.lists, 0}.at(weights, false)
	return value / float64(max(1, len(m.lists)))
}

// at returns the loss at the weights and, if asked for, its gradient and
// Hessian.
func (m softmax) at(weights []float64, derivatives bool) (value float64, gradient []float64, hessian [][]float64) {
	d := len(weights)
	gradient = make([]float64, d)
	hessian = make([][]float64, d)
	for a := range hessian {
		hessian[a] = make([]float64, d)
		gradient[a] = m.penalty * weights[a]
		hessian[a][a] = m.penalty
		value += m.penalty / 2 * weights[a] * weights[a]
	}
	for _, l := range m.lists {
		p, loss := l.probabilities(weights)
		value += loss
		if !derivatives {
			continue
		}
		mean := make([]float64, d)
		for k, x := range l.features {
			for a := range x {
				mean[a] += p[k] * x[a]
			}
		}
		for a := range gradient {
			gradient[a] += mean[a] - l.features[l.gold][a]
		}
		for k, x := range l.features {
			for a := range d {
				da := p[k] * (x[a] - mean[a])
				for b := range a + 1 {
					hessian[a][b] += da * (x[b] - mean[b])
				}
			}
		}
	}
	for a := range hessian {
		for b := range a {
			hessian[b][a] = hessian[a][b]
		}
	}
	return value, gradient, hessian
}

// probabilities returns that of each item, and the negative log of the gold
// item's.
func (l list) probabilities(weights []float64) (p []float64, loss float64) {
	p = make([]float64, len(l.features))
	highest := math.Inf(-1)
	for k, x := range l.features {
		for a, w := range weights {
			p[k] += w * x[a]
		}
		highest = max(highest, p[k])
	}
	gold, sum := p[l.gold], 0.0
	for k := range p {
		p[k] = math.Exp(p[k] - highest)
		sum += p[k]
	}
	for k := range p {
		p[k] /= sum
	}
	return p, math.Log(sum) + highest - gold
}

// solve returns x of A·x = b for a positive definite A, by Cholesky's
// decomposition. It changes neither.
func solve(a [][]float64, b []float64) []float64 {
	n := len(b)
	l := make([][]float64, n)
	for i := range n {
		l[i] = make([]float64, n)
		for j := range i + 1 {
			sum := a[i][j]
			for k := range j {
				sum -= l[i][k] * l[j][k]
			}
			if i == j {
				l[i][i] = math.Sqrt(max(sum, 1e-12))
			} else {
				l[i][j] = sum / l[j][j]
			}
		}
	}
	x := make([]float64, n)
	for i := range n {
		x[i] = b[i]
		for k := range i {
			x[i] -= l[i][k] * x[k]
		}
		x[i] /= l[i][i]
	}
	for i := n - 1; i >= 0; i-- {
		for k := i + 1; k < n; k++ {
			x[i] -= l[k][i] * x[k]
		}
		x[i] /= l[i][i]
	}
	return x
}
