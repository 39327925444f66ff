package filter

import (
	"cmp"
	"context"
	"fmt"
	"slices"
)

// Best keeps, of the runs of a task that are left, the n of the highest reward;
// of equal ones the first. n = 1 is one run for each task.
func Best(by Scorer, n int) Filter { return best{by, n} }

type best struct {
	by Scorer
	n  int
}

// Name implements [Filter].
func (b best) Name() string {
	if b.n == 1 {
		return "one per task"
	}
	return fmt.Sprintf("best %d of a task", b.n)
}

// Sift implements [Filter].
func (b best) Sift(ctx context.Context, g Group) ([]Drop, error) {
	drops := make([]Drop, len(g.Runs))
	if len(g.Runs) <= b.n {
		return drops, nil
	}
	places, err := preferred(ctx, b.by, g)
	if err != nil {
		return nil, err
	}
	reason := "another run of its task is as good"
	if b.n > 1 {
		reason = fmt.Sprintf("%d other runs of its task are as good", b.n)
	}
	for _, i := range places[b.n:] {
		drops[i] = Drop{reason, "of " + g.Runs[places[0]].Run.ID}
	}
	return drops, nil
}

// preferred returns the places of a group's runs, those of the highest reward
// first, equal ones in order.
func preferred(ctx context.Context, by Scorer, g Group) ([]int, error) {
	places := make([]int, len(g.Runs))
	values := make([]float64, len(g.Runs))
	for i, s := range g.Runs {
		score, err := s.Score(ctx, by, g.Gold)
		if err != nil {
			return nil, err
		}
		places[i], values[i] = i, score.Value
	}
	slices.SortStableFunc(places, func(a, b int) int { return cmp.Compare(values[b], values[a]) })
	return places, nil
}
