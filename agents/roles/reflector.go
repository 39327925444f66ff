package roles

import (
	"context"

	"github.com/mars-rec/mars/agents"
	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/message/phase"
)

// reflector checks what the analysts found, and may send subtasks back.
type reflector struct{ role }

// Handle implements [agents.Agent].
func (r reflector) Handle(ctx context.Context, t *agents.Turn) (message.Body, error) {
	brief, err := r.brief(t)
	if err != nil {
		return nil, err
	}
	rounds := listed("You may send subtasks back to", brief.Roles)
	if len(brief.Roles) == 0 {
		rounds = "This is the last round: no subtask can be sent back, the verdict must be accept.\n"
	}
	question, err := r.question(ctx, brief, rounds)
	if err != nil {
		return nil, err
	}
	conversation, err := r.open(ctx, t, question)
	if err != nil {
		return nil, err
	}
	return settle(ctx, t, conversation, r.book.shapes.reflection(brief.Roles), func(text string) (phase.Reflection, error) {
		reflection, _, err := phase.ParseReflection(text, brief.Roles)
		return reflection, err
	})
}
