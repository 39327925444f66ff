// Package reward says how good a trajectory is.
//
// A [Reward] looks at one trajectory and at what the user really took, and
// gives a [trajectories.Score]: one number, its parts, and why. Scores are kept
// beside the log, by the scorer's name and version, so that a run can be scored
// anew without touching what was said.
//
//	trajectory ──Serialize──> conversation ──Parse──> well formed?  format  +1 or -1
//	                                         ranking ──> rank of the gold ─> outcome
//
// [Paper] is the reward of the MARS and STAR paper (arXiv 2602.09829): format
// plus outcome.
package reward

import (
	"context"

	"github.com/mars-rec/mars/eval/metric"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tasks/gold"
	"github.com/mars-rec/mars/trajectories"
)

// Reward scores a trajectory. What is wrong with the trajectory is a low score
// with a note; an error means that it cannot be judged, for instance because
// the gold is that of another task.
type Reward func(context.Context, *trajectories.Trajectory, gold.Gold) (trajectories.Score, error)

// The name and version under which [Paper] scores. The version changes
// whenever the same trajectory could get another score.
const (
	PaperName    = "paper"
	PaperVersion = "1"
)

// Paper is the paper's reward, format plus outcome. Parts: "format", +1 or -1;
// "outcome", 1 where the first of the ranking is right, 2/3 where one of the
// first three is, 1/3 where one of the first five is, 0 otherwise; "rank", from
// 1, of the best placed right item, 0 where none is a candidate. A trajectory
// that is not well formed has -1 and no outcome and no rank.
func Paper(_ context.Context, t *trajectories.Trajectory, g gold.Gold) (trajectories.Score, error) {
	if err := of(t.Run.Task, t.Run.ID, g); err != nil {
		return trajectories.Score{}, err
	}
	read, wrong := Read(t)
	return paper(t.Run.Task, t.Run.ID, read, wrong, g), nil
}

// Read tells the trajectory as one conversation and reads it back; the error
// is what is wrong with its form: a phase that is missing or malformed, a call
// without an answer, a ranking that is not all of the candidates.
func Read(t *trajectories.Trajectory) (trajectories.Reading, error) {
	messages, err := trajectories.Serialize(t, trajectories.Linear{})
	if err != nil {
		return trajectories.Reading{}, err
	}
	roles, err := t.Roles()
	if err != nil {
		return trajectories.Reading{}, err
	}
	return trajectories.Parse(messages, t.Run.Task.Labels(), roles)
}

// bestRank returns the place, from 1, of the best placed right item in a ranking
// of labels, 0 if there is none.
func bestRank(task tasks.Task, labels []string, g gold.Gold) int {
	items := make([]string, len(labels))
	for i, l := range labels {
		items[i], _ = task.Item(l)
	}
	best := 0
	for _, item := range g.Items {
		if r := metric.Rank(items, item); r > 0 && (best == 0 || r < best) {
			best = r
		}
	}
	return best
}

// Outcome is the paper's outcome reward for a rank from 1; 0 is no rank.
func Outcome(rank int) float64 {
	switch {
	case rank < 1:
		return 0
	case rank == 1:
		return 1
	case rank <= 3:
		return 2. / 3
	case rank <= 5:
		return 1. / 3
	}
	return 0
}
