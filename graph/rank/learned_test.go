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

// bruteEASE is the definition, by a general inverse.
func bruteEASE(t *testing.T, c *graph.Cut, penalty float64, user string, ids []string) []float64 {
	t.Helper()
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
		gram.Set(k, k, gram.At(k, k)+penalty)
	}
	if err := p.Inverse(&gram); err != nil {
		t.Fatal(err)
	}
	u, _ := c.User(user)
	scores := make([]float64, len(ids))
	for k, id := range ids {
		item, _ := c.Item(id)
		j := slices.Index(all, item)
		for _, e := range c.History(u) {
			if i := slices.Index(all, e.Item); i != j {
				scores[k] -= p.At(i, j) / p.At(j, j)
			}
		}
	}
	return scores
}

// TestEASE compares both forms with the definition.
func TestEASE(t *testing.T) {
	var log []graph.Interaction
	random := rand.New(rand.NewPCG(2, 2))
	for u := range 30 {
		for _, b := range random.Perm(50)[:12] {
			log = append(log, graph.Interaction{User: fmt.Sprintf("u%02d", u), Item: fmt.Sprintf("b%02d", b), Time: int64(b)})
		}
	}
	c := cut(t, log, 2000)
	var scores [][]float64
	var ids []string
	for i := range c.AllItems() {
		ids = append(ids, c.ItemID(i))
	}
	q := rank.Request{User: "u05", Items: append(ids, "unheard of"), Cut: c}
	for _, size := range []int{30, 29} { // users fit; users do not fit, so that of 50 items 29 take part
		e, err := rank.TrainEASE(t.Context(), c, rank.EASEConfig{Penalty: 5, Size: size})
		if err != nil {
			t.Fatal(err)
		}
		scores = append(scores, e.Score(q))
	}
	left := 0
	for k := range scores[0] {
		if math.IsInf(scores[1][k], -1) {
			left++
		}
	}
	if math.IsInf(scores[0][0], -1) || left != 22 {
		t.Errorf("through users %v, through 29 items %v", scores[0], scores[1])
	}
	// Users beyond the items: both forms take all items.
	wide := cut(t, tastes(), 2000)
	user := rank.Request{User: "u05", Items: []string{"b00", "b01", "b02", "b03", "b11"}, Cut: wide}
	a, err := rank.TrainEASE(t.Context(), wide, rank.EASEConfig{Penalty: 5})
	if err != nil {
		t.Fatal(err)
	}
	b := bruteEASE(t, wide, 5, "u05", user.Items)
	for k, s := range a.Score(user) {
		if math.Abs(s-b[k]) > 1e-9 {
			t.Errorf("%s: %g, want %g", user.Items[k], s, b[k])
		}
	}
	b = bruteEASE(t, c, 5, "u05", ids)
	for k := range ids {
		if math.Abs(scores[0][k]-b[k]) > 1e-9 {
			t.Errorf("%s, through users: %g, want %g", ids[k], scores[0][k], b[k])
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
	ease, err := rank.TrainEASE(t.Context(), c, rank.EASEConfig{Size: 3})
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
