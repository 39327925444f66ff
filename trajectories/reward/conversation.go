package reward

import (
	"fmt"

	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tasks/gold"
	"github.com/mars-rec/mars/trajectories"
)

// Conversation is [Paper] for a conversation that is told in messages already,
// as a student's is: whoever rolls out a student and whoever scores a recorded
// run get the same number from the same words. The form is that of the team.
func Conversation(task tasks.Task, messages []model.Message, form trajectories.Form, g gold.Gold) (trajectories.Score, error) {
	if err := of(task, task.ID, g); err != nil {
		return trajectories.Score{}, err
	}
	read, wrong := hear(task, messages, form)
	return paper(task, task.ID, read, wrong, g), nil
}

// Form reports what is wrong with a conversation's form, without which its
// format is -1; nil, if nothing is. It needs no gold.
func Form(task tasks.Task, messages []model.Message, form trajectories.Form) error {
	_, err := hear(task, messages, form)
	return err
}

// of checks that the gold is that of the task.
func of(task tasks.Task, run string, g gold.Gold) error {
	if err := g.Check(); err != nil {
		return fmt.Errorf("score run %s: %w", run, err)
	}
	if g.ID != task.ID {
		return fmt.Errorf("score run %s: the gold is that of task %s", run, g.ID)
	}
	return nil
}

// paper gives the paper's reward for what was read; wrong is what is wrong with
// its form.
func paper(task tasks.Task, run string, read trajectories.Reading, wrong error, g gold.Gold) trajectories.Score {
	score := trajectories.Score{Run: run, Scorer: PaperName, Version: PaperVersion}
	if wrong != nil {
		score.Value, score.Parts, score.Note = -1, map[string]float64{"format": -1, "outcome": 0}, wrong.Error()
		return score
	}
	rank := bestRank(task, read.Recommend.Ranking, g)
	outcome := Outcome(rank)
	score.Value = 1 + outcome
	score.Parts = map[string]float64{"format": 1, "outcome": outcome, "rank": float64(rank)}
	return score
}
