package graph

import (
	"cmp"
	"math"
)

// Measure is a similarity of two items; the package's essay defines them.
type Measure string

// The measures.
const (
	Cosine  Measure = "cosine"
	Jaccard Measure = "jaccard"
	Lift    Measure = "lift"
	IUF     Measure = "iuf" // cosine with inverse user frequency
)

// Measures returns all measures, the default first.
func Measures() []Measure { return []Measure{Cosine, Jaccard, Lift, IUF} }

// DefaultSupport is the least number of shared users (of shared items, for two
// users) at which two items are neighbours. With less, items of degree 1 win
// every cosine.
const DefaultSupport = 2

// Query of Item-CF. The zero value asks for the top 20 by cosine with at least
// 2 shared users.
type Query struct {
	K         int     // how many; 0: 20; negative: all
	Measure   Measure // "": cosine
	Support   int     // minimum of shared users; 0: DefaultSupport
	Among     []Item  // only these, if not nil
	Exclude   []Item  // none of these
	LikedFrom float32 // count as liked a rating of this or more; 0: do not count
}

// Neighbour is an item near another, with what was counted, all as of the cut.
type Neighbour struct {
	Item   Item
	Shared int // users who have both
	Liked  int // of the shared users, those who rated Item with Query.LikedFrom or more
	Degree int // users who have Item
	Cosine float64
	Lift   float64
	Score  float64 // by the query's measure
}

// ItemCF walks from the item to its users to their other items, and returns the
// items nearest to it by the query's measure, best first, ties by external id;
// the item itself never. It panics if the measure is none of [Measures].
func (c *Cut) ItemCF(i Item, q Query) []Neighbour {
	if q.K == 0 {
		q.K = 20
	}
	if q.Support <= 0 {
		q.Support = DefaultSupport
	}
	s := c.g.counters()
	defer c.g.release(s)
	users := c.usersOf(uint32(i))
	if q.Among != nil && c.pull(users, q.Among) {
		c.countAmong(s, users, q)
	} else {
		c.countAll(s, users, q)
	}

	var among map[Item]bool
	if q.Among != nil {
		among = set(q.Among)
	}
	exclude := set(q.Exclude)
	best := top[Neighbour]{k: q.K, less: func(a, b Neighbour) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.Item, b.Item))
	}}
	total := 0
	if len(s.touched) > 0 {
		total = c.Users()
	}
	for _, j := range s.touched {
		shared := int(s.shared[j])
		if shared < q.Support || Item(j) == i || exclude[Item(j)] || (among != nil && !among[Item(j)]) {
			continue
		}
		n := Neighbour{Item: Item(j), Shared: shared, Liked: int(s.liked[j]), Degree: c.ItemDegree(Item(j))}
		n.Cosine = cosine(shared, len(users), n.Degree)
		n.Lift = lift(shared, len(users), n.Degree, total)
		n.Score = score(q.Measure, n, len(users), s.weight[j])
		best.add(n)
	}
	return best.sorted()
}

// pull reports whether reading the users of the items asked for is less work
// than reading all items of the users. Both count the same.
func (c *Cut) pull(users []uint32, among []Item) bool {
	cost := 0
	for _, j := range among {
		cost += c.ItemDegree(j)
	}
	for _, u := range users {
		if cost -= c.UserDegree(User(u)); cost < 0 {
			return true
		}
	}
	return false
}

// countAll counts, for every item of the given users, how many of them have it,
// like it, and weigh in by inverse user frequency.
func (c *Cut) countAll(s *counters, users []uint32, q Query) {
	weights := c.weightsFor(q.Measure)
	l := &c.g.users
	for _, u := range users {
		from, to := l.prefix(u, c.limit)
		for k := from; k < to; k++ {
			s.count(l.ids[k], u, l.ratings[k], q, weights)
		}
	}
}

// countAmong counts the same for the items asked for, from their own lists.
func (c *Cut) countAmong(s *counters, users []uint32, q Query) {
	weights := c.weightsFor(q.Measure)
	has := c.g.counters()
	defer c.g.release(has)
	has.touched = append(has.touched, users...)
	for _, u := range users {
		has.shared[u] = 1
	}
	l := &c.g.items
	for _, j := range q.Among {
		if s.shared[j] > 0 {
			continue // listed twice
		}
		from, to := l.prefix(uint32(j), c.limit)
		for k := from; k < to; k++ {
			if u := l.ids[k]; has.shared[u] == 1 {
				s.count(uint32(j), u, l.ratings[k], q, weights)
			}
		}
	}
}

// Shared returns the number of users who have both items; for i = j, the
// item's degree.
func (c *Cut) Shared(i, j Item) int { return c.SharedEach(i, []Item{j})[0] }

// SharedEach returns, for each of the others, the number of users who have both
// it and i. It is the direct way to the counts of a few pairs: it reads the
// lists of i and of the others, and nothing else.
func (c *Cut) SharedEach(i Item, others []Item) []int {
	has := c.g.counters()
	defer c.g.release(has)
	for _, u := range c.usersOf(uint32(i)) {
		has.shared[u] = 1
		has.touched = append(has.touched, u)
	}
	shared := make([]int, len(others))
	for k, j := range others {
		for _, u := range c.usersOf(uint32(j)) {
			shared[k] += int(has.shared[u])
		}
	}
	return shared
}

// score is the one formula of each measure, for every path that needs it.
func score(m Measure, n Neighbour, degree int, weight uint64) float64 {
	switch m {
	case "", Cosine:
		return n.Cosine
	case Jaccard:
		return float64(n.Shared) / float64(degree+n.Degree-n.Shared)
	case Lift:
		return n.Lift
	case IUF:
		return float64(weight) / iufUnit / math.Sqrt(float64(degree)*float64(n.Degree))
	}
	panic("graph: unknown measure " + string(m))
}

// cosine divides before it takes the root: equal fractions then give equal
// floats, and a tie is a tie whatever the counts it came from.
func cosine(shared, a, b int) float64 {
	return math.Sqrt(float64(shared) * float64(shared) / (float64(a) * float64(b)))
}

func lift(shared, a, b, users int) float64 {
	return float64(shared) * float64(users) / (float64(a) * float64(b))
}

// iufUnit is the resolution of inverse user frequencies.
const iufUnit = 1 << 14

// weightsFor returns the weights of users that the measure needs, if any.
func (c *Cut) weightsFor(m Measure) []uint64 {
	if m != IUF {
		return nil
	}
	return c.inverseUserFrequencies()
}

// inverseUserFrequencies returns, by user, 1/ln(1+degree) as of the cut in
// units of 1/iufUnit; 0 for who has nothing yet.
func (c *Cut) inverseUserFrequencies() []uint64 {
	c.weights.Do(func() {
		c.weightOf = make([]uint64, len(c.g.userIDs))
		for u := range c.weightOf {
			if d := c.UserDegree(User(u)); d > 0 {
				c.weightOf[u] = uint64(math.Round(iufUnit / math.Log1p(float64(d))))
			}
		}
	})
	return c.weightOf
}

func set(items []Item) map[Item]bool {
	s := make(map[Item]bool, len(items))
	for _, i := range items {
		s[i] = true
	}
	return s
}
