package filter

import (
	"context"
	"fmt"

	"github.com/mars-rec/mars/tasks/gold"
)

// Reward keeps runs whose reward is at least so much.
func Reward(by Scorer, least float64) Filter {
	name := fmt.Sprintf("reward of %g or more", least)
	reason := fmt.Sprintf("its reward is under %g", least)
	return Each(name, func(ctx context.Context, s *Sample, g gold.Gold) (Drop, error) {
		score, err := s.Score(ctx, by, g)
		if err != nil || score.Value >= least {
			return Drop{}, err
		}
		return Drop{reason, fmt.Sprintf("%.4g by %s", score.Value, by)}, nil
	})
}
