package roles

import (
	"context"

	"github.com/mars-rec/mars/agents"
	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/message/phase"
)

// ranker weighs the evidence and ranks the candidates.
type ranker struct{ role }

// Handle implements [agents.Agent].
func (r ranker) Handle(ctx context.Context, t *agents.Turn) (message.Body, error) {
	brief, err := r.brief(t)
	if err != nil {
		return nil, err
	}
	question, err := r.question(ctx, brief, "")
	if err != nil {
		return nil, err
	}
	conversation, err := r.open(ctx, t, question)
	if err != nil {
		return nil, err
	}
	labels := r.view.Task().Labels()
	return settle(ctx, t, conversation, r.book.shapes.recommend(labels), func(text string) (phase.Recommend, error) {
		rec, _, err := phase.ParseRecommend(text, labels)
		return rec, err
	})
}
