package metric_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/mars-rec/mars/eval/metric"
)

func near(a, b float64) bool { return math.Abs(a-b) < 1e-12 }

func TestOneCase(t *testing.T) {
	// By hand: 1/log₂2 = 1, 1/log₂4 = 1/2, 1/log₂8 = 1/3.
	for _, c := range []struct {
		rank                   int
		hit1, hit3, hit5, mean float64
		ndcg5, ndcg10, recip   float64
	}{
		{rank: 1, hit1: 1, hit3: 1, hit5: 1, mean: 1, ndcg5: 1, ndcg10: 1, recip: 1},
		{rank: 3, hit3: 1, hit5: 1, mean: 2. / 3, ndcg5: 0.5, ndcg10: 0.5, recip: 1. / 3},
		{rank: 5, hit5: 1, mean: 1. / 3, ndcg5: 1 / math.Log2(6), ndcg10: 1 / math.Log2(6), recip: 0.2},
		{rank: 7, ndcg10: 1. / 3, recip: 1. / 7},
		{rank: 11, recip: 1. / 11},
		{rank: metric.Missing},
	} {
		got := []float64{metric.Hit(c.rank, 1), metric.Hit(c.rank, 3), metric.Hit(c.rank, 5), metric.MeanHit(c.rank),
			metric.Gain(c.rank, 5), metric.Gain(c.rank, 10), metric.Reciprocal(c.rank)}
		want := []float64{c.hit1, c.hit3, c.hit5, c.mean, c.ndcg5, c.ndcg10, c.recip}
		for k := range got {
			if !near(got[k], want[k]) {
				t.Errorf("rank %d, measure %d: got %v, want %v", c.rank, k, got[k], want[k])
			}
		}
	}
}

func TestSummarise(t *testing.T) {
	got := metric.Summarise([]int{1, 3, metric.Missing, 7})
	want := metric.Summary{Cases: 4, HR1: 0.25, HR3: 0.5, HR5: 0.5, MeanHR: (1 + 2./3) / 4,
		NDCG5: 1.5 / 4, NDCG10: (1.5 + 1./3) / 4, MRR: (1 + 1./3 + 1./7) / 4, Missing: 1}
	for name, pair := range map[string][2]float64{
		"HR@1": {got.HR1, want.HR1}, "HR@3": {got.HR3, want.HR3}, "HR@5": {got.HR5, want.HR5}, "mean": {got.MeanHR, want.MeanHR},
		"NDCG@5": {got.NDCG5, want.NDCG5}, "NDCG@10": {got.NDCG10, want.NDCG10}, "MRR": {got.MRR, want.MRR},
	} {
		if !near(pair[0], pair[1]) {
			t.Errorf("%s: got %v, want %v", name, pair[0], pair[1])
		}
	}
	if got.Cases != 4 || got.Missing != 1 {
		t.Errorf("got %+v", got)
	}
	if z := metric.Summarise(nil); z != (metric.Summary{}) {
		t.Errorf("of no cases: %+v", z)
	}
}

func ExampleSummarise() {
	ranks := []int{
		metric.Rank([]string{"emma", "dune", "ulysses"}, "emma"),
		metric.Rank([]string{"emma", "dune", "ulysses"}, "dune"),
		metric.Rank([]string{"emma", "dune", "ulysses"}, "emil"),
	}
	s := metric.Summarise(ranks)
	fmt.Printf("HR@1 %.3f, HR@3 %.3f, MRR %.3f, %d missing\n", s.HR1, s.HR3, s.MRR, s.Missing)
	// Output: HR@1 0.333, HR@3 0.667, MRR 0.500, 1 missing
}
