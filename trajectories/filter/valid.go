package filter

import (
	"context"

	"github.com/mars-rec/mars/tasks/gold"
)

// Valid keeps runs with every phase of their team in its place and form, as the
// format reward of the paper has it. The detail is what is wrong.
func Valid() Filter {
	return Each("well formed", func(ctx context.Context, s *Sample, g gold.Gold) (Drop, error) {
		score, err := s.Score(ctx, ByPaper(), g)
		if err != nil || score.Parts["format"] > 0 {
			return Drop{}, err
		}
		return Drop{"a phase is missing or malformed", score.Note}, nil
	})
}
