package gold

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/mars-rec/mars/graph"
)

// crowd is a log of many users, with an item's popularity proportional to its
// number, and one user of interest, who comes last.
func crowd() rows {
	var out rows
	for item := 1; item <= 30; item++ {
		for u := range item {
			out = append(out, graph.Interaction{User: fmt.Sprintf("c%02d", u), Item: fmt.Sprintf("i%02d", item), Time: epoch + int64(item)})
		}
	}
	for n, item := range []string{"i01", "i10", "i20", "i30", "i29", "i15"} {
		out = append(out, graph.Interaction{User: "me", Item: item, Time: epoch + 100 + int64(n)})
	}
	return out
}

// draws makes the task of user me with many seeds.
func draws(t *testing.T, c Config, seeds int) []Case {
	g := crowd().graph(t)
	var out []Case
	for seed := range seeds {
		c.Seed = uint64(seed)
		set, err := LeaveLastOut("test", g, c)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range set.Cases {
			if k.Task.User == "me" {
				out = append(out, k)
			}
		}
	}
	if len(out) != seeds {
		t.Fatalf("%d tasks of %d seeds", len(out), seeds)
	}
	return out
}

func TestTheTrueItemStandsAnywhere(t *testing.T) {
	const seeds, places = 2000, 5
	var count [places]int
	for _, k := range draws(t, Config{Candidates: places}, seeds) {
		count[slices.Index(k.Task.Candidates, "i15")]++
	}
	// The bound is the 99.9% quantile of chi-square with 4 degrees of freedom.
	if x := chiSquare(count[:], func(int) float64 { return 1.0 / places }); x > 18.47 {
		t.Errorf("places of the true item %v: chi-square %.1f", count, x)
	}
}

func TestNegativesFollowTheirDistribution(t *testing.T) {
	mine := []string{"i01", "i10", "i20", "i30", "i29", "i15"}
	for _, negatives := range []Negatives{Uniform, Popular} {
		t.Run(string(negatives), func(t *testing.T) {
			var count []int
			var share []float64
			total := 0.0
			counts := map[string]int{}
			for _, k := range draws(t, Config{Candidates: 2, Negatives: negatives}, 5000) {
				for _, item := range k.Task.Candidates {
					counts[item]++
				}
			}
			for n := 1; n <= 30; n++ {
				item := fmt.Sprintf("i%02d", n)
				if slices.Contains(mine, item) {
					continue
				}
				weight := 1.0
				if negatives == Popular {
					weight = float64(n)
				}
				count, share, total = append(count, counts[item]), append(share, weight), total+weight
			}
			// 24 items, 23 degrees of freedom: the 99.9% quantile is 49.73.
			if x := chiSquare(count, func(i int) float64 { return share[i] / total }); x > 49.73 {
				t.Errorf("negatives %v: chi-square %.1f", count, x)
			}
		})
	}
}

func chiSquare(count []int, share func(int) float64) float64 {
	n := 0
	for _, c := range count {
		n += c
	}
	x := 0.0
	for i, c := range count {
		want := share(i) * float64(n)
		x += math.Pow(float64(c)-want, 2) / want
	}
	return x
}

func TestPopularWhereTheUserHasNearlyAll(t *testing.T) {
	// One item holds almost all events, and it is taken.
	events := make([]event, 5000)
	events[77].item, events[78].item, events[79].item = 1, 2, 2
	seen := map[int]int{}
	for seed := range 300 {
		drawn := popular(source(uint64(seed), "t"), events, set{0}, 2)
		seen[drawn[0]]++
		if slices.Sort(drawn); !slices.Equal(drawn, []int{1, 2}) {
			t.Fatalf("drew %v, want 1 and 2", drawn)
		}
	}
	if seen[2] < 160 || seen[2] > 240 { // expected: 200, two in three
		t.Errorf("item 2 came first %d times in 300", seen[2])
	}
}
