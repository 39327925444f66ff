package translate_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tools/translate"
)

func TestNumbers(t *testing.T) {
	for _, tc := range []struct{ got, want string }{
		{translate.Count(0), "0"}, {translate.Count(999), "999"}, {translate.Count(1000), "1,000"},
		{translate.Count(1234567), "1,234,567"}, {translate.Count(-1234), "-1,234"},
		{translate.Percent(412, 1204), "34%"}, {translate.Percent(0, 5), "0%"}, {translate.Percent(5, 5), "100%"},
		{translate.Percent(1, 1000), "under 1%"}, {translate.Percent(999, 1000), "over 99%"}, {translate.Percent(0, 0), "0%"},
		{translate.Times(5.08), "5.1"}, {translate.Times(0.01), "less than 0.1"}, {translate.Times(0), "0.0"},
		{translate.Times(9.97), "10"}, {translate.Times(1234.4), "1,234"},
		{translate.Number(4), "4"}, {translate.Number(3.5), "3.5"}, {translate.Number(3.568), "3.57"}, {translate.Number(10), "10"},
		{translate.Plural(1, "user"), "1 user"}, {translate.Plural(1204, "user"), "1,204 users"}, {translate.Plural(0, "day"), "0 days"},
		{translate.Quote(`say "no"`), `"say 'no'"`},
		{translate.Cut("Fahrenheit 451", 11), "Fahrenheit…"}, {translate.Cut("Dune", 4), "Dune"}, {translate.Cut("Ünï", 3), "Ünï"},
	} {
		if tc.got != tc.want {
			t.Errorf("got %q, want %q", tc.got, tc.want)
		}
	}
}

func TestRank(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 30).Draw(t, "n")
		task := tasks.Task{}
		scores := make([]float64, n)
		for i := range n {
			task.Candidates = append(task.Candidates, fmt.Sprintf("i%d", (i*7)%31))
			scores[i] = rapid.SampledFrom([]float64{0, 0.5, 0.50001, 1e-9, 123456.7, -2, 3}).Draw(t, "score")
		}
		e := translate.Rank(task, "tool", "signal", scores)
		if len(e.Ranking) != n {
			t.Fatalf("%d of %d candidates are ranked", len(e.Ranking), n)
		}
		item := func(label string) string { id, _ := task.Item(label); return id }
		seen := map[string]bool{}
		for i, s := range e.Ranking {
			at := slices.Index(task.Candidates, item(s.Label))
			if seen[s.Label] || at < 0 {
				t.Fatalf("%s is ranked twice or is no candidate", s.Label)
			}
			seen[s.Label] = true
			if d := math.Abs(s.Score - scores[at]); d > 5e-4*math.Abs(scores[at]) {
				t.Fatalf("%s scores %g, said to be %g", s.Label, scores[at], s.Score)
			}
			high, low := e.Ranking[0].Score, e.Ranking[n-1].Score
			if at := 10 * (s.Score - low); at < float64(s.Level)*(high-low) || at >= float64(s.Level+1)*(high-low) && s.Score < high {
				t.Fatalf("%s has level %d, with %g from %g to %g", s.Label, s.Level, s.Score, low, high)
			}
			if want := 9; s.Score == high && high > low && s.Level != want {
				t.Fatalf("%s has the highest score and level %d, want %d", s.Label, s.Level, want)
			}
			if i > 0 {
				p := e.Ranking[i-1]
				if p.Score < s.Score || (p.Score == s.Score && item(p.Label) > item(s.Label)) {
					t.Fatalf("%v comes before %v", p, s)
				}
			}
		}
	})
}

func TestWords(t *testing.T) {
	if got := translate.For("movielens-1m").Did(); got != "rated" {
		t.Errorf("movielens: %q", got)
	}
	if got := (translate.Words{}).Did(); got != "chose" {
		t.Errorf("default: %q", got)
	}
	if w := (translate.Words{Verb: "read", Liked: 3.5}); w.Did() != "read" || w.LikedFrom() != 3.5 {
		t.Errorf("got %q, %g", w.Did(), w.LikedFrom())
	}
}
