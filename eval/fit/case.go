package fit

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/mars-rec/mars/graph"
)

// Case is a task whose answer is known: one of the items is what the user took
// at the moment AsOf.
type Case struct {
	ID    string
	User  string
	AsOf  time.Time
	Items []string
	Gold  string
}

// Negatives is how the other items of a case are drawn.
type Negatives string

// The two samplers. Both draw without replacement from the items with an
// interaction before the case's moment that the user never touched.
const (
	Uniform Negatives = "uniform"
	Popular Negatives = "popular" // with probability proportional to the degree as of the moment
)

// Sampling says how cases are drawn.
type Sampling struct {
	Candidates int // 0: 20
	History    int // least number of interactions before the case's moment; 0: 1
	Users      int // at most so many users, drawn by the seed; 0: all
	Seed       int64
}

// LastOut makes one case per user of the last interaction of each, in the order
// of users. Users whose last item has no earlier interaction of anyone, or with
// too short a history, have none. Ties in a user's last second are broken by
// item id: the last one is left out, and none of that second is visible.
func LastOut(g *graph.Graph, negatives Negatives, s Sampling) []Case {
	return Recent(g, g.End(), negatives, 1, s)
}

// Recent makes up to n cases per user, of the last n interactions of each
// before a moment, the latest first. What the user never touched is judged by
// what happened before that moment alone.
func Recent(g *graph.Graph, before time.Time, negatives Negatives, n int, s Sampling) []Case {
	s.Candidates = cmp.Or(s.Candidates, 20)
	s.History = cmp.Or(s.History, 1)
	known := g.At(before)
	var cases []Case
	for _, u := range s.draw(known) {
		history := known.History(u)
		touched := make(map[graph.Item]bool, len(history))
		for _, e := range history {
			touched[e.Item] = true
		}
		for back := 1; back <= min(n, len(history)); back++ {
			e := history[len(history)-back]
			if c, ok := draw(g, known, e, touched, negatives, s); ok {
				cases = append(cases, c)
			}
		}
	}
	return cases
}

// draw returns the users to make cases of, in their order.
func (s Sampling) draw(known *graph.Cut) []graph.User {
	users := slices.Collect(known.AllUsers())
	if s.Users <= 0 || s.Users >= len(users) {
		return users
	}
	random := rand.New(rand.NewPCG(uint64(s.Seed), 1))
	random.Shuffle(len(users), func(a, b int) { users[a], users[b] = users[b], users[a] })
	users = users[:s.Users]
	slices.SortFunc(users, func(a, b graph.User) int { return cmp.Compare(known.UserID(a), known.UserID(b)) })
	return users
}

// draw makes the case of one event, if it has one.
func draw(g *graph.Graph, known *graph.Cut, e graph.Event, touched map[graph.Item]bool, negatives Negatives, s Sampling) (Case, bool) {
	cut := g.At(e.Time)
	if cut.UserDegree(e.User) < s.History || cut.ItemDegree(e.Item) == 0 {
		return Case{}, false
	}
	c := Case{User: known.UserID(e.User), AsOf: e.Time, Gold: known.ItemID(e.Item)}
	c.ID = fmt.Sprintf("%s/%s/%s", c.User, c.Gold, negatives)
	h := fnv.New64a()
	h.Write([]byte(c.ID))
	random := rand.New(rand.NewPCG(h.Sum64(), uint64(s.Seed)))
	// Weighted sampling without replacement: the smallest of exponential
	// variates with these rates (Efraimidis and Spirakis 2006).
	type drawn struct {
		item graph.Item
		key  float64
	}
	var pool []drawn
	for i := range cut.AllItems() {
		if touched[i] {
			continue
		}
		rate := 1.0
		if negatives == Popular {
			rate = float64(cut.ItemDegree(i))
		}
		pool = append(pool, drawn{i, -math.Log(1-random.Float64()) / rate})
	}
	if len(pool) < s.Candidates-1 {
		return Case{}, false
	}
	// AllItems goes by id, and the sort is stable: ties stay by id.
	slices.SortStableFunc(pool, func(a, b drawn) int { return cmp.Compare(a.key, b.key) })
	c.Items = []string{c.Gold}
	for _, d := range pool[:s.Candidates-1] {
		c.Items = append(c.Items, cut.ItemID(d.item))
	}
	random.Shuffle(len(c.Items), func(a, b int) { c.Items[a], c.Items[b] = c.Items[b], c.Items[a] })
	return c, true
}
