package graph

// counters is room to count in, by internal id of items or users. Between uses
// all counts are zero: release clears what was touched.
type counters struct {
	shared  []uint32
	liked   []uint32
	weight  []uint64
	touched []uint32 // in order of first touch
}

// count adds one event: user u has item j, with that rating.
func (s *counters) count(j, u uint32, rating float32, q Query, weights []uint64) {
	if s.shared[j] == 0 {
		s.touched = append(s.touched, j)
	}
	s.shared[j]++
	if q.LikedFrom > 0 && rating >= q.LikedFrom {
		s.liked[j]++
	}
	if weights != nil {
		s.weight[j] += weights[u]
	}
}

func (g *Graph) counters() *counters {
	if s, ok := g.scratch.Get().(*counters); ok {
		return s
	}
	n := max(len(g.itemIDs), len(g.userIDs))
	return &counters{shared: make([]uint32, n), liked: make([]uint32, n), weight: make([]uint64, n)}
}

func (g *Graph) release(s *counters) {
	for _, k := range s.touched {
		s.shared[k], s.liked[k], s.weight[k] = 0, 0, 0
	}
	s.touched = s.touched[:0]
	g.scratch.Put(s)
}
