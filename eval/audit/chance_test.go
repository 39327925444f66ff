package audit

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// TestAtLeast compares the tail of the binomial with its definition.
func TestAtLeast(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 40).Draw(t, "n")
		k := rapid.IntRange(0, n).Draw(t, "k")
		p := rapid.SampledFrom([]float64{0.05, 0.25, 0.5, 1. / 3}).Draw(t, "p")
		// By the recursion of Pascal's triangle: chances of 0 to n successes.
		chances := []float64{1}
		for range n {
			next := make([]float64, len(chances)+1)
			for i, c := range chances {
				next[i] += c * (1 - p)
				next[i+1] += c * p
			}
			chances = next
		}
		least, most := 0.0, 0.0
		for i, c := range chances {
			if i >= k {
				least += c
			}
			if i <= k {
				most += c
			}
		}
		if got := atLeast(k, n, p); math.Abs(got-least) > 1e-9 {
			t.Fatalf("%d or more of %d at %g: %g, want %g", k, n, p, got, least)
		}
		if got := atMost(k, n, p); math.Abs(got-most) > 1e-9 {
			t.Fatalf("%d or fewer of %d at %g: %g, want %g", k, n, p, got, most)
		}
		if bound := atLeastOf(k, float64(n)*p); bound < least-1e-9 {
			t.Fatalf("%d or more of %d at %g: the bound %g is below %g", k, n, p, bound, least)
		}
	})
}

// TestPositions: places that are alike are not accused, in as many samples as
// the chance tells, and a leak is.
func TestPositions(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	const samples, level = 2000, 0.05
	accused := 0
	for range samples {
		var p positions
		for range 60 {
			n := []int{10, 20}[rng.IntN(2)]
			p.add(rng.IntN(n), n)
		}
		if c, _ := p.chance(); c < level {
			accused++
		}
	}
	if share := float64(accused) / samples; share > level {
		t.Errorf("at the level %g, %.3f of clean samples are accused", level, share)
	}
	for name, leak := range map[string]func() int{
		"first":      func() int { return 0 },
		"last":       func() int { return 19 },
		"upper half": func() int { return rng.IntN(10) },
		"never fifth": func() int {
			if k := rng.IntN(19); k >= 4 {
				return k + 1
			} else {
				return k
			}
		},
	} {
		var p positions
		for range 1000 {
			p.add(leak(), 20)
		}
		if c, what := p.chance(); c > certain {
			t.Errorf("%s: p is %g: %s", name, c, what)
		}
	}
	var six, five positions
	for range 6 {
		six.add(0, 20)
	}
	for range 5 {
		five.add(0, 20)
	}
	if c, _ := six.chance(); c >= certain {
		t.Errorf("six lists with the right one first: p is %g", c)
	}
	if c, _ := five.chance(); c < certain {
		t.Errorf("five lists with the right one first: p is %g", c)
	}
}

func TestChanceSorted(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   float64
	}{
		{[]float64{3, 1, 2}, 1. / 6},
		{[]float64{1, 1, 1}, 1},
		{[]float64{1, 2, 1, 2}, 1. / 6},
	} {
		if got := chanceSorted(c.values); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%v: %g, want %g", c.values, got, c.want)
		}
	}
}
