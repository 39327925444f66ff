package fit

import (
	"context"
	"fmt"
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
// rounded to the four significant digits in which agents see them. It works on
// as many cases at once as workers says; the result does not depend on it.
// Attributes may be nil if no signal needs them.
func Evidence(ctx context.Context, g *graph.Graph, attributes rank.Attributes, cases []Case, signals []string, workers int) ([]Example, error) {
	examples := make([]Example, len(cases))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(max(1, workers))
	for k, c := range cases {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			e := Example{Case: c, Gold: slices.Index(c.Items, c.Gold), Signals: make(map[string][]float64, len(signals))}
			if e.Gold < 0 {
				return fmt.Errorf("case %s: the gold item %s is not among its items", c.ID, c.Gold)
			}
			cut := g.At(c.AsOf)
			for _, s := range signals {
				scores, err := rank.Score(s, cut, c.User, c.Items, attributes)
				if err != nil {
					return fmt.Errorf("case %s: %w", c.ID, err)
				}
				e.Signals[s] = round(scores)
			}
			examples[k] = e
			return nil
		})
	}
	return examples, group.Wait()
}

// round keeps four significant digits.
func round(xs []float64) []float64 {
	for k, x := range xs {
		// What FormatFloat writes, ParseFloat reads.
		xs[k], _ = strconv.ParseFloat(strconv.FormatFloat(x, 'g', 4, 64), 64)
	}
	return xs
}
