// Package fit learns how to weigh the evidence: it fits the fused score of
// graph/rank on what users did before a moment T0, and nothing after it.
//
//	log before T0 ──Recent──> cases (one item taken, others not, both kinds of
//	                          negatives, each strictly as of its own moment)
//	              ──Evidence──> signals per item, rounded as agents see them
//	              ──Fit──> weights of a listwise softmax ──> rank.Weights
//
// The model is linear in features of the signals, so that anyone can read what
// it learned. The same log, T0 and seed give the same weights.
package fit

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/mars-rec/mars/graph"
	"github.com/mars-rec/mars/graph/rank"
)

// Config says how weights are fitted. The zero value works.
type Config struct {
	Dataset  string         // its name, for the file
	Features []rank.Feature // whose Signal and Form are fitted; nil: Features
	Cases    int            // the last interactions of each user to learn from; 0: 10
	Sampling Sampling       // 0 users: 2,000; more says little more about a few weights
	Penalty  float64        // of the squares of the weights; 0: 5
	Workers  int            // 0: as many as there are processors
	// OnCase, if not nil, is called when the evidence of one more of total cases
	// has been gathered. It is called concurrently.
	OnCase func(total int)
}

// Features returns the features that are fitted by default: each signal as
// standard score and as value, and popularity as a fall-back. Without
// attributes, category and year are left out.
func Features(attributes bool) []rank.Feature {
	var features []rank.Feature
	for _, s := range rank.Signals() {
		if !attributes && (s == rank.Category || s == rank.Year) {
			continue
		}
		for _, form := range []rank.Form{rank.Standardised, rank.Value} {
			features = append(features, rank.Feature{Signal: s, Form: form})
		}
	}
	return append(features, rank.Feature{Signal: rank.Popularity, Form: rank.Fallback})
}

// Choose returns the features of the signals and forms that are named. Where
// only one of the two is, the other is as in [Features]; where none is, it
// returns nil, the default of [Config].
func Choose(signals, forms []string) ([]rank.Feature, error) {
	if len(signals) == 0 && len(forms) == 0 {
		return nil, nil
	}
	for _, s := range signals {
		if !slices.Contains(rank.Signals(), s) {
			return nil, fmt.Errorf("unknown signal %q: want %s", s, strings.Join(rank.Signals(), ", "))
		}
	}
	for _, f := range forms {
		if !slices.Contains([]rank.Form{rank.Standardised, rank.Value, rank.Fallback}, rank.Form(f)) {
			return nil, fmt.Errorf("unknown form %q: want %s, %s or %s", f, rank.Standardised, rank.Value, rank.Fallback)
		}
	}
	wanted := func(names []string, name string) bool { return len(names) == 0 || slices.Contains(names, name) }
	features := slices.DeleteFunc(Features(true), func(f rank.Feature) bool {
		return !wanted(signals, f.Signal) || !wanted(forms, string(f.Form))
	})
	if len(features) == 0 {
		return nil, fmt.Errorf("no feature is left: popularity alone is a fallback")
	}
	return features, nil
}

// Fit fits weights on the interactions before a moment. Of each user the last
// ones before it are cases, with uniform and with popular negatives. Attributes
// may be nil.
func Fit(ctx context.Context, g *graph.Graph, attributes rank.Attributes, before time.Time, c Config) (rank.Weights, error) {
	c.Sampling.Users = cmp.Or(c.Sampling.Users, 2000)
	var cases []Case
	for _, negatives := range []Negatives{Uniform, Popular} {
		cases = append(cases, Recent(g, before, negatives, cmp.Or(c.Cases, 10), c.Sampling)...)
	}
	if c.Features == nil {
		c.Features = Features(attributes != nil)
	}
	signals := rank.Weights{Features: c.Features}.Signals()
	// Silence is that of all collaborative signals, whichever are features.
	for _, s := range rank.Collaborative() {
		if !slices.Contains(signals, s) {
			signals = append(signals, s)
		}
	}
	examples, err := Evidence(ctx, g, attributes, cases, signals, c)
	if err != nil {
		return rank.Weights{}, fmt.Errorf("fit: %w", err)
	}
	w, err := Learn(examples, before, c)
	if err != nil {
		return rank.Weights{}, err
	}
	w.Provenance.Interactions = g.At(before).Interactions()
	return w, nil
}

// Learn fits weights on examples of one's own, all of them before the moment.
func Learn(examples []Example, before time.Time, c Config) (rank.Weights, error) {
	if len(examples) == 0 {
		return rank.Weights{}, fmt.Errorf("fit: before %s nobody took an item that was known, beside enough others that he never took: choose a later moment or fewer candidates", before.UTC().Format(time.RFC3339))
	}
	users := map[string]bool{}
	for _, e := range examples {
		if !e.Case.AsOf.Before(before) {
			return rank.Weights{}, fmt.Errorf("fit: case %s is as of %s, not before %s", e.Case.ID, e.Case.AsOf.Format(time.RFC3339), before.Format(time.RFC3339))
		}
		users[e.Case.User] = true
	}
	if c.Features == nil {
		c.Features = Features(true)
	}
	w := rank.Weights{
		Version:  rank.WeightsVersion,
		Dataset:  c.Dataset,
		Before:   before.UTC(),
		Features: slices.Clone(c.Features),
		Provenance: rank.Provenance{
			Users:      len(users),
			Cases:      len(examples),
			Candidates: len(examples[0].Case.Items),
			Penalty:    cmp.Or(c.Penalty, 5),
			Seed:       c.Sampling.Seed,
		},
	}
	lists, err := standardise(w.Features, examples)
	if err != nil {
		return rank.Weights{}, fmt.Errorf("fit: %w", err)
	}
	weights, loss := softmax{lists, w.Provenance.Penalty}.fit(len(w.Features))
	for a := range weights {
		w.Features[a].Weight = weights[a]
	}
	w.Provenance.Loss = loss
	return w, nil
}

// standardise sets the features' means and scales to those over all items of
// the examples, and returns the examples as lists. A mean cancels within a list;
// it is kept so that a weight can be read alone.
func standardise(features []rank.Feature, examples []Example) ([]list, error) {
	lists := make([]list, len(examples))
	for n, e := range examples {
		lists[n] = list{make([][]float64, len(e.Case.Items)), e.Gold}
		for k := range lists[n].features {
			lists[n].features[k] = make([]float64, len(features))
		}
	}
	for a := range features {
		f := &features[a]
		f.Mean, f.Scale = 0, 1
		count, sum, squares := 0.0, 0.0, 0.0
		for n, e := range examples {
			xs := f.Of(e.Signals)
			if xs == nil {
				return nil, fmt.Errorf("case %s has no signal %s", e.Case.ID, f.Signal)
			}
			for k, x := range xs {
				lists[n].features[k][a] = x
				count, sum, squares = count+1, sum+x, squares+x*x
			}
		}
		f.Mean = sum / count
		if variance := squares/count - f.Mean*f.Mean; variance > 1e-12 {
			f.Scale = math.Sqrt(variance)
		}
		for n := range lists {
			for k := range lists[n].features {
				x := &lists[n].features[k][a]
				*x = (*x - f.Mean) / f.Scale
			}
		}
	}
	return lists, nil
}
