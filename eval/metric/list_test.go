package metric_test

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/mars-rec/mars/eval/metric"
)

func TestInspect(t *testing.T) {
	candidates := []string{"a", "b", "c"}
	for _, c := range []struct {
		ranking []string
		want    metric.Form
		gold    int // rank of b
	}{
		{[]string{"c", "b", "a"}, metric.Form{}, 2},
		{nil, metric.Form{Empty: true, Left: 3}, metric.Missing},
		{[]string{"a", "a", "b"}, metric.Form{Repeated: 1, Left: 1}, 3},
		{[]string{"b", "b", "a", "c"}, metric.Form{Repeated: 1}, 1},
		{[]string{"x", "x", "b", "y", "a", "c"}, metric.Form{Repeated: 1, Foreign: 2}, 3},
		{[]string{"a", "c"}, metric.Form{Left: 1}, metric.Missing},
	} {
		if got := metric.Inspect(c.ranking, candidates); got != c.want {
			t.Errorf("%v is %+v, want %+v", c.ranking, got, c.want)
		}
		if valid := metric.Inspect(c.ranking, candidates).Valid(); valid != (c.want == metric.Form{}) {
			t.Errorf("%v: valid is %v", c.ranking, valid)
		}
		if got := metric.Rank(c.ranking, "b"); got != c.gold {
			t.Errorf("in %v b has rank %d, want %d", c.ranking, got, c.gold)
		}
	}
}

func TestSpearman(t *testing.T) {
	list := []string{"a", "b", "c", "d"}
	for _, c := range []struct {
		ranking []string
		want    float64
	}{
		{list, 1},
		{[]string{"d", "c", "b", "a"}, -1},
		{[]string{"b", "a", "d", "c"}, 0.6}, // 1 − 6·4/(4·15)
		{[]string{"x", "b", "y", "a"}, -1},  // of a and b alone
		{[]string{"a"}, 0},
		{nil, 0},
	} {
		if got := metric.Spearman(c.ranking, list); !near(got, c.want) {
			t.Errorf("%v: %g, want %g", c.ranking, got, c.want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 30).Draw(t, "n")
		var list []string
		for k := range n {
			list = append(list, string(rune('a'+k)))
		}
		ranking := rapid.Permutation(list).Draw(t, "ranking")
		turned := slices.Clone(ranking)
		slices.Reverse(turned)
		if a, b := metric.Spearman(ranking, list), metric.Spearman(turned, list); !near(a, -b) || math.Abs(a) > 1+1e-12 {
			t.Fatalf("%v: %g, turned around %g", ranking, a, b)
		}
	})
}

func TestGini(t *testing.T) {
	for _, c := range []struct {
		counts []int
		want   float64
	}{
		{nil, 0}, {[]int{0, 0}, 0}, {[]int{3, 3, 3}, 0},
		{[]int{0, 0, 0, 8}, 0.75},
		{[]int{4, 1, 2, 3}, 0.25}, // (−3·1 − 1·2 + 1·3 + 3·4)/(4·10)
	} {
		if got := metric.Gini(c.counts); !near(got, c.want) {
			t.Errorf("%v: %g, want %g", c.counts, got, c.want)
		}
	}
}

func TestQuantile(t *testing.T) {
	values := []float64{5, 1, 4, 2, 3}
	for q, want := range map[float64]float64{0: 1, 0.2: 1, 0.5: 3, 0.95: 5, 1: 5} {
		if got := metric.Quantile(values, q); got != want {
			t.Errorf("at %g: %g, want %g", q, got, want)
		}
	}
	if !math.IsNaN(metric.Quantile(nil, 0.5)) {
		t.Error("of nothing there is a quantile")
	}
}
