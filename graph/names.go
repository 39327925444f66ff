package graph

import (
	"cmp"
	"fmt"
	"iter"
	"math"
	"slices"
	"sort"
	"strings"
)

// names are the external ids of one side of the graph. Internal ids go by
// popularity; order and rank lead from one numbering to the other:
//
//	internal id ──rank──> position among the external ids, ascending as bytes
//	internal id <──order── position
//
// The bytes of all ids stand one after another, so that a mapped file is used
// as it is; where one starts is told from the start of the first of its sixteen. Ids that a delta adds stand apart, in added, and follow the others
// as internal ids.
type names struct {
	blob    []byte
	anchors []uint32 // by position / 16: where the bytes of that one start in blob
	starts  []uint16 // by position, and one more: where its bytes start from there
	order   []uint32 // by position: internal id
	rank    []uint32 // by internal id: position

	added []string          // of internal ids from len(rank) on
	index map[string]uint32 // of added: internal id
	late  []uint32          // internal ids of added, ascending by external id
}

func (n *names) len() int { return len(n.rank) + len(n.added) }

// at returns the id at a position, in place.
func (n *names) at(p uint32) []byte { return n.blob[n.start(p):n.start(p+1)] }

// anchored is how many ids have one anchor: with maxID bytes each, the last of
// them starts within 16 bits.
const anchored = 16

func (n *names) start(p uint32) uint32 { return n.anchors[p/anchored] + uint32(n.starts[p]) }

// id returns a copy of an external id, which outlives the mapped file.
func (n *names) id(k uint32) string {
	if int(k) >= len(n.rank) {
		return n.added[int(k)-len(n.rank)]
	}
	return string(n.at(n.rank[k]))
}

func (n *names) find(id string) (uint32, bool) {
	p := sort.Search(len(n.order), func(p int) bool { return string(n.at(uint32(p))) >= id })
	if p < len(n.order) && string(n.at(uint32(p))) == id {
		return n.order[p], true
	}
	k, ok := n.index[id]
	return k, ok
}

// compare orders two internal ids by their external ids, as bytes.
func (n *names) compare(a, b uint32) int {
	if base := uint32(len(n.rank)); a < base && b < base {
		return cmp.Compare(n.rank[a], n.rank[b])
	}
	return strings.Compare(n.id(a), n.id(b))
}

// all yields the internal ids by external id, ascending as bytes.
func (n *names) all() iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		late := n.late
		for _, k := range n.order {
			for len(late) > 0 && n.compare(late[0], k) < 0 {
				if !yield(late[0]) {
					return
				}
				late = late[1:]
			}
			if !yield(k) {
				return
			}
		}
		for _, k := range late {
			if !yield(k) {
				return
			}
		}
	}
}

// newNames keeps ids, which ascend as bytes; order says which internal id each
// of them has.
func newNames(ids []string, order []uint32) (names, error) {
	n := names{anchors: make([]uint32, 0, len(ids)/anchored+1), starts: make([]uint16, 0, len(ids)+1), order: order, rank: make([]uint32, len(ids))}
	n.startHere()
	for p, id := range ids {
		if len(n.blob)+len(id) > math.MaxUint32 {
			return names{}, fmt.Errorf("the external ids together are longer than 4 GiB")
		}
		n.blob = append(n.blob, id...)
		n.startHere()
		n.rank[order[p]] = uint32(p)
	}
	return n, nil
}

// startHere notes that an id starts at the end of the bytes.
func (n *names) startHere() {
	if len(n.starts)%anchored == 0 {
		n.anchors = append(n.anchors, uint32(len(n.blob)))
	}
	n.starts = append(n.starts, uint16(uint32(len(n.blob))-n.anchors[len(n.anchors)-1]))
}

// with returns the names with more ids, none of which it has, given in the
// order of their internal ids.
func (n *names) with(ids []string) names {
	w := *n
	w.added = append(slices.Clip(n.added), ids...)
	w.index = make(map[string]uint32, len(w.added))
	w.late = make([]uint32, len(w.added))
	for k, id := range w.added {
		internal := uint32(len(n.rank) + k)
		w.index[id], w.late[k] = internal, internal
	}
	slices.SortFunc(w.late, w.compare)
	return w
}
