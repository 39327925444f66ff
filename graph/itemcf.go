package graph

import (
	"math"
	"math/bits"
	"slices"
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

	kernel kernel // the way to count; tests choose it
}

// kernel is a way to count. All say the same; they differ in what they cost.
type kernel uint8

const (
	anyKernel    kernel = iota // the cheapest, by what is known before counting
	sparseKernel               // note what is counted often enough, look at that
	denseKernel                // count, then look through all
	wideKernel                 // dense, with 32 bits a counter
	pullKernel                 // read the other items' lists, popular first
)

func (q Query) withDefaults() Query {
	if q.K == 0 {
		q.K = 20
	}
	if q.Measure == "" {
		q.Measure = Cosine
	}
	if q.Support <= 0 {
		q.Support = DefaultSupport
	}
	switch q.Measure {
	case Cosine, Jaccard, Lift, IUF:
	default:
		panic("graph: unknown measure " + string(q.Measure))
	}
	return q
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
// the item itself never. Equal scores are a tie only if they are equal as
// fractions; for [IUF], as floats. It panics if the measure is none of
// [Measures].
func (c *Cut) ItemCF(i Item, q Query) []Neighbour {
	q = q.withDefaults()
	s := c.g.scratch()
	defer c.g.release(s)
	near := c.nearItems(s, uint32(i), q, found{})
	if len(near) == 0 {
		return nil
	}
	neighbours := make([]Neighbour, len(near))
	own, users := s.best.middle, c.Users()
	for k, f := range near {
		n := &neighbours[k]
		n.Item, n.Shared, n.Degree = Item(f.id), int(f.shared), int(f.degree)
		n.Cosine = cosine(f.shared, own, f.degree)
		n.Lift = lift(f.shared, own, f.degree, users)
		n.Score = s.best.score(f, users)
	}
	if q.LikedFrom > 0 {
		c.countLiked(s, uint32(i), neighbours, q.LikedFrom)
	}
	return neighbours
}

// nearItems finds what is near the item, but nothing that is farther than the
// bar, if there is one; the result lives in the scratch.
func (c *Cut) nearItems(s *scratch, i uint32, q Query, bar found) []found {
	users := c.usersOf(i)
	s.best.reset(order{q.Measure, uint32(len(users)), &c.g.itemIDs}, q.K)
	s.best.bar = bar
	if len(users) < q.Support {
		return nil // nothing shares more users than it has
	}
	items := &c.g.items
	if q.Among != nil {
		c.nearAmong(s, i, users, q)
		return s.best.sorted()
	}
	skip := s.skipping(i, q.Exclude)
	if q.Measure == IUF {
		c.nearWeighted(s, users, skip, q.Support)
		return s.best.sorted()
	}
	if q.kernel == pullKernel || q.kernel == anyKernel && c.worthPulling(users, q) {
		if c.nearByPull(s, users, skip, q) {
			return s.best.sorted()
		}
		s.best.kept = s.best.kept[:0]
	}
	work := c.spread(s, &c.g.users, &c.m.users, c.inOrder(s, users), 0)
	rows := c.g.Items()
	dense := q.kernel >= denseKernel || q.kernel == anyKernel && work > 2*rows
	h := c.choosing(skip[0], &s.best, items, &c.m.items, q.Support)
	switch {
	case len(users) <= math.MaxUint8 && q.kernel != wideKernel:
		pushAndChoose[uint8](&h, s, rows, work, skip, dense)
	case len(users) <= math.MaxUint16 && q.kernel != wideKernel:
		pushAndChoose[uint16](&h, s, rows, work, skip, dense)
	default:
		pushAndChoose[uint32](&h, s, rows, work, skip, dense)
	}
	c.m.items.note(h.asked)
	return s.best.sorted()
}

// inOrder returns many users in the order in which their rows stand, so that they
// are read from memory one after another; few as they are.
func (c *Cut) inOrder(s *scratch, users []uint32) []uint32 {
	words := setWords(c.g.Users())
	if len(users) < words/4 {
		return users
	}
	s.bits = grown(s.bits, words)
	set(s.bits, users)
	s.ordered = slices.Grow(s.ordered[:0], len(users))
	for w, x := range s.bits[:words] {
		for ; x != 0; x &= x - 1 {
			s.ordered = append(s.ordered, uint32(w*64+bits.TrailingZeros64(x)))
		}
		s.bits[w] = 0
	}
	return s.ordered
}

// worthPulling reports whether pull may be less work: for a hub, if the measure
// has a bound that shrinks with the degree, and if not everything is asked for.
// It must read as many rows as are kept before it can tell what is in
// vain: these may be a third of the work of pushing, and no more.
func (c *Cut) worthPulling(users []uint32, q Query) bool {
	l := &c.g.items
	if len(users) < hubFrom || q.K <= 0 || q.Measure != Cosine && q.Measure != Jaccard {
		return false
	}
	rows := uint32(min(q.K, len(l.offsets)-1))
	return c.visible(l, rows)*float64(l.offsets[rows]) < float64(c.estimate(users))/3
}

// nearByPull tries to pull, with as much work as pushing would be.
func (c *Cut) nearByPull(s *scratch, users, skip []uint32, q Query) bool {
	budget := math.MaxInt
	if q.kernel == anyKernel {
		budget = c.estimate(users)
	}
	s.bits = grown(s.bits, setWords(c.g.Users()))
	s.skips = grown(s.skips, setWords(c.g.Items()))
	set(s.bits, users)
	set(s.skips, skip)
	h := c.choosing(skip[0], &s.best, &c.g.items, &c.m.items, q.Support)
	done := c.pull(&h, s, budget)
	unset(s.bits, users)
	unset(s.skips, skip)
	return done
}

// estimate guesses from a few of them how many items the users have together.
func (c *Cut) estimate(users []uint32) int {
	const sample = 64
	step, work, asked := max(1, len(users)/sample), 0, 0
	for k := 0; k < len(users); k += step {
		work += c.UserDegree(User(users[k]))
		asked++
	}
	return work / asked * len(users)
}

// nearWeighted counts with weights.
func (c *Cut) nearWeighted(s *scratch, users, skip []uint32, support int) {
	c.spread(s, &c.g.users, &c.m.users, users, 0)
	rows := c.g.Items()
	counts := view[uint32](s, rows)
	s.weights = grown(s.weights, rows)
	s.touched = pushWeighted(counts, s.weights, s.spans, s.touched[:0])
	h := c.choosing(skip[0], &s.best, &c.g.items, &c.m.items, support)
	for _, j := range skip {
		counts[j] = 0
	}
	for _, j := range s.touched {
		h.consider(j, counts[j], s.weights[j])
		counts[j], s.weights[j] = 0, 0
	}
	h.settle()
}

// nearAmong counts only the items asked for: from their own lists if these are
// shorter than those of the users, and from the users' otherwise.
func (c *Cut) nearAmong(s *scratch, i uint32, users []uint32, q Query) {
	s.skips = grown(s.skips, setWords(c.g.Items()))
	skip := s.skipping(i, q.Exclude)
	set(s.skips, skip)
	defer unset(s.skips, skip)
	asked := len(skip) // s.noted holds the items to forget, then those asked for once
	for _, j := range q.Among {
		if !has(s.skips, uint32(j)) {
			s.noted = append(s.noted, uint32(j))
			set(s.skips, s.noted[len(s.noted)-1:])
		}
	}
	among := s.noted[asked:]
	unset(s.skips, among)
	h := c.choosing(skip[0], &s.best, &c.g.items, &c.m.items, q.Support)
	if q.Measure != IUF && (q.kernel == sparseKernel || q.kernel == anyKernel && !c.shorter(among, users)) {
		c.spread(s, &c.g.users, &c.m.users, users, 0)
		counts := view[uint32](s, c.g.Items())
		push(counts, s.spans)
		for _, j := range among {
			h.consider(j, counts[j], 0)
		}
		h.settle()
		clear(counts)
		return
	}
	s.bits = grown(s.bits, setWords(c.g.Users()))
	set(s.bits, users)
	for _, j := range among {
		p := c.audience(j)
		shared, _ := sharedWith(s.bits, p, 0)
		var weight uint64
		if q.Measure == IUF && int(shared) >= q.Support {
			weight = c.weightWith(s.bits, p)
		}
		h.consider(j, shared, weight)
	}
	h.settle()
	unset(s.bits, users)
}

// shorter reports whether the lists of the items are shorter than those of the
// users.
func (c *Cut) shorter(items, users []uint32) bool {
	left := c.estimate(users)
	for _, j := range items {
		if left -= c.ItemDegree(Item(j)); left < 0 {
			return false
		}
	}
	return true
}

// countLiked counts for each neighbour who of the shared users likes it.
func (c *Cut) countLiked(s *scratch, i uint32, near []Neighbour, from float32) {
	users := c.usersOf(i)
	s.bits = grown(s.bits, setWords(c.g.Users()))
	set(s.bits, users)
	for k := range near {
		_, liked := sharedWith(s.bits, c.audience(uint32(near[k].Item)), from)
		near[k].Liked = int(liked)
	}
	unset(s.bits, users)
}

// Shared returns the number of users who have both items; for i = j, the
// item's degree.
func (c *Cut) Shared(i, j Item) int { return c.SharedEach(i, []Item{j})[0] }

// SharedEach returns, for each of the others, the number of users who have both
// it and i. It is the direct way to the counts of a few pairs: it reads the
// lists of i and of the others, and nothing else.
func (c *Cut) SharedEach(i Item, others []Item) []int {
	s := c.g.scratch()
	defer c.g.release(s)
	users := c.usersOf(uint32(i))
	s.bits = grown(s.bits, setWords(c.g.Users()))
	set(s.bits, users)
	shared := make([]int, len(others))
	for k, j := range others {
		n, _ := sharedWith(s.bits, c.audience(uint32(j)), 0)
		shared[k] = int(n)
	}
	unset(s.bits, users)
	return shared
}

// score is the measure as a float.
func (o *order) score(f found, users int) float64 {
	switch o.measure {
	case Cosine:
		return cosine(f.shared, o.middle, f.degree)
	case Jaccard:
		return float64(f.shared) / float64(o.union(f))
	case Lift:
		return lift(f.shared, o.middle, f.degree, users)
	}
	return iuf(f.weight, o.middle, f.degree)
}

// cosine divides before it takes the root: equal fractions then give equal
// floats, and a tie is a tie whatever the counts it came from.
func cosine(shared, a, b uint32) float64 {
	return math.Sqrt(float64(shared) * float64(shared) / (float64(a) * float64(b)))
}

func lift(shared, a, b uint32, users int) float64 {
	return float64(shared) * float64(users) / (float64(a) * float64(b))
}

// iufUnit is the resolution of inverse user frequencies.
const iufUnit = 1 << 14

// iuf is cosine with the sum of weights in place of the number of shared users.
func iuf(weight uint64, a, b uint32) float64 {
	return float64(weight) / iufUnit / math.Sqrt(float64(a)*float64(b))
}

// inverseFrequency returns the weight of a user of that degree, in units of
// 1/iufUnit.
func inverseFrequency(degree int) uint64 {
	return uint64(math.Round(iufUnit / math.Log1p(float64(degree))))
}
