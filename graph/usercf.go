package graph

import (
	"cmp"
	"math"
)

// DefaultNeighbours is the number of nearest users that User-CF asks.
const DefaultNeighbours = 50

// UserQuery of User-CF. The zero value asks for the top 20 items of the 50
// nearest users by cosine, who share at least 2 items with the user.
type UserQuery struct {
	K          int    // how many items; 0: 20; negative: all
	Neighbours int    // how many users are asked; 0: DefaultNeighbours
	Support    int    // minimum of shared items; 0: DefaultSupport
	Among      []Item // only these, if not nil

	// Latest is not 0 where an answer may be given for less: of each item of the
	// user only so many of its latest users are looked at. What is shared is then
	// counted among these: another measure, not an estimate of the cosine.
	Latest int
}

// Peer is a user near another, all as of the cut.
type Peer struct {
	User   User
	Shared int // items that both have
	Degree int // items that User has
	Cosine float64
}

// Suggestion is an item that near users have.
type Suggestion struct {
	Item  Item
	Peers int     // of the neighbours, those who have the item
	Score float64 // the sum of their cosines
}

// SimilarUsers returns the k users nearest to the user by cosine on binary
// vectors, who share at least support items with him; best first, ties by
// external id; the user himself never. k of 0 means [DefaultNeighbours],
// negative all; support of 0 means [DefaultSupport].
func (c *Cut) SimilarUsers(u User, k, support int) []Peer {
	s := c.g.scratch()
	defer c.g.release(s)
	near := c.nearUsers(s, uint32(u), UserQuery{Neighbours: k, Support: support}, anyKernel)
	if len(near) == 0 {
		return nil
	}
	peers := make([]Peer, len(near))
	for k, f := range near {
		peers[k] = Peer{User(f.id), int(f.shared), int(f.degree), cosine(f.shared, s.best.middle, f.degree)}
	}
	return peers
}

// nearUsers finds who is near the user; the result lives in the scratch.
func (c *Cut) nearUsers(s *scratch, u uint32, q UserQuery, way kernel) []found {
	if q.Neighbours == 0 {
		q.Neighbours = DefaultNeighbours
	}
	if q.Support <= 0 {
		q.Support = DefaultSupport
	}
	items := c.itemsOf(u)
	s.best.reset(order{Cosine, uint32(len(items)), &c.g.userIDs}, q.Neighbours)
	if len(items) < q.Support {
		return nil
	}
	rows := c.g.Users()
	work := c.spread(s, &c.g.items, &c.m.items, items, q.Latest)
	dense := way >= denseKernel || way == anyKernel && work > 2*rows
	skip := s.skipping(u, nil)
	h := c.choosing(skip[0], &s.best, &c.g.users, &c.m.users, q.Support)
	switch {
	case len(items) <= math.MaxUint8 && way != wideKernel:
		pushAndChoose[uint8](&h, s, rows, work, skip, dense)
	case len(items) <= math.MaxUint16 && way != wideKernel:
		pushAndChoose[uint16](&h, s, rows, work, skip, dense)
	default:
		pushAndChoose[uint32](&h, s, rows, work, skip, dense)
	}
	c.m.users.note(h.asked)
	return s.best.sorted()
}

// UserCF asks the user's nearest users ([Cut.SimilarUsers]) for the items that
// they have and the user has not, and returns those with the highest sum of the
// neighbours' cosines, best first, ties by external id. A sum is taken in the
// order of the neighbours, nearest first, so that it is always the same float.
func (c *Cut) UserCF(u User, q UserQuery) []Suggestion {
	if q.K == 0 {
		q.K = 20
	}
	s := c.g.scratch()
	defer c.g.release(s)
	near := c.nearUsers(s, uint32(u), q, anyKernel)
	if len(near) == 0 {
		return nil
	}
	rows := c.g.Items()
	counts := view[uint32](s, rows)
	s.sums = grown(s.sums, rows)
	s.touched = s.touched[:0]
	for _, p := range near {
		near := cosine(p.shared, s.best.middle, p.degree)
		for _, i := range c.itemsOf(p.id) {
			if counts[i] == 0 {
				s.touched = append(s.touched, i)
				s.sums[i] = 0
			}
			counts[i]++
			s.sums[i] += near
		}
	}
	for _, i := range c.itemsOf(uint32(u)) {
		counts[i] = 0
	}
	first := top[Suggestion]{k: q.K}
	compare := func(a, b Suggestion) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), c.g.itemIDs.compare(uint32(a.Item), uint32(b.Item)))
	}
	if q.Among != nil {
		for _, i := range q.Among {
			if counts[i] > 0 {
				first.add(Suggestion{i, int(counts[i]), s.sums[i]}, compare)
				counts[i] = 0 // listed twice
			}
		}
	}
	for _, i := range s.touched {
		if q.Among == nil && counts[i] > 0 {
			first.add(Suggestion{Item(i), int(counts[i]), s.sums[i]}, compare)
		}
		counts[i] = 0
	}
	return first.sorted(compare)
}
