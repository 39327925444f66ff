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
// plus outcome. [Compose] makes another one of parts and weights, written in
// YAML:
//
//	name: shaped
//	parts:
//	  format:   {weight: 1}
//	  outcome:  {weight: 1}
//	  ndcg:     {weight: 0.5, at: 10}
//	  mrr:      {weight: 0.5}
//	  grounded: {weight: 0.5}
//	  economy:  {weight: 0.1, calls: 20}
//
// The value is the sum of weight times part. Of what is not well formed, format
// is -1 and every other part is 0, so nothing can be gained by leaving the form.
// Otherwise, with r the rank, from 1, of the best placed right item (none: r is
// infinite):
//
//	format    1                                           -1 or 1
//	outcome   1 for r = 1, 2/3 to 3, 1/3 to 5, then 0      0 to 1
//	ndcg      1/log₂(1 + r) for r ≤ at, else 0             0 to 1
//	mrr       1/r                                          0 to 1
//	grounded  grounded statements / statements             0 to 1
//	economy   useful/calls · min(1, allowed/calls)         0 to 1
//
// Ndcg takes the one best right item as relevant, so its ideal is 1. A call is
// useful if no call before it had the same name and arguments and its answer is
// no error. What a statement is, and when it is grounded, says [Grounded].
//
// testdata/vectors.jsonl holds conversations with all their parts, for rewards
// in other languages; testdata/attacks.jsonl what students tried, or could, to
// be paid for nothing.
package reward

import (
	"context"
	"fmt"
	"strings"
	"unicode"

	"github.com/mars-rec/mars/eval/metric"
	"github.com/mars-rec/mars/message/phase"
	"github.com/mars-rec/mars/model"
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
	PaperVersion = "2"
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
	_, read, wrong := tell(t)
	return paper(t.Run.Task, t.Run.ID, read, wrong, g), nil
}

// Read tells the trajectory as one conversation and reads it back; the error
// is what is wrong with its form: a phase of its team that is missing, malformed
// or without a word, a call without an answer, a ranking that is not all of the candidates.
func Read(t *trajectories.Trajectory) (trajectories.Reading, error) {
	_, read, err := tell(t)
	return read, err
}

// tell is [Read] with the conversation.
func tell(t *trajectories.Trajectory) ([]model.Message, trajectories.Reading, error) {
	messages, err := trajectories.Serialize(t, trajectories.Linear{})
	if err != nil {
		return nil, trajectories.Reading{}, err
	}
	form, err := t.Form()
	if err != nil {
		return nil, trajectories.Reading{}, err
	}
	read, err := hear(t.Run.Task, messages, form)
	return messages, read, err
}

// hear reads a conversation; a phase must also say something, in letters.
func hear(task tasks.Task, messages []model.Message, form trajectories.Form) (trajectories.Reading, error) {
	read, err := trajectories.Parse(messages, task.Labels(), form)
	if err != nil {
		return read, err
	}
	said := map[string][]string{}
	if len(read.Plan.Subtasks) > 0 { // a plan has some
		said["plan"] = []string{read.Plan.Summary}
	}
	goals := func(tag string, subtasks []phase.Subtask) {
		for _, s := range subtasks {
			said[tag] = append(said[tag], s.Goal)
		}
	}
	goals("plan", read.Plan.Subtasks)
	for _, a := range read.Analyses {
		said["analysis"] = append(append(said["analysis"], a.Summary), a.Claims...)
	}
	for _, r := range read.Reflections {
		said["reflection"] = append(said["reflection"], r.Issues...)
		goals("reflection", r.Subtasks)
	}
	for _, tag := range []string{"plan", "analysis", "reflection"} {
		for _, text := range said[tag] {
			if !strings.ContainsFunc(text, unicode.IsLetter) {
				return read, fmt.Errorf("<%s> has a line without a word: %q", tag, text)
			}
		}
	}
	return read, nil
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
