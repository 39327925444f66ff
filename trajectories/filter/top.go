package filter

import (
	"context"
	"fmt"
	"slices"

	"github.com/mars-rec/mars/tasks/gold"
)

// Top keeps runs that rank a right item among the first k; k = 1 is the outcome
// filter of the paper. It looks at the run's ranking only, so it stands before
// what takes longer.
func Top(k int) Filter {
	name, reason := fmt.Sprintf("gold in the first %d", k), fmt.Sprintf("no right item is in the first %d of the ranking", k)
	if k == 1 {
		name, reason = "gold first", "the first of the ranking is not right"
	}
	return Each(name, func(_ context.Context, s *Sample, g gold.Gold) (Drop, error) {
		ranking := s.Run.Ranking
		if slices.ContainsFunc(ranking[:min(k, len(ranking))], g.Has) {
			return Drop{}, nil
		}
		rank := slices.IndexFunc(ranking, g.Has) + 1
		if rank == 0 {
			return Drop{reason, "it is not ranked"}, nil
		}
		return Drop{reason, fmt.Sprintf("it is at %d", rank)}, nil
	})
}
