package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/mars-rec/mars/graph/rank"
	"github.com/mars-rec/mars/internal/api"
	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/message/phase"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/star/client"
	"github.com/mars-rec/mars/tools"
	"github.com/mars-rec/mars/trajectories"
)

// answer asks the student; where it gives no ranking in time, the fallback
// answers in its place.
func (s *service) answer(r api.Request, q question, hear func(model.Chunk)) (client.Answer, error) {
	a, err := s.ask(r, q, client.ByStudent, s.cfg.Student, hear)
	if r.Err() != nil {
		return a, r.Err() // the client is gone
	}
	if err != nil {
		s.cfg.Report(fmt.Errorf("request %s: student: %w", q.task.ID, err))
		if a, err = s.fallback(r, q, reason(err), a.Expense); err != nil {
			return a, err
		}
	}
	s.metrics.answered(a)
	return a, nil
}

// reason says, without the words of a server, why the student did not answer.
func reason(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return "the student took too long"
	}
	if known := (*model.Error)(nil); errors.As(err, &known) {
		return "the student's model is not to be reached"
	}
	return "the student's answer could not be used"
}

// ask asks a recommender, in the time that there is.
func (s *service) ask(r api.Request, q question, by string, whom Recommender, hear func(model.Chunk)) (client.Answer, error) {
	ctx, cancel := context.WithTimeout(r, s.cfg.Time)
	defer cancel()
	start := s.cfg.Clock()
	got, err := whom(ctx, q.view, hear)
	var spent client.Expense
	if got.Trajectory != nil {
		asked := trajectories.Ask(got.Trajectory.Log)
		spent = client.Expense{Calls: asked.Calls, CachedCalls: asked.Cached, ToolCalls: trajectories.Count(got.Trajectory.Log).Tools,
			InputTokens: asked.Usage.InputTokens, OutputTokens: asked.Usage.OutputTokens}
	}
	spent.Milliseconds = float64(s.cfg.Clock().Sub(start)) / float64(time.Millisecond)
	if err != nil {
		return client.Answer{Expense: spent}, err
	}
	a, err := s.describe(r, q, by, got.Ranking)
	a.Expense = spent
	if err == nil && q.in.Explain {
		a.Explanation, err = explain(q, got.Trajectory)
	}
	return a, err
}

// fallback ranks by the fused score.
func (s *service) fallback(r api.Request, q question, why string, spent client.Expense) (client.Answer, error) {
	start := s.cfg.Clock()
	fused := rank.Fused("", *s.cfg.Weights, s.cfg.Attributes)
	scores := fused.Score(rank.Request{ID: q.task.ID, User: q.task.User, Items: q.task.Candidates, Cut: q.view.Cut()})
	if len(scores) == 0 {
		scores = rank.ScorePopularity(q.view.Cut(), q.task.Candidates)
	}
	a, err := s.describe(r, q, client.ByFallback, rank.Order(q.task.Candidates, scores))
	spent.Milliseconds += float64(s.cfg.Clock().Sub(start)) / float64(time.Millisecond)
	a.Why, a.Expense = why, spent
	return a, err
}

// describe makes an answer of a ranking.
func (s *service) describe(r api.Request, q question, by string, ranking []string) (client.Answer, error) {
	if q.in.N > 0 && q.in.N < len(ranking) {
		ranking = ranking[:q.in.N]
	}
	a := client.Answer{ID: q.task.ID, By: by, User: q.task.User, AsOf: q.task.AsOf, Ranking: ranking}
	for _, id := range ranking {
		item, err := q.view.Item(r, id)
		if err != nil {
			return a, err
		}
		a.Items = append(a.Items, client.Item{ID: id, Title: item.Title, Year: item.Year})
	}
	return a, nil
}

// explain collects what was said on the way, and the evidence of the tools.
func explain(q question, t *trajectories.Trajectory) (*client.Explanation, error) {
	e := &client.Explanation{Labels: map[string]string{}, Analyses: []client.Analysis{}, Reflections: []client.Reflection{}, Evidence: []client.Signal{}}
	for i, label := range q.task.Labels() {
		e.Labels[label] = q.task.Candidates[i]
	}
	for _, m := range t.Log {
		if err := note(e, m); err != nil {
			return nil, fmt.Errorf("message %s: %w", m.ID, err)
		}
	}
	return e, nil
}

func note(e *client.Explanation, m message.Envelope) error {
	switch m.Kind {
	case phase.Plan{}.Kind():
		p, err := message.Decode[phase.Plan](m)
		e.Plan = p.Summary
		return err
	case phase.Analysis{}.Kind():
		a, err := message.Decode[phase.Analysis](m)
		e.Analyses = append(e.Analyses, client.Analysis{Role: a.Role, Summary: a.Summary, Claims: append([]string{}, a.Claims...)})
		return err
	case phase.Reflection{}.Kind():
		r, err := message.Decode[phase.Reflection](m)
		e.Reflections = append(e.Reflections, client.Reflection{Verdict: string(r.Verdict), Issues: append([]string{}, r.Issues...)})
		return err
	case (tools.Result{}).Kind():
		r, err := message.Decode[tools.Result](m)
		if err == nil {
			e.Evidence = append(e.Evidence, signals(r)...)
		}
		return err
	}
	return nil
}

// signals are the rankings in a tool's result, if it has any.
func signals(r tools.Result) []client.Signal {
	var value struct {
		Rankings []phase.Evidence `json:"rankings"`
	}
	if r.Error != "" || json.Unmarshal(r.Value, &value) != nil {
		return nil // a tool of another kind: it ranks nothing
	}
	var out []client.Signal
	for _, v := range value.Rankings {
		s := client.Signal{Tool: r.Tool, Signal: v.Signal}
		for _, c := range v.Ranking {
			s.Ranking = append(s.Ranking, c.String())
		}
		out = append(out, s)
	}
	return out
}
