package graph_test

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/mars-rec/mars/graph"
	"pgregory.net/rapid"
)

// answers is everything a cut says, by external ids, as text.
func answers(t *rapid.T, c *graph.Cut, users, items []string, since int64) []string {
	var out []string
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	say("users %d items %d interactions %d", c.Users(), c.Items(), c.Interactions())
	var popular []string
	for _, i := range c.Popular(0) {
		popular = append(popular, c.ItemID(i))
	}
	say("popular %q", popular)
	for _, id := range users {
		u, ok := c.User(id)
		say("user %s %v", id, ok)
		if !ok {
			continue
		}
		for _, e := range c.History(u) {
			say(" has %s at %d rated %v", c.ItemID(e.Item), e.Time.Unix(), e.Rating)
		}
		for _, p := range c.SimilarUsers(u, 5, 1) {
			say(" near %s %d %d %v", c.UserID(p.User), p.Shared, p.Degree, p.Cosine)
		}
		for _, s := range c.UserCF(u, graph.UserQuery{K: -1, Support: 1}) {
			say(" suggested %s %d %v", c.ItemID(s.Item), s.Peers, s.Score)
		}
	}
	for _, id := range items {
		i, ok := c.Item(id)
		say("item %s %v", id, ok)
		if !ok {
			continue
		}
		say(" degree %d, %d since", c.ItemDegree(i), c.ItemDegreeSince(i, at(since)))
		for _, e := range c.Audience(i) {
			say(" had by %s at %d", c.UserID(e.User), e.Time.Unix())
		}
		for _, m := range graph.Measures() {
			for _, n := range c.ItemCF(i, graph.Query{K: -1, Measure: m, Support: 1, LikedFrom: 4}) {
				say(" %s %s %d %d %d %v %v %v", m, c.ItemID(n.Item), n.Shared, n.Liked, n.Degree, n.Cosine, n.Lift, n.Score)
			}
		}
	}
	return out
}

func ids(log []graph.Interaction) (users, items []string) {
	for _, in := range log {
		users, items = append(users, in.User), append(items, in.Item)
	}
	slices.Sort(users)
	slices.Sort(items)
	return slices.Compact(users), slices.Compact(items)
}

func TestAgainstOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		log := logs(t)
		moment := moments(t, log)
		g, err := graph.Build(rows(log))
		if err != nil {
			t.Fatal(err)
		}
		c, o := g.At(at(moment)), newOracle(log, moment)
		if c.Users() != len(o.of) || c.Items() != len(o.to) || c.Interactions() != len(o.log) {
			t.Fatalf("got %d users, %d items, %d interactions: want %d, %d, %d", c.Users(), c.Items(), c.Interactions(), len(o.of), len(o.to), len(o.log))
		}
		users, items := ids(log)
		k := rapid.SampledFrom([]int{-1, 1, 3}).Draw(t, "k")
		support := rapid.IntRange(1, 3).Draw(t, "support")
		for _, id := range users {
			checkUser(t, c, o, id, k, support, items)
		}
		for _, id := range items {
			checkItem(t, c, o, id, k, support, items, moment)
		}
		var popular []string
		for _, i := range c.Popular(k) {
			popular = append(popular, c.ItemID(i))
		}
		equal(t, "popular", popular, o.popular(k))
	})
}

func checkUser(t *rapid.T, c *graph.Cut, o oracle, id string, k, support int, items []string) {
	u, ok := c.User(id)
	if ok != (len(o.of[id]) > 0) {
		t.Fatalf("user %s: known %v", id, ok)
	}
	if !ok {
		return
	}
	var history []graph.Interaction
	for _, e := range c.History(u) {
		history = append(history, graph.Interaction{User: id, Item: c.ItemID(e.Item), Time: e.Time.Unix(), Rating: e.Rating})
	}
	var want []graph.Interaction
	for _, in := range o.of[id] {
		want = append(want, in)
	}
	slices.SortFunc(want, func(a, b graph.Interaction) int {
		return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.Item, b.Item))
	})
	equal(t, "history of "+id, history, want)

	for way := range graph.Kernels() {
		if way == "pull" {
			continue
		}
		var peers []peer
		for _, p := range c.SimilarUsersBy(way, u, k, support) {
			peers = append(peers, peer{c.UserID(p.User), p.Shared, p.Degree, p.Cosine})
		}
		equal(t, "users near "+id+", counted "+way, peers, o.similarUsers(id, k, support))
	}

	for _, among := range [][]string{nil, {}, items[:1+len(items)/2]} {
		q := graph.UserQuery{K: k, Neighbours: 3, Support: support, Among: internal(c, among)}
		var suggestions []suggestion
		for _, s := range c.UserCF(u, q) {
			suggestions = append(suggestions, suggestion{c.ItemID(s.Item), s.Peers, s.Score})
		}
		equal(t, fmt.Sprintf("suggestions for %s among %v", id, among), suggestions, o.userCF(id, k, 3, support, among))
	}
}

