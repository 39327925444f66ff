package filter

import (
	"context"
	"fmt"
	"math"
	"sync"

	"github.com/mars-rec/mars/tasks/gold"
)

// Class is how hard a task is for a policy.
type Class string

// The classes, by the mean outcome reward over a policy's runs of a task: over
// 2/3, at least 1/3, less.
const (
	Easy   Class = "easy"
	Medium Class = "medium"
	Hard   Class = "hard"
)

// Outcomes is how a policy, for instance the student after supervised
// fine-tuning, did on tasks. It counts so many runs of each, by default eight,
// the first that are added. It is safe for concurrent use once all are added.
type Outcomes struct {
	samples int
	by      Scorer

	mu    sync.Mutex
	tasks map[string]*tally
}

// tally is what is known of a policy's runs of a task.
type tally struct {
	n      int
	thirds int // outcomes are 0, 1/3, 2/3 and 1, so their sum is exact
	first  float64
	varies bool
}

// NewOutcomes counts so many runs of each task (0: eight), whose rewards by are
// to vary.
func NewOutcomes(samples int, by Scorer) *Outcomes {
	if samples == 0 {
		samples = 8
	}
	return &Outcomes{samples: samples, by: by, tasks: map[string]*tally{}}
}

// Judged is what [Outcomes] need of one run.
type Judged struct {
	task           string
	outcome, value float64
}

// Judge scores a run of the policy. It may be called several at a time.
func (o *Outcomes) Judge(ctx context.Context, s *Sample, g gold.Gold) (Judged, error) {
	paper, err := s.Score(ctx, ByPaper(), g)
	if err != nil {
		return Judged{}, err
	}
	score, err := s.Score(ctx, o.by, g)
	return Judged{s.Run.Task.ID, paper.Parts["outcome"], score.Value}, err
}

// Add counts a run, unless enough of its task are counted.
func (o *Outcomes) Add(j Judged) {
	o.mu.Lock()
	defer o.mu.Unlock()
	t := o.tasks[j.task]
	if t == nil {
		t = &tally{first: j.value}
		o.tasks[j.task] = t
	}
	if t.n == o.samples {
		return
	}
	t.n++
	t.thirds += int(math.Round(3 * j.outcome))
	t.varies = t.varies || j.value != t.first
}

// Tasks is how many tasks there are runs of.
func (o *Outcomes) Tasks() int { return len(o.tasks) }

// Class returns how hard a task is, and the mean outcome; "" if there are too
// few runs of it.
func (o *Outcomes) Class(task string) (Class, float64) {
	t := o.tasks[task]
	if t == nil || t.n < o.samples {
		return "", 0
	}
	mean := float64(t.thirds) / float64(3*t.n)
	switch {
	case t.thirds > 2*t.n:
		return Easy, mean
	case t.thirds >= t.n:
		return Medium, mean
	}
	return Hard, mean
}

// Varied keeps the tasks on which a policy's rewards vary over its samples: of
// the others GRPO learns nothing, all advantages in their group being 0.
func Varied(o *Outcomes) Filter {
	few := fmt.Sprintf("there are fewer than %d samples of the policy", o.samples)
	return perTask{"rewards vary", func(task string) Drop {
		t := o.tasks[task]
		switch {
		case t == nil:
			return Drop{few, "none"}
		case t.n < o.samples:
			return Drop{few, fmt.Sprintf("%d", t.n)}
		case !t.varies:
			return Drop{fmt.Sprintf("the rewards of %d samples of the policy do not vary", o.samples), fmt.Sprintf("all are %.4g", t.first)}
		}
		return Drop{}
	}}
}

// perTask is a filter that judges tasks, not runs.
type perTask struct {
	name  string
	judge func(task string) Drop
}

// Name implements [Filter].
func (p perTask) Name() string { return p.name }

// Sift implements [Filter].
func (p perTask) Sift(_ context.Context, g Group) ([]Drop, error) {
	drops := make([]Drop, len(g.Runs))
	for i, s := range g.Runs {
		drops[i] = p.judge(s.Run.Task.ID)
	}
	return drops, nil
}
