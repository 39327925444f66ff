package filter

import (
	"context"

	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/tasks/gold"
	"github.com/mars-rec/mars/trajectories"
	"github.com/mars-rec/mars/trajectories/reward"
)

// Sample is one run of a task. What filters and exports make of its log is made
// once. It is not safe for concurrent use.
type Sample struct {
	*trajectories.Trajectory
	// Store is the file name of the run store that it is in.
	Store string

	told   map[trajectories.Linear]telling
	scores map[string]trajectories.Score // by scorer and version
	size   *Size
	order  []int // the candidates' places in the run as it is recorded; nil: these
	load   Load  // reads it again
	at     int   // its place in that group
}

// telling is a run as a conversation, or why it is none.
type telling struct {
	messages []model.Message
	err      error
}

// NewSample makes a sample of a run that is done.
func NewSample(t *trajectories.Trajectory, store string) *Sample {
	return &Sample{Trajectory: t, Store: store}
}

// Conversation is the run as [trajectories.Serialize] tells it. It is shared:
// the caller does not change it.
func (s *Sample) Conversation(how trajectories.Linear) ([]model.Message, error) {
	if t, ok := s.told[how]; ok {
		return t.messages, t.err
	}
	var t telling
	t.messages, t.err = trajectories.Serialize(s.recorded(), how)
	if t.err == nil && s.order != nil {
		t.messages, t.err = trajectories.Relabel(s.recorded().Run.Task, t.messages, s.order)
	}
	if s.told == nil {
		s.told = map[trajectories.Linear]telling{}
	}
	s.told[how] = t
	return t.messages, t.err
}

// recorded is the run under the order of candidates that it was made with.
func (s *Sample) recorded() *trajectories.Trajectory {
	if s.order == nil {
		return s.Trajectory
	}
	t := *s.Trajectory
	t.Run.Task.Candidates = make([]string, len(s.order))
	for place, from := range s.order {
		t.Run.Task.Candidates[from] = s.Run.Task.Candidates[place]
	}
	return &t
}

// Relabelled is the run under another order of its candidates: the one at
// order[i] gets the ith label. Order is a permutation.
func (s *Sample) Relabelled(order []int) *Sample {
	t := *s.Trajectory
	t.Run.Task.Candidates = make([]string, len(order))
	whole := make([]int, len(order))
	for place, from := range order {
		t.Run.Task.Candidates[place] = s.Run.Task.Candidates[from]
		whole[place] = from
		if s.order != nil {
			whole[place] = s.order[from]
		}
	}
	return &Sample{Trajectory: &t, Store: s.Store, order: whole}
}

// Scorer is a reward that runs are judged by.
type Scorer struct {
	name string
	by   *reward.Composition // nil: the paper's
}

// ByPaper is the reward of the paper.
func ByPaper() Scorer { return Scorer{name: reward.PaperName + "/" + reward.PaperVersion} }

// By is a reward that is composed of parts.
func By(c *reward.Composition) Scorer { return Scorer{c.Name + "/" + c.Version, c} }

// String is the scorer's name and version.
func (by Scorer) String() string { return by.name }

// Score scores the run; see [reward.Reward] for its errors.
func (s *Sample) Score(ctx context.Context, by Scorer, g gold.Gold) (trajectories.Score, error) {
	if score, ok := s.scores[by.name]; ok {
		return score, nil
	}
	score, err := s.score(ctx, by, g)
	if err != nil {
		return score, err
	}
	score.Run = s.Run.ID
	if s.scores == nil {
		s.scores = map[string]trajectories.Score{}
	}
	s.scores[by.name] = score
	return score, nil
}

func (s *Sample) score(ctx context.Context, by Scorer, g gold.Gold) (trajectories.Score, error) {
	messages, wrong := s.Conversation(trajectories.Linear{})
	form, err := s.Form()
	if err != nil && wrong == nil {
		wrong = err
	}
	switch {
	case wrong != nil && by.by == nil: // the reward finds the same wrong
		return reward.Paper(ctx, s.recorded(), g)
	case wrong != nil:
		return by.by.Score(ctx, s.recorded(), g)
	case by.by == nil:
		return reward.Conversation(s.Run.Task, messages, form, g)
	}
	return by.by.Conversation(s.Run.Task, messages, form, g)
}
