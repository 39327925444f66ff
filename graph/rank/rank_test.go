package rank_test

import (
	"fmt"
	"iter"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/mars-rec/mars/graph"
	"github.com/mars-rec/mars/graph/rank"
	"pgregory.net/rapid"
)

// books is a small log. As of second 10: ann has dune, emma; bob dune, emma,
// emil; cat dune, emma, emil, ulysses; dan emil, ulysses; eve nothing yet.
var books = []graph.Interaction{
	{User: "ann", Item: "dune", Time: 1}, {User: "ann", Item: "emma", Time: 2},
	{User: "bob", Item: "dune", Time: 1}, {User: "bob", Item: "emma", Time: 3}, {User: "bob", Item: "emil", Time: 4},
	{User: "cat", Item: "dune", Time: 2}, {User: "cat", Item: "emma", Time: 4}, {User: "cat", Item: "emil", Time: 5}, {User: "cat", Item: "ulysses", Time: 6},
	{User: "dan", Item: "emil", Time: 7}, {User: "dan", Item: "ulysses", Time: 8},
	{User: "ann", Item: "emil", Time: 10}, {User: "eve", Item: "solaris", Time: 11},
}

func cut(t testing.TB, log []graph.Interaction, seconds int64) *graph.Cut {
	t.Helper()
	g, err := graph.Build(rows(log))
	if err != nil {
		t.Fatal(err)
	}
	return g.At(time.Unix(seconds, 0))
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

// shelf is what a catalog might say.
type shelf struct{}

func (shelf) Categories(item string) []string {
	return map[string][]string{"dune": {"sf"}, "emma": {"classic"}, "emil": {"children", "classic"}, "ulysses": {"classic"}, "solaris": {"sf"}}[item]
}

func (shelf) Year(item string) int {
	return map[string]int{"dune": 1965, "emma": 1815, "emil": 1929, "ulysses": 1922}[item]
}

// Each signal by hand, for ann as of second 10.
func TestSignals(t *testing.T) {
	c := cut(t, books, 10)
	items := []string{"emil", "solaris", "ulysses"}
	// Degrees: dune 3, emma 3, emil 3, ulysses 2. emil shares 2 users with dune
	// and 2 with emma; ulysses shares 1 with each, less than the support.
	emil := 2 * (2 / math.Sqrt(9))
	// Near ann: bob and cat share 2 of ann's 2 items; bob has 3, cat 4.
	bob, cat := 2/math.Sqrt(6), 2/math.Sqrt(8)
	year := func(y int) float64 {
		return (1/(1+math.Abs(float64(y-1965))/5) + 1/(1+math.Abs(float64(y-1815))/5)) / 2
	}
	for _, tc := range []struct {
		signal string
		want   []float64
	}{
		{rank.ItemCF, []float64{emil, 0, 0}},
		{rank.ItemCFRecent, []float64{emil, 0, 0}},
		{rank.ItemCFLast, []float64{emil, 0, 0}},
		{"item_cf_last_1", []float64{emil / 2, 0, 0}},
		{rank.UserCF, []float64{bob + cat, 0, cat}},
		{rank.Popularity, []float64{math.Log(4), 0, math.Log(3)}},
		{rank.PopularityRecent, []float64{math.Log(4), 0, math.Log(3)}},
		// The profile is sf 1, classic 1; its length √2.
		{rank.Category, []float64{1 / math.Sqrt(2*2), 1 / math.Sqrt(2), 1 / math.Sqrt(2)}},
		{rank.Year, []float64{year(1929), (year(1929) + year(1922)) / 2, year(1922)}},
	} {
		got, err := rank.Score(tc.signal, c, "ann", items, shelf{})
		if err != nil {
			t.Fatal(err)
		}
		for k := range got {
			if math.Abs(got[k]-tc.want[k]) > 1e-12 {
				t.Errorf("%s of %s: got %v, want %v", tc.signal, items[k], got[k], tc.want[k])
			}
		}
	}
	if got := rank.ScorePopularityRecent(c, items, 3*time.Second); got[0] != math.Log(2) || got[2] != math.Log(2) {
		t.Errorf("in the last three seconds: %v", got)
	}
}

func TestScoreRefuses(t *testing.T) {
	c := cut(t, books, 10)
	for _, signal := range []string{"", "popular", "item_cf_last_0", "item_cf_last_03", "item_cf_last_10", "item_cf_last_-1", "popularity_recent_x", rank.Year, rank.Category} {
		if _, err := rank.Score(signal, c, "ann", []string{"emil"}, nil); err == nil {
			t.Errorf("%q without attributes: accepted", signal)
		}
	}
}

// Who the cut does not know has no evidence, and nothing breaks.
func TestUnknown(t *testing.T) {
	c := cut(t, books, 10)
	for _, signal := range rank.Signals() {
		for _, user := range []string{"eve", "nobody"} {
			got, err := rank.Score(signal, c, user, []string{"solaris", "nothing", "emil"}, shelf{})
			if err != nil || len(got) != 3 || slices.ContainsFunc(got, math.IsNaN) || got[1] != 0 {
				t.Errorf("%s for %s: %v, %v", signal, user, got, err)
			}
		}
	}
	for _, r := range append(rank.Controls(), rank.Fused("rule", rank.Default(), nil)) {
		if got := r.Score(rank.Request{ID: "1", User: "nobody", Items: []string{"a", "b"}, Cut: c}); len(got) != 2 {
			t.Errorf("%s for nobody: %v", r.Name(), got)
		}
	}
}

// A pruned neighbourhood is that of the candidate among all items.
func TestPrunedNeighbourhood(t *testing.T) {
	var log []graph.Interaction
	for u := range 10 {
		for _, item := range []string{"target", "near"} {
			log = append(log, graph.Interaction{User: fmt.Sprint(u), Item: item, Time: 1})
		}
		if u < 5 {
			log = append(log, graph.Interaction{User: fmt.Sprint(u), Item: "far", Time: 1})
		}
	}
	log = append(log, graph.Interaction{User: "ann", Item: "far", Time: 1})
	c := cut(t, log, 2)
	one := rank.ScoreItemCF(c, "ann", []string{"target"}, rank.ItemCFQuery{K: 1})
	two := rank.ScoreItemCF(c, "ann", []string{"target"}, rank.ItemCFQuery{K: 2})
	if one[0] != 0 || math.Abs(two[0]-5/math.Sqrt(60)) > 1e-12 {
		t.Errorf("pruned to 1: %v, to 2: %v; far is the second neighbour of target", one, two)
	}
}

func TestStandard(t *testing.T) {
	if got := rank.Standard([]float64{2, 2, 2}); !slices.Equal(got, []float64{0, 0, 0}) {
		t.Errorf("of equals: %v", got)
	}
	if got := rank.Standard([]float64{1, 3}); !slices.Equal(got, []float64{-1, 1}) {
		t.Errorf("of 1, 3: %v", got)
	}
	if got := rank.Standard(nil); len(got) != 0 {
		t.Errorf("of nothing: %v", got)
	}
	rapid.Check(t, func(t *rapid.T) {
		z := rank.Standard(rapid.SliceOfN(rapid.Float64Range(-1e6, 1e6), 1, 30).Draw(t, "xs"))
		mean, square := 0.0, 0.0
		for _, x := range z {
			mean += x / float64(len(z))
			square += x * x / float64(len(z))
		}
		if math.Abs(mean) > 1e-6 || square != 0 && math.Abs(square-1) > 1e-6 {
			t.Fatalf("mean %v, variance %v", mean, square)
		}
	})
}

func TestOrder(t *testing.T) {
	ids := []string{"10", "9", "2", "b", "a"}
	got := rank.Order(ids, []float64{1, 1, math.NaN(), 2, math.Inf(-1)})
	if want := []string{"b", "10", "9", "a", "2"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	rapid.Check(t, func(t *rapid.T) {
		ids := rapid.SliceOfNDistinct(rapid.StringN(1, 4, -1), 1, 20, rapid.ID).Draw(t, "ids")
		scores := map[string]float64{}
		for _, id := range ids {
			scores[id] = float64(rapid.IntRange(0, 4).Draw(t, "score"))
		}
		of := func(ids []string) (s []float64) {
			for _, id := range ids {
				s = append(s, scores[id])
			}
			return s
		}
		shuffled := rapid.Permutation(ids).Draw(t, "shuffled")
		if a, b := rank.Order(ids, of(ids)), rank.Order(shuffled, of(shuffled)); !slices.Equal(a, b) {
			t.Fatalf("the order of candidates decides: %q, %q", a, b)
		}
	})
}

func TestRandomIsSeeded(t *testing.T) {
	q := rank.Request{ID: "7", Items: []string{"a", "b", "c"}}
	if a, b := rank.Random().Score(q), rank.Random().Score(q); !slices.Equal(a, b) {
		t.Errorf("the same request: %v, %v", a, b)
	}
	other := q
	other.ID = "8"
	if slices.Equal(rank.Random().Score(q), rank.Random().Score(other)) {
		t.Error("another request, the same scores")
	}
}

// Nothing at or after the cut changes a signal or a ranking.
func TestFutureIsInvisible(t *testing.T) {
	items := []string{"dune", "emil", "emma", "solaris", "ulysses"}
	say := func(log []graph.Interaction) (said []string) {
		c := cut(t, log, 10)
		for _, user := range []string{"ann", "cat", "dan", "eve"} {
			for _, signal := range rank.Signals() {
				scores, err := rank.Score(signal, c, user, items, shelf{})
				if err != nil {
					t.Fatal(err)
				}
				said = append(said, fmt.Sprint(user, signal, scores))
			}
			for _, r := range rank.Controls() {
				said = append(said, fmt.Sprint(user, r.Name(), r.Score(rank.Request{User: user, Items: items, Cut: c})))
			}
		}
		return said
	}
	past := slices.DeleteFunc(slices.Clone(books), func(in graph.Interaction) bool { return in.Time >= 10 })
	future := slices.Clone(books)
	for k, item := range items {
		for u := range 6 {
			future = append(future, graph.Interaction{User: fmt.Sprint("late", u), Item: item, Time: int64(10 + k)})
		}
		future = append(future, graph.Interaction{User: "dan", Item: item, Time: 10})
	}
	if !slices.Equal(say(past), say(books)) || !slices.Equal(say(past), say(future)) {
		t.Error("what happens later changes what is said as of now")
	}
}

// The score of an item is, to the bit, the sum over its links.
func TestItemCFIsTheSumOfItsLinks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var log []graph.Interaction
		for range rapid.IntRange(1, 150).Draw(t, "rows") {
			log = append(log, graph.Interaction{
				User: fmt.Sprint(rapid.IntRange(1, 15).Draw(t, "user")),
				Item: fmt.Sprint(rapid.IntRange(1, 25).Draw(t, "item")),
				Time: rapid.Int64Range(0, 9).Draw(t, "time"),
			})
		}
		g, err := graph.Build(rows(log))
		if err != nil {
			t.Fatal(err)
		}
		c := g.At(time.Unix(rapid.Int64Range(0, 12).Draw(t, "moment"), 0))
		var items []string
		for i := range 90 {
			items = append(items, fmt.Sprint(i%27)) // some twice, some unknown, more than a batch
		}
		q := rank.ItemCFQuery{
			Last:    rapid.SampledFrom([]int{0, 3}).Draw(t, "last"),
			K:       rapid.SampledFrom([]int{0, -1, 1, 4}).Draw(t, "k"),
			Measure: rapid.SampledFrom(graph.Measures()).Draw(t, "measure"),
			Support: rapid.IntRange(0, 3).Draw(t, "support"),
		}
		for user := range 4 {
			scores := rank.ScoreItemCF(c, fmt.Sprint(user), items, q)
			for k, item := range items {
				sum := 0.0
				for _, n := range rank.ItemCFLinks(c, fmt.Sprint(user), item, q) {
					sum += n.Score
				}
				if sum != scores[k] {
					t.Fatalf("item %s for user %d: %v, the links %v", item, user, scores[k], sum)
				}
			}
		}
	})
}
