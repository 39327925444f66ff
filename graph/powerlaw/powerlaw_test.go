package powerlaw_test

import (
	"cmp"
	"slices"
	"testing"

	"github.com/mars-rec/mars/graph"
	"github.com/mars-rec/mars/graph/powerlaw"
)

func TestLog(t *testing.T) {
	shape := powerlaw.Sized(100_000, 7)
	rows, err := shape.Log()
	if err != nil {
		t.Fatal(err)
	}
	again, _ := shape.Log()
	if !slices.Equal(rows, again) {
		t.Error("the same shape makes another log")
	}
	if len(rows) != shape.Interactions || !slices.IsSortedFunc(rows, func(a, b graph.Row) int { return cmp.Compare(a.Time, b.Time) }) {
		t.Errorf("%d rows, not %d in the order of time", len(rows), shape.Interactions)
	}
	type pair struct{ user, item uint32 }
	pairs := map[pair]bool{}
	degrees := make([]int, shape.Items)
	for _, r := range rows {
		pairs[pair{r.User, r.Item}] = true
		degrees[r.Item]++
	}
	if len(pairs) != len(rows) {
		t.Errorf("%d of %d rows are another's pair", len(rows)-len(pairs), len(rows))
	}
	slices.Sort(degrees)
	head, tail := 0, 0
	for k, d := range degrees {
		if k >= len(degrees)*9/10 {
			head += d
		} else if k < len(degrees)/2 {
			tail += d
		}
	}
	if head < 2*tail {
		t.Errorf("the most popular tenth has %d interactions, the lower half %d: no power law", head, tail)
	}
}

func TestImpossibleShape(t *testing.T) {
	if _, err := (powerlaw.Shape{Interactions: 100, Users: 50, Items: 20}).Log(); err == nil {
		t.Error("accepted")
	}
}
