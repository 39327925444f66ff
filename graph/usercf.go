package graph

import "cmp"

// DefaultNeighbours is the number of nearest users that User-CF asks.
const DefaultNeighbours = 50

// UserQuery of User-CF. The zero value asks for the top 20 items of the 50
// nearest users by cosine, who share at least 2 items with the user.
type UserQuery struct {
	K          int    // how many items; 0: 20; negative: all
	Neighbours int    // how many users are asked; 0: DefaultNeighbours
	Support    int    // minimum of shared items; 0: DefaultSupport
	Among      []Item // only these, if not nil
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
	if k == 0 {
		k = DefaultNeighbours
	}
	if support <= 0 {
		support = DefaultSupport
	}
	s := c.g.counters()
	defer c.g.release(s)
	items := c.itemsOf(uint32(u))
	for _, i := range items {
		for _, v := range c.usersOf(i) {
			if s.shared[v] == 0 {
				s.touched = append(s.touched, v)
			}
			s.shared[v]++
		}
	}
	best := top[Peer]{k: k, less: func(a, b Peer) int {
		return cmp.Or(cmp.Compare(b.Cosine, a.Cosine), cmp.Compare(a.User, b.User))
	}}
	for _, v := range s.touched {
		shared := int(s.shared[v])
		if shared < support || User(v) == u {
			continue
		}
		degree := c.UserDegree(User(v))
		best.add(Peer{User(v), shared, degree, cosine(shared, len(items), degree)})
	}
	return best.sorted()
}

// UserCF asks the user's nearest users ([Cut.SimilarUsers]) for the items that
// they have and the user has not, and returns those with the highest sum of the
// neighbours' cosines, best first, ties by external id. A sum is taken in the
// order of the neighbours, nearest first, so that it is always the same float.
func (c *Cut) UserCF(u User, q UserQuery) []Suggestion {
	if q.K == 0 {
		q.K = 20
	}
	skip := make(map[uint32]bool)
	for _, i := range c.itemsOf(uint32(u)) {
		skip[i] = true
	}
	var among map[Item]bool
	if q.Among != nil {
		among = set(q.Among)
	}
	found := make(map[uint32]int) // item -> position in suggestions
	var suggestions []Suggestion
	for _, p := range c.SimilarUsers(u, q.Neighbours, q.Support) {
		for _, i := range c.itemsOf(uint32(p.User)) {
			if skip[i] || (among != nil && !among[Item(i)]) {
				continue
			}
			at, ok := found[i]
			if !ok {
				at = len(suggestions)
				found[i] = at
				suggestions = append(suggestions, Suggestion{Item: Item(i)})
			}
			suggestions[at].Peers++
			suggestions[at].Score += p.Cosine
		}
	}
	best := top[Suggestion]{k: q.K, less: func(a, b Suggestion) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.Item, b.Item))
	}}
	for _, s := range suggestions {
		best.add(s)
	}
	return best.sorted()
}
