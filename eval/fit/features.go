package fit

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"slices"
	"strconv"

	"golang.org/x/sync/errgroup"

	"github.com/mars-rec/mars/graph"
	"github.com/mars-rec/mars/graph/rank"
)

// Example is a case with its evidence: every signal for every item, in the
// order of the case's items.
type Example struct {
	Case    Case
	Gold    int // position of the gold item
	Signals map[string][]float64
}

// Evidence computes the signals of cases, each strictly as of its moment,
// rounded to the four significant digits in which agents see them. Attributes
// may be nil if no signal needs them. Of the config it heeds Workers and OnCase;
// the result does not depend on them.
func Evidence(ctx context.Context, g *graph.Graph, attributes rank.Attributes, cases []Case, signals []string, c Config) ([]Example, error) {
	examples := make([]Example, len(cases))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(cmp.Or(c.Workers, runtime.GOMAXPROCS(0)))
	for k, one := range cases {
		group.Go(func() (err error) {
			if err := ctx.Err(); err != nil {
				return err
			}
			if examples[k], err = evidence(g, attributes, one, signals); err != nil {
				return fmt.Errorf("case %s: %w", one.ID, err)
			}
			if c.OnCase != nil {
				c.OnCase(len(cases))
			}
			return nil
		})
	}
	return examples, group.Wait()
}

// evidence computes that of one case.
func evidence(g *graph.Graph, attributes rank.Attributes, c Case, signals []string) (Example, error) {
	e := Example{Case: c, Gold: slices.Index(c.Items, c.Gold), Signals: make(map[string][]float64, len(signals))}
	if e.Gold < 0 {
		return e, fmt.Errorf("the gold item %s is not among its items", c.Gold)
	}
	cut := g.At(c.AsOf)
	for _, s := range signals {
		scores, err := rank.Score(s, cut, c.User, c.Items, attributes)
		if err != nil {
			return e, err
		}
		e.Signals[s] = round(scores)
	}
	return e, nil
}

// round keeps four significant digits.
func round(xs []float64) []float64 {
	for k, x := range xs {
		// What FormatFloat writes, ParseFloat reads.
		xs[k], _ = strconv.ParseFloat(strconv.FormatFloat(x, 'g', 4, 64), 64)
	}
	return xs
}
