package roles

import (
	"context"

	"github.com/mars-rec/mars/agents"
	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/message/phase"
)

// planner breaks the task into a subtask for each analyst.
type planner struct{ role }

// Handle implements [agents.Agent].
func (p planner) Handle(ctx context.Context, t *agents.Turn) (message.Body, error) {
	brief, err := p.brief(t)
	if err != nil {
		return nil, err
	}
	question, err := p.question(ctx, brief, listed("Analysts", brief.Roles))
	if err != nil {
		return nil, err
	}
	conversation, err := p.open(ctx, t, question)
	if err != nil {
		return nil, err
	}
	return settle(ctx, t, conversation, p.book.shapes.plan(brief.Roles), func(text string) (phase.Plan, error) {
		plan, _, err := phase.ParsePlan(text, brief.Roles)
		return plan, err
	})
}
