package fit

import (
	"math"
	"math/rand/v2"
	"testing"
)

// sample draws lists from a known model.
func sample(n int, truth []float64, random *rand.Rand) []list {
	lists := make([]list, n)
	for c := range lists {
		l := list{features: make([][]float64, 6)}
		for k := range l.features {
			for range truth {
				l.features[k] = append(l.features[k], random.NormFloat64())
			}
		}
		p, _ := l.probabilities(truth)
		x := random.Float64()
		for l.gold = 0; l.gold < 5 && x > p[l.gold]; l.gold++ {
			x -= p[l.gold]
		}
		lists[c] = l
	}
	return lists
}

func TestSoftmaxRecovers(t *testing.T) {
	truth := []float64{1.5, -0.7, 0}
	m := softmax{sample(4000, truth, rand.New(rand.NewPCG(1, 1))), 1}
	got, loss := m.fit(3)
	for a := range truth {
		if math.Abs(got[a]-truth[a]) > 0.1 {
			t.Errorf("weight %d: got %.3f, drawn with %.3f", a, got[a], truth[a])
		}
	}
	if loss >= math.Log(6) {
		t.Errorf("loss %.3f is no better than chance", loss)
	}
	_, gradient, _ := m.at(got, true)
	for a, g := range gradient {
		if math.Abs(g) > 1e-3 {
			t.Errorf("gradient %d is %v at the end", a, g)
		}
	}
}

// The derivatives are those of the loss, by finite differences.
func TestSoftmaxDerivatives(t *testing.T) {
	m := softmax{sample(5, []float64{1, 2}, rand.New(rand.NewPCG(2, 2))), 0.5}
	w := []float64{0.3, -0.2}
	_, gradient, hessian := m.at(w, true)
	const h = 1e-5
	for a := range w {
		up, down := append([]float64{}, w...), append([]float64{}, w...)
		up[a] += h
		down[a] -= h
		u, gu, _ := m.at(up, true)
		d, gd, _ := m.at(down, true)
		if math.Abs((u-d)/(2*h)-gradient[a]) > 1e-6 {
			t.Errorf("gradient %d: %v, by differences %v", a, gradient[a], (u-d)/(2*h))
		}
		for b := range w {
			if math.Abs((gu[b]-gd[b])/(2*h)-hessian[a][b]) > 1e-6 {
				t.Errorf("hessian %d,%d: %v, by differences %v", a, b, hessian[a][b], (gu[b]-gd[b])/(2*h))
			}
		}
	}
}

// Features that are copies of one another, or far out, do not break the fit.
func TestSoftmaxIsStable(t *testing.T) {
	lists := sample(200, []float64{2}, rand.New(rand.NewPCG(3, 3)))
	for c := range lists {
		for k, x := range lists[c].features {
			lists[c].features[k] = append(x, x[0], 1e4*x[0], 0)
		}
	}
	got, loss := softmax{lists, 5}.fit(4)
	for a, w := range got {
		if math.IsNaN(w) || math.Abs(w) > 100 {
			t.Errorf("weight %d is %v", a, w)
		}
	}
	if math.IsNaN(loss) || loss > math.Log(6) {
		t.Errorf("loss %v", loss)
	}
}
