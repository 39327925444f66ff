package star

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mars-rec/mars/agents"
	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/message/phase"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tools"
	"github.com/mars-rec/mars/trajectories"
)

// Student asks a model directly, without a run store: what a service does.
// It is safe for concurrent use.
type Student struct {
	Model    model.Model
	Name     string // the model's, for the record
	Tools    []tools.Named
	Sampling model.Sampling
	Clock    func() time.Time // nil: time.Now; only Meta depends on it
	Config
}

// Answer is what the student said of a task.
type Answer struct {
	Ranking    []string // items, all candidates, best first
	Trajectory *trajectories.Trajectory
}

// Recommend lets the student work on the view's task. An error means that
// there is no ranking; the trajectory, as far as it came, is in the answer all
// the same.
func (s Student) Recommend(ctx context.Context, view tasks.View) (Answer, error) {
	task := view.Task()
	if err := task.Check(); err != nil {
		return Answer{}, err
	}
	if s.Model == nil {
		return Answer{}, errors.New("star: the student has no model")
	}
	if s.Clock == nil {
		s.Clock = time.Now
	}
	set, err := tools.Open(view, s.Tools...)
	if err != nil {
		return Answer{}, err
	}
	var log trajectories.Recorder
	body, err := message.Marshal(task)
	if err != nil {
		return Answer{}, err
	}
	asked := message.Envelope{ID: message.Root, To: Kind, Kind: task.Kind(), Body: body}
	asked.Meta.Time = s.Clock()
	if err := log.Append(ctx, asked); err != nil {
		return Answer{}, err
	}
	turn := agents.NewTurn(asked, Kind, agents.Config{Log: &log, Clock: s.Clock, Model: s.Model, Name: s.Name, Sampling: s.Sampling, Tools: set})
	run := trajectories.Run{ID: task.ID, Task: task, Status: trajectories.Failed}
	ranked, err := s.Agent(view).Handle(ctx, turn)
	if err == nil {
		err = s.end(ctx, turn, &log, ranked)
	}
	if err != nil {
		run.Cause = err.Error()
		return Answer{Trajectory: log.Trajectory(run)}, err
	}
	for _, label := range ranked.(phase.Recommend).Ranking {
		item, ok := task.Item(label)
		if !ok {
			return Answer{}, fmt.Errorf("star: %s is no candidate", label)
		}
		run.Ranking = append(run.Ranking, item)
	}
	run.Status = trajectories.Done
	return Answer{run.Ranking, log.Trajectory(run)}, nil
}

// end puts the student's answer into the log.
func (s Student) end(ctx context.Context, t *agents.Turn, log message.Log, ranked message.Body) error {
	answer, err := t.Answer(ranked)
	if err != nil {
		return err
	}
	answer.Meta.Time = s.Clock()
	return log.Append(ctx, answer)
}
