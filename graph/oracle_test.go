package graph_test

import (
	"cmp"
	"fmt"
	"iter"
	"math"
	"slices"
	"time"

	"github.com/mars-rec/mars/graph"
	"pgregory.net/rapid"
)

// oracle answers every question of a cut by counting over the log, by external
// ids. Its cost does not matter, its obviousness does.
type oracle struct {
	log []graph.Interaction // one per pair, before the cut
	of  map[string]map[string]graph.Interaction
	to  map[string]map[string]graph.Interaction
}

func newOracle(log []graph.Interaction, before int64) oracle {
	earliest := map[[2]string]graph.Interaction{}
	for _, in := range log {
		pair := [2]string{in.User, in.Item}
		old, ok := earliest[pair]
		if !ok || in.Time < old.Time || in.Time == old.Time && in.Rating > old.Rating {
			earliest[pair] = in
		}
	}
	o := oracle{of: map[string]map[string]graph.Interaction{}, to: map[string]map[string]graph.Interaction{}}
	for _, in := range earliest {
		if in.Time >= before {
			continue
		}
		o.log = append(o.log, in)
		if o.of[in.User] == nil {
			o.of[in.User] = map[string]graph.Interaction{}
		}
		if o.to[in.Item] == nil {
			o.to[in.Item] = map[string]graph.Interaction{}
		}
		o.of[in.User][in.Item] = in
		o.to[in.Item][in.User] = in
	}
	return o
}

func (o oracle) shared(i, j string) (users []string) {
	for u := range o.to[i] {
		if _, ok := o.to[j][u]; ok {
			users = append(users, u)
		}
	}
	return users
}

// neighbour is a graph.Neighbour by external id.
type neighbour struct {
	item                  string
	shared, liked, degree int
	cosine, lift, score   float64
}

func (o oracle) itemCF(i string, k int, m graph.Measure, support int, among, exclude []string, liked float32) []neighbour {
	var found []neighbour
	for j := range o.to {
		users := o.shared(i, j)
		c, di, dj := float64(len(users)), float64(len(o.to[i])), float64(len(o.to[j]))
		if j == i || len(users) < support || len(users) == 0 || slices.Contains(exclude, j) || among != nil && !slices.Contains(among, j) {
			continue
		}
		n := neighbour{item: j, shared: len(users), degree: len(o.to[j])}
		n.cosine = math.Sqrt(c * c / (di * dj))
		n.lift = c * float64(len(o.of)) / (di * dj)
		weight := 0.0 // whole numbers: exact in any order
		for _, u := range users {
			if liked > 0 && o.to[j][u].Rating >= liked {
				n.liked++
			}
			weight += math.Round(16384 / math.Log1p(float64(len(o.of[u]))))
		}
		switch m {
		case graph.Cosine:
			n.score = n.cosine
		case graph.Jaccard:
			n.score = c / (di + dj - c)
		case graph.Lift:
			n.score = n.lift
		case graph.IUF:
			n.score = weight / 16384 / math.Sqrt(di*dj)
		}
		found = append(found, n)
	}
	slices.SortFunc(found, func(a, b neighbour) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.item, b.item))
	})
	return first(found, k)
}

type peer struct {
	user           string
	shared, degree int
	cosine         float64
}

func (o oracle) similarUsers(u string, k, support int) []peer {
	var found []peer
	for v := range o.of {
		c := 0
		for i := range o.of[u] {
			if _, ok := o.of[v][i]; ok {
				c++
			}
		}
		if v != u && c >= support {
			x := float64(c) * float64(c) / (float64(len(o.of[u])) * float64(len(o.of[v])))
			found = append(found, peer{v, c, len(o.of[v]), math.Sqrt(x)})
		}
	}
	slices.SortFunc(found, func(a, b peer) int {
		return cmp.Or(cmp.Compare(b.cosine, a.cosine), cmp.Compare(a.user, b.user))
	})
	return first(found, k)
}

type suggestion struct {
	item  string
	peers int
	score float64
}

func (o oracle) userCF(u string, k, neighbours, support int, among []string) []suggestion {
	peers := o.similarUsers(u, neighbours, support)
	var found []suggestion
	for i := range o.to {
		s := suggestion{item: i}
		for _, p := range peers {
			if _, ok := o.of[p.user][i]; ok {
				s.peers++
				s.score += p.cosine
			}
		}
		_, seen := o.of[u][i]
		if s.peers > 0 && !seen && (among == nil || slices.Contains(among, i)) {
			found = append(found, s)
		}
	}
	slices.SortFunc(found, func(a, b suggestion) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.item, b.item))
	})
	return first(found, k)
}

func (o oracle) popular(k int) []string {
	var items []string
	for i := range o.to {
		items = append(items, i)
	}
	slices.SortFunc(items, func(a, b string) int {
		return cmp.Or(cmp.Compare(len(o.to[b]), len(o.to[a])), cmp.Compare(a, b))
	})
	return first(items, k)
}

func first[T any](all []T, k int) []T {
	if k > 0 && k < len(all) {
		return all[:k]
	}
	return all
}

// logs draws a log: few users, items and seconds, so that ties, duplicates and
// events in one second are common; ids whose order as bytes is not that of
// numbers; now and then a hub.
func logs(t *rapid.T) []graph.Interaction {
	users, items := rapid.IntRange(1, 12).Draw(t, "users"), rapid.IntRange(1, 12).Draw(t, "items")
	base := rapid.SampledFrom([]int64{0, -5, 1_500_000_000}).Draw(t, "base")
	n := rapid.IntRange(0, 120).Draw(t, "rows")
	hub := rapid.Bool().Draw(t, "hub")
	log := make([]graph.Interaction, n)
	for k := range log {
		item := rapid.IntRange(1, items).Draw(t, "item")
		if hub && k%3 == 0 {
			item = 1
		}
		log[k] = graph.Interaction{
			User:   fmt.Sprintf("u%d", rapid.IntRange(1, users).Draw(t, "user")),
			Item:   fmt.Sprintf("%d", item*7),
			Time:   base + rapid.Int64Range(0, 12).Draw(t, "time"),
			Rating: float32(rapid.IntRange(0, 5).Draw(t, "rating")),
		}
	}
	return log
}

// moments draws a time within, before or after the log.
func moments(t *rapid.T, log []graph.Interaction) int64 {
	if len(log) == 0 {
		return 5
	}
	return log[0].Time + rapid.Int64Range(-20, 20).Draw(t, "moment")
}

func rows(log []graph.Interaction) iter.Seq2[graph.Interaction, error] {
	return func(yield func(graph.Interaction, error) bool) {
		for _, in := range log {
			if !yield(in, nil) {
				return
			}
		}
	}
}

func at(seconds int64) time.Time { return time.Unix(seconds, 0) }
