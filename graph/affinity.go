package graph

import "math/bits"

// batch is how many candidates are asked about at once: a mask has so many bits.
const batch = 64

// Affinities returns for each candidate the sum of the scores of those of its
// neighbours, as [Cut.ItemCF] with q finds them among all items, that are in
// the history. The sum is taken nearest first, so that it is the same float as
// the sum over ItemCF. q.Among and q.Exclude are not looked at.
//
// It is far less work than asking ItemCF for each candidate: the users of all
// candidates are met once, in the lists of the history, and the whole
// neighbourhood of a candidate is counted only if something of the history
// could be in it.
func (c *Cut) Affinities(history, candidates []Item, q Query) []float64 {
	q = q.withDefaults()
	q.Among, q.Exclude = nil, nil
	s := c.g.scratch()
	defer c.g.release(s)
	scores := make([]float64, len(candidates))
	for from := 0; from < len(candidates); from += batch {
		to := min(from+batch, len(candidates))
		c.link(s, history, candidates[from:to], q)
		c.sumLinks(s, candidates[from:to], scores[from:to], q)
	}
	return scores
}

// link finds, for each candidate, the items of the history that share at least
// the support with it, in no order.
func (c *Cut) link(s *scratch, history, candidates []Item, q Query) {
	s.masks = grown(s.masks, c.g.Users())
	for k, j := range candidates {
		for _, u := range c.usersOf(uint32(j)) {
			s.masks[u] |= 1 << k
		}
	}
	for k := range s.links {
		s.links[k] = s.links[k][:0]
	}
	s.skips = grown(s.skips, setWords(c.g.Items()))
	s.noted = s.noted[:0]
	for _, i := range history {
		if has(s.skips, uint32(i)) {
			continue // listed twice
		}
		s.noted = append(s.noted, uint32(i))
		set(s.skips, s.noted[len(s.noted)-1:])
		var shared [batch]uint32
		var weight [batch]uint64
		users := c.usersOf(uint32(i))
		for _, u := range users {
			m := s.masks[u]
			if m != 0 && q.Measure == IUF {
				w := inverseFrequency(c.UserDegree(User(u)))
				for m := m; m != 0; m &= m - 1 {
					weight[bits.TrailingZeros64(m)] += w
				}
			}
			for ; m != 0; m &= m - 1 {
				shared[bits.TrailingZeros64(m)]++
			}
		}
		for k, j := range candidates {
			if int(shared[k]) >= q.Support && i != j {
				s.links[k] = append(s.links[k], found{uint32(i), shared[k], uint32(len(users)), weight[k]})
			}
		}
	}
	unset(s.skips, s.noted)
	for _, j := range candidates {
		for _, u := range c.usersOf(uint32(j)) {
			s.masks[u] = 0
		}
	}
}

// sumLinks sums the scores of the links of each candidate.
func (c *Cut) sumLinks(s *scratch, candidates []Item, scores []float64, q Query) {
	for k, i := range candidates {
		if len(s.links[k]) == 0 {
			continue
		}
		of := order{q.Measure, uint32(c.ItemDegree(i)), &c.g.itemIDs}
		s.best.reset(of, q.K)
		for _, f := range s.links[k] {
			s.best.add(f)
		}
		// Beyond the first K of the history nothing can be among the first K of all.
		near := append(s.links[k][:0], s.best.sorted()...)
		if q.K > 0 {
			near = nearest(near, c.nearItems(s, uint32(i), q, near[len(near)-1]))
		}
		for _, f := range near {
			scores[k] += of.score(f, c.Users())
		}
	}
}

// nearest returns how much of the links, which ascend, is among what is near,
// which ascends too and has the first of all items.
func nearest(links, near []found) []found {
	n := 0
	for _, f := range near {
		if n < len(links) && links[n].id == f.id {
			n++
		}
	}
	return links[:n]
}
