package eval

import (
	"slices"

	"github.com/mars-rec/mars/graph"
)

// percentiles returns how popular each candidate of each case is as of its
// moment: the share of the items visible then that have a lower degree, half of
// those with the same degree counted too. A candidate that nobody had yet is
// 0. The log is walked once in the order of time, with the number of items of
// each degree in a binary indexed tree (Fenwick 1994); it holds 8 bytes for each
// interaction before the last case.
func percentiles(g *graph.Graph, sets []Set) [][]popularity {
	order := blocks(sets, 1)[0]
	task := func(t timed) (asOf int64, candidates []string) {
		c := sets[t.set].Cases[t.at].Task
		return c.AsOf.Unix(), c.Candidates
	}
	known := make([][]popularity, len(sets))
	for n, set := range sets {
		known[n] = make([]popularity, len(set.Cases))
	}
	last := order[len(order)-1]
	end := g.At(sets[last.set].Cases[last.at].Task.AsOf)
	var log []uint64 // seconds since the first interaction, and the item
	first, most := g.Quantile(0).Unix(), 0
	for i := range end.AllItems() {
		most = max(most, end.ItemDegree(i))
		for _, e := range end.Audience(i) {
			log = append(log, uint64(e.Time.Unix()-first)<<32|uint64(i))
		}
	}
	slices.Sort(log)
	degrees := make([]int32, g.Items())
	tree := newTree(most + 1)
	at := 0
	for _, t := range order {
		asOf, candidates := task(t)
		for ; at < len(log) && int64(log[at]>>32)+first < asOf; at++ {
			i := uint32(log[at])
			if degrees[i] > 0 {
				tree.add(int(degrees[i]), -1)
			}
			degrees[i]++
			tree.add(int(degrees[i]), 1)
		}
		list := make(popularity, len(candidates))
		for k, id := range candidates {
			if i, ok := end.Item(id); ok && degrees[i] > 0 {
				d := int(degrees[i])
				list[k] = float32(tree.below(d)+tree.below(d+1)) / float32(2*tree.total)
			}
		}
		known[t.set][t.at] = list
	}
	return known
}

// tree counts items by degree, from 1.
type tree struct {
	sums  []int32
	total int32
}

func newTree(degrees int) *tree { return &tree{sums: make([]int32, degrees+1)} }

// add counts by more items of a degree.
func (t *tree) add(degree int, by int32) {
	t.total += by
	for k := degree; k < len(t.sums); k += k & -k {
		t.sums[k] += by
	}
}

// below returns the number of items of a lower degree.
func (t *tree) below(degree int) (n int32) {
	for k := min(degree-1, len(t.sums)-1); k > 0; k -= k & -k {
		n += t.sums[k]
	}
	return n
}
