package gold

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"

	"github.com/mars-rec/mars/graph"
)

// source returns the random numbers of one task: a function of the seed and
// the task's id alone.
func source(seed uint64, id string) *rand.Rand {
	sum := sha256.Sum256(fmt.Appendf(nil, "mars tasks 1\x00%d\x00%s", seed, id))
	return rand.New(rand.NewPCG(binary.BigEndian.Uint64(sum[:8]), binary.BigEndian.Uint64(sum[8:16])))
}

// set is a sorted list of places that must not be drawn.
type set []int

func (s set) has(p int) bool {
	_, ok := slices.BinarySearch(s, p)
	return ok
}

func (s *set) add(p int) {
	if n, ok := slices.BinarySearch(*s, p); !ok {
		*s = slices.Insert(*s, n, p)
	}
}

// below returns how many places of the set are under n.
func (s set) below(n int) int { return sort.SearchInts(s, n) }

// uniform draws k places under n that are not taken, each such set of places
// being equally likely. There must be enough of them.
func uniform(rng *rand.Rand, n int, taken set, k int) []int {
	taken = slices.Clone(taken[:taken.below(n)])
	drawn := make([]int, k)
	for d := range drawn {
		p := rng.IntN(n - len(taken)) // the pth place that is not taken
		for _, t := range taken {
			if t > p {
				break
			}
			p++
		}
		taken.add(p)
		drawn[d] = p
	}
	return drawn
}

// maxMisses bounds how often a draw of an event may hit an item that is taken
// before the weights are counted out.
const maxMisses = 256

// popular draws k places that are not taken, one after the other, each with a
// probability proportional to how often it occurs in events. There must be
// enough of them.
func popular(rng *rand.Rand, events []event, taken set, k int) []int {
	taken = slices.Clone(taken)
	drawn := make([]int, k)
	for d := range drawn {
		p := -1
		for range maxMisses {
			if e := events[rng.IntN(len(events))]; !taken.has(int(e.item)) {
				p = int(e.item)
				break
			}
		}
		if p < 0 { // nearly all events are of items that are taken
			var free []int
			for _, e := range events {
				if !taken.has(int(e.item)) {
					free = append(free, int(e.item))
				}
			}
			p = free[rng.IntN(len(free))]
		}
		taken.add(p)
		drawn[d] = p
	}
	return drawn
}

// soonest is how many items per negative are considered where negatives need
// to have no interaction yet: those that get their first one soonest after
// as_of. Items from a decade later would be told by their year.
const soonest = 4

// matched draws k places that are not taken and whose degree in the cut is as
// near as possible to degree, uniformly among equally near ones. Of the items
// without an interaction only those that get one soonest are considered. It
// also returns how many of the drawn have another degree.
func (h *history) matched(rng *rand.Rand, cut *graph.Cut, degree int, taken set, k int) (drawn []int, off int) {
	known := h.known(cut.AsOf().Unix())
	byDistance := make(map[int][]int)
	for p := known; p < len(h.items) && len(byDistance[degree]) < soonest*k; p++ {
		if !taken.has(p) {
			byDistance[degree] = append(byDistance[degree], p)
		}
	}
	if degree > 0 || len(byDistance[0]) < k {
		for p := range known {
			if !taken.has(p) {
				distance := cut.ItemDegree(h.items[p]) - degree
				distance = max(distance, -distance)
				byDistance[distance] = append(byDistance[distance], p)
			}
		}
	}
	distances := make([]int, 0, len(byDistance))
	for d := range byDistance {
		distances = append(distances, d)
	}
	slices.Sort(distances)
	for _, d := range distances {
		group := byDistance[d]
		for _, n := range uniform(rng, len(group), nil, min(k-len(drawn), len(group))) {
			drawn = append(drawn, group[n])
			if d > 0 {
				off++
			}
		}
	}
	return drawn, off
}
