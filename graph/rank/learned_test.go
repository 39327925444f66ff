package rank_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"gonum.org/v1/gonum/mat"

	"github.com/mars-rec/mars/graph"
	"github.com/mars-rec/mars/graph/rank"
)

// tastes is a log of two tastes: who likes even books, and who likes odd ones.
func tastes() []graph.Interaction {
	var log []graph.Interaction
	random := rand.New(rand.NewPCG(1, 1))
	for u := range 60 {
		for _, b := range random.Perm(20)[:8] {
			log = append(log, graph.Interaction{User: fmt.Sprintf("u%02d", u), Item: fmt.Sprintf("b%02d", 2*b+u%2), Time: int64(random.IntN(1000))})
		}
	}
	return log
}

func learn(t *testing.T, cut *graph.Cut) map[string]rank.Learned {
	t.Helper()
	ease, err := rank.TrainEASE(t.Context(), cut, rank.EASEConfig{Penalty: 10})
	if err != nil {
		t.Fatal(err)
	}
	ials, err := rank.TrainIALS(t.Context(), cut, rank.IALSConfig{Factors: 4})
	if err != nil {
		t.Fatal(err)
	}
	return map[string]rank.Learned{"ease": ease, "ials": ials}
}

// TestLearnedTellTastesApart: what shares a taste with the history is first.
func TestLearnedTellTastesApart(t *testing.T) {
	c := cut(t, tastes(), 2000)
	u, _ := c.User("u00")
	had := map[string]bool{}
	for _, e := range c.History(u) {
		had[c.ItemID(e.Item)] = true
	}
	var items []string
	even := 0
	for b := range 40 {
		if id := fmt.Sprintf("b%02d", b); !had[id] {
			items = append(items, id)
			even += 1 - b%2
		}
	}
	items = append(items, "unheard of")
	for name, r := range learn(t, c) {
		order := rank.Order(items, r.Score(rank.Request{User: "u00", Items: items, Cut: c}))
		own := 0
		for _, id := range order[:even] {
			own += 1 - int(id[2]-'0')%2
		}
		if own < even-1 {
			t.Errorf("%s: only %d of the first %d are of the user's taste: %v", name, own, even, order)
		}
		if order[len(order)-1] != "unheard of" {
			t.Errorf("%s: an item that nobody had is not last: %v", name, order)
		}
	}
}

// TestEASE compares with the definition, by a general inverse.
func TestEASE(t *testing.T) {
	c := cut(t, tastes(), 2000)
	all := slices.Collect(c.AllItems())
	n := len(all)
	x := mat.NewDense(c.Users(), n, nil)
	row := 0
	for u := range c.AllUsers() {
		for _, e := range c.History(u) {
			x.Set(row, slices.Index(all, e.Item), 1)
		}
		row++
	}
	var gram, p mat.Dense
	gram.Mul(x.T(), x)
	for k := range n {
		gram.Set(k, k, gram.At(k, k)+10)
	}
	if err := p.Inverse(&gram); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, i := range all {
		ids = append(ids, c.ItemID(i))
	}
	got := learn(t, c)["ease"].Score(rank.Request{User: "u01", Items: ids, Cut: c})
	u, _ := c.User("u01")
	for j := range n {
		want := 0.0
		for _, e := range c.History(u) {
			if i := slices.Index(all, e.Item); i != j {
				want -= p.At(i, j) / p.At(j, j)
			}
		}
		if math.Abs(got[j]-want) > 1e-9 {
			t.Errorf("%s: %g, want %g", ids[j], got[j], want)
		}
	}
}

// TestLearnedSeeNothingAfterTheirCut: another future, the same scores; and no
// answer about the past.
func TestLearnedSeeNothingAfterTheirCut(t *testing.T) {
	log := tastes()
	past := slices.DeleteFunc(slices.Clone(log), func(in graph.Interaction) bool { return in.Time >= 500 })
	other := slices.Clone(past)
	for k := range 200 {
		other = append(other, graph.Interaction{User: fmt.Sprintf("u%02d", k%70), Item: fmt.Sprintf("b%02d", k%50), Time: 500 + int64(k)})
	}
	items := []string{"b00", "b01", "b02", "b03", "b17", "b30"}
	for name, r := range learn(t, cut(t, log, 500)) {
		want := r.Score(rank.Request{User: "u07", Items: items, Cut: cut(t, log, 500)})
		changed := learn(t, cut(t, other, 500))[name]
		if got := changed.Score(rank.Request{User: "u07", Items: items, Cut: cut(t, other, 500)}); !slices.Equal(got, want) {
			t.Errorf("%s: %v, with another future %v", name, want, got)
		}
		if !r.Before().Equal(time.Unix(500, 0)) {
			t.Errorf("%s says that it learnt from before %s", name, r.Before())
		}
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s answers about a moment before its training", name)
				}
			}()
			r.Score(rank.Request{User: "u07", Items: items, Cut: cut(t, log, 499)})
		}()
	}
}

// TestLearnedAreBounded: a bound on items keeps the most popular ones, and the
// number of workers changes nothing.
func TestLearnedAreBounded(t *testing.T) {
	c := cut(t, tastes(), 2000)
	popular := c.Popular(3)
	ids := []string{c.ItemID(popular[2]), c.ItemID(c.Popular(4)[3])}
	ease, err := rank.TrainEASE(t.Context(), c, rank.EASEConfig{Items: 3})
	if err != nil {
		t.Fatal(err)
	}
	var ials []*rank.IALS
	for _, workers := range []int{1, 7} {
		m, err := rank.TrainIALS(t.Context(), c, rank.IALSConfig{Items: 3, Users: 20, Factors: 8, Workers: workers})
		if err != nil {
			t.Fatal(err)
		}
		ials = append(ials, m)
	}
	q := rank.Request{User: "u07", Items: ids, Cut: c}
	if a, b := ials[0].Score(q), ials[1].Score(q); !slices.Equal(a, b) {
		t.Errorf("one worker scores %v, seven %v", a, b)
	}
	for _, r := range []rank.Ranker{ease, ials[0]} {
		if s := r.Score(q); math.IsInf(s[0], 0) || !math.IsInf(s[1], -1) {
			t.Errorf("%s of three items scores the third and the fourth most popular %v", r.Name(), s)
		}
	}
	if _, err := rank.TrainEASE(t.Context(), cut(t, tastes(), 0), rank.EASEConfig{}); err == nil {
		t.Error("EASE is trained on nothing")
	}
	if _, err := rank.TrainIALS(t.Context(), cut(t, tastes(), 0), rank.IALSConfig{}); err == nil {
		t.Error("iALS is trained on nothing")
	}
}
