package filter

import (
	"context"
	"fmt"
	"strings"

	"github.com/mars-rec/mars/tasks/gold"
	"github.com/mars-rec/mars/trajectories"
	"github.com/mars-rec/mars/trajectories/reward"
)

// untold is the reason of filters that find no conversation to judge.
const untold = "it cannot be told as one conversation"

// Grounded keeps runs of whose titles and numbers at least this share was told
// to them by the prompt or a tool, as [reward.Grounded] counts; 1 is all.
func Grounded(least float64) Filter {
	reason := "it states what nobody has told it"
	if least < 1 {
		reason = fmt.Sprintf("less than %g of what it states was told to it", least)
	}
	return Each("grounded", func(_ context.Context, s *Sample, _ gold.Gold) (Drop, error) {
		messages, err := s.Conversation(trajectories.Linear{})
		if err != nil {
			return Drop{untold, err.Error()}, nil
		}
		share, loose := reward.Grounded(messages)
		if share >= least {
			return Drop{}, nil
		}
		const most = 5
		return Drop{reason, fmt.Sprintf("%d statements: %s", len(loose), strings.Join(loose[:min(most, len(loose))], ", "))}, nil
	})
}
