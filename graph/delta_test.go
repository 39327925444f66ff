package graph_test

import (
	"slices"
	"testing"

	"github.com/mars-rec/mars/graph"
	"pgregory.net/rapid"
)

// split cuts a log into a part to build and parts to add.
func split(t *rapid.T, log []graph.Interaction) (first []graph.Interaction, rest [][]graph.Interaction) {
	n := rapid.IntRange(0, len(log)).Draw(t, "built")
	first = log[:n]
	for left := log[n:]; len(left) > 0; {
		k := rapid.IntRange(1, len(left)).Draw(t, "added")
		rest, left = append(rest, left[:k]), left[k:]
	}
	return first, rest
}

// A graph to which interactions were added answers as one that was built of all
// of them, by every kernel, and saved it is the same to the byte.
func TestAddedIsAsBuilt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		log := logs(t)
		for k := range log {
			if log[k].Time < 0 {
				log[k].Time += 100 // before the epoch the first time is the graph's reach
			}
		}
		first, rest := split(t, log)
		g, err := graph.Build(rows(first))
		if err != nil {
			t.Fatal(err)
		}
		if len(first) == 0 && len(log) > 0 {
			rest = [][]graph.Interaction{log}
		}
		for _, more := range rest {
			if g, err = g.With(more); err != nil {
				t.Fatal(err)
			}
		}
		whole, err := graph.Build(rows(log))
		if err != nil {
			t.Fatal(err)
		}
		users, items := ids(log)
		moment := moments(t, log)
		c, o := g.At(at(moment)), newOracle(log, moment)
		k := rapid.SampledFrom([]int{-1, 1, 3}).Draw(t, "k")
		support := rapid.IntRange(1, 3).Draw(t, "support")
		for _, id := range users {
			checkUser(t, c, o, id, k, support, items)
		}
		for _, id := range items {
			checkItem(t, c, o, id, k, support, items, moment)
		}
		if a, b := answers(t, c, users, items, moment-4), answers(t, whole.At(at(moment)), users, items, moment-4); !slices.Equal(a, b) {
			t.Fatalf("added:\n%q\nbuilt:\n%q", a, b)
		}
		if !g.End().Equal(whole.End()) || !g.Quantile(0.3).Equal(whole.Quantile(0.3)) || g.Interactions() != whole.Interactions() {
			t.Fatal("the times or counts are others")
		}
		if !slices.Equal(graph.Encode(g), graph.Encode(whole)) {
			t.Fatal("saved it is another graph")
		}
	})
}

// The same with hubs, floors and a grid that a delta has overtaken.
func TestAddedToHubs(t *testing.T) {
	log := crowd(5)
	g := build(t, log[:25_000])
	for _, part := range [][]graph.Interaction{log[25_000:25_001], log[25_001:]} {
		more, err := g.With(part)
		if err != nil {
			t.Fatal(err)
		}
		g = more
	}
	whole := build(t, log)
	for _, moment := range []int64{1_500_000_300, 1_500_000_900} {
		a, b := g.At(at(moment)), whole.At(at(moment))
		for i := range b.AllItems() {
			j, _ := a.Item(b.ItemID(i))
			for way, by := range graph.Kernels() {
				q := by(graph.Query{K: 6, LikedFrom: 3})
				var near, want []neighbour
				for _, n := range a.ItemCF(j, q) {
					near = append(near, neighbour{a.ItemID(n.Item), n.Shared, n.Liked, n.Degree, n.Cosine, n.Lift, n.Score})
				}
				for _, n := range b.ItemCF(i, q) {
					want = append(want, neighbour{b.ItemID(n.Item), n.Shared, n.Liked, n.Degree, n.Cosine, n.Lift, n.Score})
				}
				if !slices.Equal(near, want) {
					t.Fatalf("as of %d, neighbours of %s, counted %s:\nadded %v\nbuilt %v", moment, b.ItemID(i), way, near, want)
				}
			}
		}
	}
}
