package fit_test

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/mars-rec/mars/eval/fit"
	"github.com/mars-rec/mars/graph"
	"github.com/mars-rec/mars/graph/rank"
)

// tuning returns the cases on which the constants of graph/rank were chosen: the
// last ten interactions of each user before the 60% quantile of time, but never
// a user's last of all, which is what the rule is tested on.
func tuning(g *graph.Graph) (cases []fit.Case, before time.Time) {
	whole := g.At(g.End())
	before = g.Quantile(0.6)
	for _, negatives := range []fit.Negatives{fit.Uniform, fit.Popular} {
		for _, c := range fit.Recent(g, before, negatives, 10, fit.Sampling{Seed: 42}) {
			u, _ := whole.User(c.User)
			history := whole.History(u)
			if !c.AsOf.Equal(history[len(history)-1].Time) {
				cases = append(cases, c)
			}
		}
	}
	return cases, before
}

// The constants of graph/rank are what the tuning cases say: the rule's weights
// are those that fit them best, rounded to a twentieth, and no other window of
// recent popularity explains them better.
func TestDefaultConstants(t *testing.T) {
	measuring(t)
	g, films := movielens(t)
	cases, before := tuning(g)
	windows := []string{"popularity_recent_30", "popularity_recent_90", "popularity_recent_365", "popularity_recent_730"}
	examples, err := fit.Evidence(context.Background(), g, films, cases, append(rank.Signals(), windows...), fit.Config{})
	if err != nil {
		t.Fatal(err)
	}
	rule := rank.Default()
	w, err := fit.Learn(examples, before, fit.Config{Features: unfitted(rule.Features)})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("before %s: %d cases of %d users, loss %.4f", before.Format(time.RFC3339), w.Provenance.Cases, w.Provenance.Users, w.Provenance.Loss)
	for k, f := range w.Features {
		got, want := f.Weight/f.Scale, rule.Features[k].Weight
		t.Logf("%-15s %-9s %+.3f", f.Signal, f.Form, got)
		if math.Abs(got-want) > 0.025 {
			t.Errorf("%s, %s: the tuning cases say %.3f, the rule %.2f", f.Signal, f.Form, got, want)
		}
	}

	chosen := loss(t, examples, before, rank.PopularityRecent)
	t.Logf("%s: loss %.4f", rank.PopularityRecent, chosen)
	for _, window := range windows {
		other := loss(t, examples, before, window)
		t.Logf("%s: loss %.4f", window, other)
		if other < chosen {
			t.Errorf("%s explains the tuning cases better than %v", window, rank.RecentWindow)
		}
	}
}

// loss is that of the default features with another window of recent popularity.
func loss(t *testing.T, examples []fit.Example, before time.Time, window string) float64 {
	features := fit.Features(true)
	for k := range features {
		if features[k].Signal == rank.PopularityRecent {
			features[k].Signal = window
		}
	}
	w, err := fit.Learn(examples, before, fit.Config{Features: features})
	if err != nil {
		t.Fatal(err)
	}
	return w.Provenance.Loss
}

func unfitted(features []rank.Feature) []rank.Feature {
	var bare []rank.Feature
	for _, f := range features {
		bare = append(bare, rank.Feature{Signal: f.Signal, Form: f.Form})
	}
	return bare
}
