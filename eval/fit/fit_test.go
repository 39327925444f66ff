package fit_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mars-rec/mars/eval/fit"
	"github.com/mars-rec/mars/eval/metric"
	"github.com/mars-rec/mars/graph"
	"github.com/mars-rec/mars/graph/rank"
)

// town is a seeded log: two tastes, each with items of its own, some items more
// read than others, and users who keep to their taste nine times of ten.
func town(users int, random *rand.Rand) []graph.Interaction {
	var log []graph.Interaction
	for u := range users {
		taste := u % 2
		for k := range 14 {
			t := taste
			if random.IntN(10) == 0 {
				t = 1 - t
			}
			item := int(40 * random.Float64() * random.Float64())
			log = append(log, graph.Interaction{
				User: fmt.Sprintf("u%03d", u), Item: fmt.Sprintf("%d-%02d", t, item),
				Time: int64(1_000_000 + 3600*(14*u/3+40*k) + random.IntN(3600)),
			})
		}
	}
	return log
}

func graphOf(t testing.TB, log []graph.Interaction) *graph.Graph {
	t.Helper()
	g, err := graph.Build(func(yield func(graph.Interaction, error) bool) {
		for _, in := range log {
			if !yield(in, nil) {
				return
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func fitted(t testing.TB, g *graph.Graph, before time.Time) rank.Weights {
	t.Helper()
	w, err := fit.Fit(context.Background(), g, nil, before, fit.Config{Cases: 4, Sampling: fit.Sampling{Seed: 1}})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// What was fitted before T0 ranks better than chance, and than popularity, after.
func TestFitLearns(t *testing.T) {
	g := graphOf(t, town(150, rand.New(rand.NewPCG(1, 1))))
	t0 := g.Quantile(0.7)
	w := fitted(t, g, t0)
	if w.Provenance.Cases < 200 || w.Provenance.Loss >= math.Log(20) || !w.Before.Equal(t0) {
		t.Errorf("provenance %+v, before %v", w.Provenance, w.Before)
	}
	for _, negatives := range []fit.Negatives{fit.Uniform, fit.Popular} {
		late := lateCases(g, negatives, t0.Unix(), 3)
		learnt := metric.Mean(hits(t, g, late, rank.Fused("fitted", w, nil)))
		popular := metric.Mean(hits(t, g, late, rank.MostPopular()))
		t.Logf("%s negatives, %d cases: fitted %.3f, most popular %.3f", negatives, len(late), learnt, popular)
		if learnt <= popular+0.02 || learnt < 0.2 {
			t.Errorf("%s negatives: fitted %.3f, most popular %.3f", negatives, learnt, popular)
		}
	}
}

// The same log gives the same weights, whatever the number of workers and
// whatever happens at or after T0.
func TestFitSeesThePastOnly(t *testing.T) {
	log := town(60, rand.New(rand.NewPCG(2, 2)))
	g := graphOf(t, log)
	t0 := g.Quantile(0.6)
	want := fmt.Sprintf("%+v", fitted(t, g, t0))
	one, err := fit.Fit(context.Background(), g, nil, t0, fit.Config{Cases: 4, Workers: 1, Sampling: fit.Sampling{Seed: 1}})
	if err != nil || fmt.Sprintf("%+v", one) != want {
		t.Errorf("with one worker: %+v, %v", one, err)
	}
	past := slices.DeleteFunc(slices.Clone(log), func(in graph.Interaction) bool { return in.Time >= t0.Unix() })
	other := slices.Clone(past)
	for k := range 300 {
		other = append(other, graph.Interaction{User: fmt.Sprintf("u%03d", k%70), Item: fmt.Sprintf("%d-%02d", k%2, k%50), Time: t0.Unix() + int64(k/10)})
	}
	for name, l := range map[string][]graph.Interaction{"no": past, "another": other} {
		if got := fmt.Sprintf("%+v", fitted(t, graphOf(t, l), t0)); got != want {
			t.Errorf("with %s future:\n%s\n%s", name, got, want)
		}
	}
}

func TestCases(t *testing.T) {
	g := graphOf(t, town(40, rand.New(rand.NewPCG(3, 3))))
	before := g.Quantile(0.8)
	for _, negatives := range []fit.Negatives{fit.Uniform, fit.Popular} {
		cases := fit.Recent(g, before, negatives, 3, fit.Sampling{Candidates: 10, History: 2, Users: 20, Seed: 5})
		users := map[string]int{}
		for _, c := range cases {
			users[c.User]++
			cut := g.At(c.AsOf)
			known := g.At(before)
			u, ok := cut.User(c.User)
			if !ok || cut.UserDegree(u) < 2 || !c.AsOf.Before(before) {
				t.Errorf("%s: history too short or too late", c.ID)
			}
			history := known.History(u)
			if sorted := slices.Sorted(slices.Values(c.Items)); len(slices.Compact(sorted)) != 10 || !slices.Contains(c.Items, c.Gold) {
				t.Errorf("%s: items %q", c.ID, c.Items)
			}
			for _, id := range c.Items {
				i, ok := cut.Item(id)
				touched := slices.ContainsFunc(history, func(e graph.Event) bool { return e.Item == i })
				if !ok || touched != (id == c.Gold) {
					t.Errorf("%s: item %s: in the pool %v, touched %v", c.ID, id, ok, touched)
				}
			}
		}
		if len(users) == 0 || len(users) > 20 {
			t.Errorf("%d users", len(users))
		}
	}
}

// Popular negatives are more popular than uniform ones.
func TestNegatives(t *testing.T) {
	g := graphOf(t, town(80, rand.New(rand.NewPCG(4, 4))))
	degree := func(negatives fit.Negatives) (sum float64) {
		cases := fit.LastOut(g, negatives, fit.Sampling{Candidates: 8})
		for _, c := range cases {
			cut := g.At(c.AsOf)
			for _, id := range c.Items {
				if i, ok := cut.Item(id); ok && id != c.Gold {
					sum += float64(cut.ItemDegree(i)) / float64(len(cases))
				}
			}
		}
		return sum
	}
	if u, p := degree(fit.Uniform), degree(fit.Popular); p < 1.2*u {
		t.Errorf("summed degree of negatives: uniform %.1f, popular %.1f", u, p)
	}
}

func TestChoose(t *testing.T) {
	for _, c := range []struct {
		signals, forms string
		want           string
	}{
		{"", "", ""},
		{"item_cf,popularity", "", "item_cf/standard item_cf/value popularity/standard popularity/value popularity/fallback"},
		{"item_cf,popularity", "standard", "item_cf/standard popularity/standard"},
		{"", "fallback", "popularity/fallback"},
		{"moon", "", `unknown signal "moon"`},
		{"item_cf", "square", `unknown form "square"`},
		{"item_cf", "fallback", "no feature is left"},
	} {
		list := func(s string) []string { return strings.FieldsFunc(s, func(r rune) bool { return r == ',' }) }
		features, err := fit.Choose(list(c.signals), list(c.forms))
		var got []string
		for _, f := range features {
			got = append(got, f.Signal+"/"+string(f.Form))
		}
		if err != nil {
			got = []string{err.Error()}
		}
		if s := strings.Join(got, " "); s != c.want && !(err != nil && strings.Contains(s, c.want)) {
			t.Errorf("%q, %q: %s; want %s", c.signals, c.forms, s, c.want)
		}
	}
}

func TestLearnRefuses(t *testing.T) {
	t0 := time.Unix(100, 0)
	late := fit.Example{Case: fit.Case{ID: "x", AsOf: t0, Items: []string{"a", "b"}, Gold: "a"}, Signals: map[string][]float64{}}
	early := late
	early.Case.AsOf = t0.Add(-time.Second)
	for says, examples := range map[string][]fit.Example{
		"choose a later moment": nil,
		"not before":            {late},
		"has no signal item_cf": {early},
	} {
		if _, err := fit.Learn(examples, t0, fit.Config{}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v: want an error with %q", err, says)
		}
	}
}
