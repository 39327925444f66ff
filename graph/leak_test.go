package graph_test

import (
	"slices"
	"testing"

	"github.com/mars-rec/mars/graph"
)

// A test of leaks is worth what it finds: planted ones, one at a time, each in
// what it is meant for.
func TestPlantedLeaksAreFound(t *testing.T) {
	const moment = 1_500_000_450
	log := crowd(5)[:6000]
	var past []graph.Interaction
	for _, in := range log {
		if in.Time < moment {
			past = append(past, in)
		}
	}
	// differs reports whether an answer as of the moment depends on what came
	// later.
	differs := func(q graph.Query, among bool, plant func(*graph.Cut, graph.Item)) bool {
		var said [][]neighbour
		for _, l := range [][]graph.Interaction{past, log} {
			c := build(t, l).At(at(moment))
			i, ok := c.Item("9")
			if !ok {
				t.Fatal("item 9 is not there")
			}
			if plant != nil {
				plant(c, i)
			}
			if among {
				q.Among = internal(c, []string{"1", "20", "33"})
			}
			var near []neighbour
			for _, n := range c.ItemCF(i, q) {
				near = append(near, neighbour{c.ItemID(n.Item), n.Shared, n.Liked, n.Degree, n.Cosine, n.Lift, n.Score})
			}
			said = append(said, near)
		}
		return !slices.Equal(said[0], said[1])
	}
	degrees := func(c *graph.Cut, i graph.Item) { c.PlantDegrees(i) }
	histories := func(c *graph.Cut, _ graph.Item) { c.PlantHistories() }
	for _, m := range graph.Measures() {
		for way, by := range graph.Kernels() {
			q := by(graph.Query{K: -1, Measure: m})
			if differs(q, false, nil) {
				t.Errorf("%s, counted %s: the future is seen", m, way)
			}
			if !differs(q, false, degrees) {
				t.Errorf("%s, counted %s: degrees of the whole log were not found", m, way)
			}
			if m != graph.IUF && way == "pull" {
				continue // reads no history
			}
			if !differs(q, false, histories) {
				t.Errorf("%s, counted %s: histories of the whole log were not found", m, way)
			}
		}
	}
	// Among few items what is shared is counted from their own lists: of the
	// users' degrees only the weights are made.
	weights := graph.Query{K: -1, Measure: graph.IUF}
	if differs(weights, true, nil) {
		t.Error("iuf among a few: the future is seen")
	}
	if !differs(weights, true, histories) {
		t.Error("weights from degrees of the whole log were not found")
	}
}