func checkItem(t *rapid.T, c *graph.Cut, o oracle, id string, k, support int, items []string, moment int64) {
	i, ok := c.Item(id)
	if ok != (len(o.to[id]) > 0) {
		t.Fatalf("item %s: known %v", id, ok)
	}
	if !ok {
		return
	}
	since := moment - rapid.Int64Range(-2, 12).Draw(t, "window")
	recent := 0
	for _, in := range o.to[id] {
		if in.Time >= since {
			recent++
		}
	}
	if got := c.ItemDegreeSince(i, at(since)); got != recent || c.ItemDegree(i) != len(o.to[id]) {
		t.Fatalf("item %s: degree %d, %d since %d: want %d, %d", id, c.ItemDegree(i), got, since, len(o.to[id]), recent)
	}
	var audience, want []graph.Interaction
	for _, e := range c.Audience(i) {
		audience = append(audience, graph.Interaction{User: c.UserID(e.User), Item: id, Time: e.Time.Unix(), Rating: e.Rating})
	}
	for _, in := range o.to[id] {
		want = append(want, in)
	}
	slices.SortFunc(want, func(a, b graph.Interaction) int {
		return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.User, b.User))
	})
	equal(t, "audience of "+id, audience, want)
	for _, other := range items {
		if j, ok := c.Item(other); ok && c.Shared(i, j) != len(o.shared(id, other)) {
			t.Fatalf("shared by %s and %s: got %d", id, other, c.Shared(i, j))
		}
	}
	exclude := items[len(items)-1:]
	for _, m := range graph.Measures() {
		// Few items are counted from their own lists, many from the users'. All
		// ways to count must say the same.
		for _, among := range [][]string{nil, {}, items[:1], items} {
			q := graph.Query{K: k, Measure: m, Support: support, Among: internal(c, among), Exclude: internal(c, exclude), LikedFrom: 3}
			want := o.itemCF(id, k, m, support, among, exclude, 3)
			for way, by := range graph.Kernels() {
				var near []neighbour
				for _, n := range c.ItemCF(i, by(q)) {
					near = append(near, neighbour{c.ItemID(n.Item), n.Shared, n.Liked, n.Degree, n.Cosine, n.Lift, n.Score})
				}
				equal(t, fmt.Sprintf("%s neighbours of %s among %v, counted %s", m, id, among, way), near, want)
			}
		}
	}
}

// internal returns the items that the cut knows; nil stays nil.
func internal(c *graph.Cut, ids []string) []graph.Item {
	if ids == nil {
		return nil
	}
	items := []graph.Item{}
	for _, id := range ids {
		if i, ok := c.Item(id); ok {
			items = append(items, i, i) // twice is as good as once
		}
	}
	return items
}

func equal[T any](t *rapid.T, what string, got, want []T) {
	if len(got)+len(want) > 0 && !reflect.DeepEqual(got, want) {
		t.Fatalf("%s:\n got %v\nwant %v", what, got, want)
	}
}

// What happens at or after a moment changes nothing that is said as of it.
func TestFutureIsInvisible(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		log := logs(t)
		moment := moments(t, log)
		since := moment - 4
		var past []graph.Interaction
		for _, in := range log {
			if in.Time < moment {
				past = append(past, in)
			}
		}
		other := slices.Clone(past)
		for range rapid.IntRange(0, 60).Draw(t, "future") {
			other = append(other, graph.Interaction{
				User:   fmt.Sprintf("u%d", rapid.IntRange(1, 20).Draw(t, "user")),
				Item:   fmt.Sprintf("%d", rapid.IntRange(0, 20).Draw(t, "item")),
				Time:   moment + rapid.Int64Range(0, 5).Draw(t, "later"),
				Rating: 5,
			})
		}
		users, items := ids(append(slices.Clone(log), other...))
		var said [][]string
		for _, l := range [][]graph.Interaction{past, log, other} {
			g, err := graph.Build(rows(l))
			if err != nil {
				t.Fatal(err)
			}
			said = append(said, answers(t, g.At(at(moment)), users, items, since))
		}
		for k := 1; k < len(said); k++ {
			if !slices.Equal(said[0], said[k]) {
				t.Fatalf("as of %d, with another future:\n%q\n%q", moment, said[0], said[k])
			}
		}
	})
}

// The order of a log does not matter, to the byte of the snapshot.
func TestOrderOfLog(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		log := logs(t)
		shuffled := rapid.Permutation(log).Draw(t, "shuffled")
		a, err := graph.Build(rows(log))
		if err != nil {
			t.Fatal(err)
		}
		b, err := graph.Build(rows(shuffled))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(graph.Encode(a), graph.Encode(b)) {
			t.Fatal("the same log in another order makes another graph")
		}
	})
}
