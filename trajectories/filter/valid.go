package filter

import (
	"context"
	"fmt"
	"slices"

	"github.com/mars-rec/mars/tasks/gold"
	"github.com/mars-rec/mars/trajectories"
)

// Valid keeps runs with every phase of their team in its place and form, as the
// format reward of the paper has it, which call none but these tools; nil: any. A
// model that asks for another is told that there is none, and may do well without,
// but nobody is to be taught the name. The detail is what is wrong.
func Valid(how trajectories.Linear, tools []string) Filter {
	return Each("well formed", func(ctx context.Context, s *Sample, g gold.Gold) (Drop, error) {
		score, err := s.Score(ctx, ByPaper(), g)
		if err != nil || score.Parts["format"] <= 0 {
			return Drop{"a phase is missing or malformed", score.Note}, err
		}
		if tools == nil {
			return Drop{}, nil
		}
		messages, err := s.Conversation(how)
		for i, m := range messages {
			for _, c := range m.ToolCalls {
				if !slices.Contains(tools, c.Name) {
					return Drop{"a tool is called that there is not", fmt.Sprintf("message %d calls %q", i, c.Name)}, nil
				}
			}
		}
		return Drop{}, err
	})
}
