package fit_test

import (
	"context"
	"runtime"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/mars-rec/mars/eval/fit"
	"github.com/mars-rec/mars/eval/metric"
	"github.com/mars-rec/mars/eval/stat"
	"github.com/mars-rec/mars/graph"
	"github.com/mars-rec/mars/graph/rank"
)

// The table of docs/constants.md: every control, the built-in rule and the
// fitted fusion on each user's last interaction, strictly as of it, candidates
// and gold from one pool; then the rule against the best single control, and the
// fitted fusion against the rule on what came after its T0.
func TestMeasure(t *testing.T) {
	measuring(t)
	g, films := movielens(t)
	t0 := g.Quantile(0.8)
	weights, err := fit.Fit(context.Background(), g, films, t0, fit.Config{Dataset: "ml-latest-small", Sampling: fit.Sampling{Seed: 42}})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("fitted before %s on %d cases of %d users, loss %.4f", t0, weights.Provenance.Cases, weights.Provenance.Users, weights.Provenance.Loss)
	rule := rank.Fused("rule", rank.Default(), films)
	fitted := rank.Fused("fitted", weights, films)
	single := []rank.Ranker{rank.Random(), rank.Identity(), rank.MostPopular(), rank.ItemKNN(), rank.UserKNN(), rank.ItemCFAll(), rank.ItemCFLastTen()}
	all := append(append([]rank.Ranker{}, single...), rank.StandardSum(), rule, fitted)

	for _, negatives := range []fit.Negatives{fit.Uniform, fit.Popular} {
		last := fit.LastOut(g, negatives, fit.Sampling{Seed: 42})
		late := lateCases(g, negatives, t0.Unix(), 1)
		later := lateCases(g, negatives, t0.Unix(), 6)
		t.Logf("%s negatives: %d last interactions; after T0 %d; up to six a user after T0 %d", negatives, len(last), len(late), len(later))
		best, bestName, mean := []float64(nil), "", 0.0
		scores := map[string][]float64{}
		for _, r := range all {
			x, y, z := hits(t, g, last, r), hits(t, g, late, r), hits(t, g, later, r)
			scores[r.Name()] = z
			if r.Name() == "fitted" {
				t.Logf("%-16s         %.3f  %.3f", r.Name(), metric.Mean(y), metric.Mean(z))
				break
			}
			t.Logf("%-16s  %.3f  %.3f  %.3f", r.Name(), metric.Mean(x), metric.Mean(y), metric.Mean(z))
			if r.Name() == "rule" {
				c := compare(t, x, best, last)
				t.Logf("rule − %s: %+.3f [%+.3f, %+.3f], p=%.4f", bestName, c.Difference, c.Low, c.High, c.P)
				if c.Difference < 0 {
					t.Errorf("%s negatives: the rule is below %s", negatives, bestName)
				}
			} else if m := metric.Mean(x); m > mean && r.Name() != "standard sum" {
				best, bestName, mean = x, r.Name(), m
			}
		}
		c := compare(t, scores["fitted"], scores["rule"], later)
		t.Logf("fitted − rule, after T0: %+.3f [%+.3f, %+.3f], p=%.4f", c.Difference, c.Low, c.High, c.P)
		if c.Difference < 0 || negatives == fit.Popular && c.Low <= 0 {
			t.Errorf("%s negatives: the fitted fusion is not above the rule", negatives)
		}
	}
}

// The rule holds its own without being measured in full: on last interactions it
// is above the controls that are cheap to compute.
func TestRuleAgainstControls(t *testing.T) {
	g, films := movielens(t)
	for _, negatives := range []fit.Negatives{fit.Uniform, fit.Popular} {
		cases := fit.LastOut(g, negatives, fit.Sampling{Seed: 42})
		if len(cases) != 530 {
			t.Errorf("%d cases: 80 of 610 last items have no earlier interaction, want 530", len(cases))
		}
		rule := metric.Mean(hits(t, g, cases, rank.Fused("rule", rank.Default(), films)))
		for _, r := range []rank.Ranker{rank.Random(), rank.MostPopular(), rank.UserKNN(), rank.ItemCFLastTen()} {
			if m := metric.Mean(hits(t, g, cases, r)); m >= rule {
				t.Errorf("%s negatives: %s %.3f, the rule %.3f", negatives, r.Name(), m, rule)
			}
		}
	}
}

// lateCases are the last n interactions of each user, those at or after t0.
func lateCases(g *graph.Graph, negatives fit.Negatives, t0 int64, n int) (late []fit.Case) {
	for _, c := range fit.Recent(g, g.End(), negatives, n, fit.Sampling{Seed: 42}) {
		if c.AsOf.Unix() >= t0 {
			late = append(late, c)
		}
	}
	return late
}

// hits returns the mean HR@1,3,5 of each case.
func hits(t *testing.T, g *graph.Graph, cases []fit.Case, r rank.Ranker) []float64 {
	t.Helper()
	values := make([]float64, len(cases))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for k, c := range cases {
		group.Go(func() error {
			q := rank.Request{ID: c.ID, User: c.User, Items: c.Items, Cut: g.At(c.AsOf)}
			values[k] = metric.MeanHit(metric.Rank(rank.Order(c.Items, r.Score(q)), c.Gold))
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	return values
}

func compare(t *testing.T, a, b []float64, cases []fit.Case) stat.Comparison {
	t.Helper()
	var users []string
	for _, c := range cases {
		users = append(users, c.User)
	}
	c, err := stat.Compare(a, b, users, stat.Config{Rounds: 5000, Seed: 42})
	if err != nil {
		t.Fatal(err)
	}
	return c
}
