package graph_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"testing"

	"github.com/mars-rec/mars/graph"
)

// crowd is a log with hubs: more users than the narrowest counters count, rows
// long enough for the grid, and few enough seconds for ties.
func crowd(seed uint64) []graph.Interaction {
	random := rand.New(rand.NewPCG(seed, 0))
	log := make([]graph.Interaction, 30_000)
	for k := range log {
		item := int(60 * random.Float64() * random.Float64() * random.Float64())
		log[k] = graph.Interaction{
			User:   fmt.Sprintf("u%d", random.IntN(3000)),
			Item:   fmt.Sprintf("%d", item),
			Time:   1_500_000_000 + random.Int64N(900),
			Rating: float32(random.IntN(11)) / 2,
		}
	}
	return log
}

// In a graph with hubs every kernel agrees with the count over the log, as of
// many moments, on the first question of a moment and on later ones.
func TestHubsAgainstOracle(t *testing.T) {
	log := crowd(1)
	g := build(t, log)
	for _, moment := range []int64{0, 1_500_000_000, 1_500_000_053, 1_500_000_400, 1_500_000_899, 1_500_000_900, 1_600_000_000} {
		o := newOracle(log, moment)
		for _, id := range []string{"0", "1", "7", "58"} {
			c := g.At(at(moment))
			i, ok := c.Item(id)
			if ok != (len(o.to[id]) > 0) {
				t.Fatalf("item %s as of %d: known %v", id, moment, ok)
			}
			if !ok {
				continue
			}
			for _, m := range graph.Measures() {
				for _, k := range []int{-1, 5} {
					want := o.itemCF(id, k, m, 2, nil, []string{"3"}, 3)
					three, _ := c.Item("3")
					for way, by := range graph.Kernels() {
						var near []neighbour
						for _, n := range c.ItemCF(i, by(graph.Query{K: k, Measure: m, Exclude: []graph.Item{three}, LikedFrom: 3})) {
							near = append(near, neighbour{c.ItemID(n.Item), n.Shared, n.Liked, n.Degree, n.Cosine, n.Lift, n.Score})
						}
						if len(near)+len(want) > 0 && !reflect.DeepEqual(near, want) {
							t.Fatalf("as of %d, %s neighbours of %s, counted %s:\n got %v\nwant %v", moment, m, id, way, near, want)
						}
					}
				}
			}
		}
	}
}

func TestNearUsersOfHubs(t *testing.T) {
	log := crowd(2)
	g := build(t, log)
	for _, moment := range []int64{1_500_000_200, 1_500_000_900} {
		o, c := newOracle(log, moment), g.At(at(moment))
		for _, id := range []string{"u1", "u2999"} {
			u, ok := c.User(id)
			if !ok {
				continue
			}
			want := o.similarUsers(id, 30, 2)
			for way := range graph.Kernels() {
				if way == "pull" {
					continue
				}
				var peers []peer
				for _, p := range c.SimilarUsersBy(way, u, 30, 2) {
					peers = append(peers, peer{c.UserID(p.User), p.Shared, p.Degree, p.Cosine})
				}
				if !reflect.DeepEqual(peers, want) {
					t.Fatalf("as of %d, users near %s, counted %s:\n got %v\nwant %v", moment, id, way, peers, want)
				}
			}
		}
	}
}

// Many goroutines that ask the same graph hear what one of them alone hears.
func TestConcurrentQueries(t *testing.T) {
	g := build(t, crowd(3))
	ask := func(k int) (said []string) {
		c := g.At(at(1_500_000_000 + int64(k%7)*150))
		for i := range c.AllItems() {
			if int(i)%5 != k%5 {
				continue
			}
			for _, n := range c.ItemCF(i, graph.Query{K: 4, Measure: graph.Measures()[k%4], LikedFrom: 4}) {
				said = append(said, fmt.Sprint(n))
			}
		}
		for u := range c.AllUsers() {
			if int(u)%500 == k {
				said = append(said, fmt.Sprint(c.UserCF(u, graph.UserQuery{})))
			}
		}
		return said
	}
	var alone [12][]string
	for k := range alone {
		alone[k] = ask(k)
	}
	var wait sync.WaitGroup
	for k := range alone {
		for range 3 {
			wait.Go(func() {
				if !slices.Equal(ask(k), alone[k]) {
					t.Errorf("question %d was answered otherwise", k)
				}
			})
		}
	}
	wait.Wait()
}

// A query allocates its result, and nothing else.
func TestAllocations(t *testing.T) {
	if raceDetector {
		t.Skip("with the race detector a pool forgets")
	}
	g := build(t, crowd(4))
	c := g.At(at(1_500_000_700))
	i, _ := c.Item("0")
	rare, _ := c.Item("57")
	u, _ := c.User("u7")
	for name, ask := range map[string]func(){
		"item-cf of a hub":      func() { c.ItemCF(i, graph.Query{}) },
		"item-cf of a rare one": func() { c.ItemCF(rare, graph.Query{Measure: graph.IUF, LikedFrom: 3}) },
		"near users":            func() { c.SimilarUsers(u, 10, 2) },
		"user-cf":               func() { c.UserCF(u, graph.UserQuery{}) },
	} {
		ask()
		if n := testing.AllocsPerRun(100, ask); n > 1 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
