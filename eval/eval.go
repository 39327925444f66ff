// Package eval compares systems that rank on the same cases, strictly as of
// each case's moment.
//
//	sets of cases (one protocol,      systems                       outcome of each case
//	another seed each)                ─────────────                 ────────────────────
//	 uniform, seed 42 ─┐              runs of a teacher ─┐          rank of the true item
//	 uniform, seed 43 ─┴─ group       a student service ─┼─ Run ──> a permutation? the given
//	 popular, seed 42 ─── group       a ranking file    ─┤          order? how popular? how
//	                                  rankers, trained  ─┘          dear?
//	                                  before each block                   │
//	                                                             Results.Report ──> a table for each
//	                                                             group and scenario: means, intervals,
//	                                                             paired differences and what they carry
//
// Nothing that answers sees the gold. A case that a system does not answer is a
// miss, and counted as one. Of a ranking that names an item twice the first
// place counts, and what is no candidate takes a place: the true item has the
// rank at which it stands in the list, as in the published scoring of
// AgentSociety (gt in pred[:n]).
//
// # Blocks
//
// What must be trained is trained on what happened before a moment and is asked
// about tasks at or after it. The tasks, in the order of time, are divided into
// blocks; for each the systems are trained anew as of its first task. A ranker
// is thus at most a block older than the task, and never younger.
package eval

import (
	"context"
	"fmt"
	"time"

	"github.com/mars-rec/mars/graph"
	"github.com/mars-rec/mars/graph/rank"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tasks/gold"
)

// Question is a task that a system is asked.
type Question struct {
	Task tasks.Task

	request rank.Request // to the rankers, which share their work on it
}

// Answer is what a system says to a question.
type Answer struct {
	Ranking []string // item ids, best first; none: no answer
	Expense *Expense // nil: unknown
}

// Expense is what an answer cost, as far as it is known.
type Expense struct {
	Seconds      *float64 `json:"seconds,omitempty"` // from question to answer
	Calls        *int     `json:"calls,omitempty"`   // of models
	InputTokens  *int     `json:"input_tokens,omitempty"`
	OutputTokens *int     `json:"output_tokens,omitempty"`
	Cost         *float64 `json:"cost,omitempty"` // in dollars
}

// System is something that ranks. Several of the same name are runs of one
// system, with another seed each: it is measured by their mean, and how far they
// lie apart is told beside it.
type System struct {
	Name    string
	Control bool // what others are compared with, as tables and plots show it
	// Sets names the sets that it answers; nil: all. Of a group it answers all or
	// none.
	Sets []string
	// Rank answers a question. It is called concurrently.
	Rank func(context.Context, Question) (Answer, error)
	// Train, if not nil, makes the Rank of a block of tasks from what happened
	// before a moment.
	Train func(ctx context.Context, before time.Time) (func(context.Context, Question) (Answer, error), error)
}

func (s System) answers(set string) bool {
	if s.Sets == nil {
		return true
	}
	for _, name := range s.Sets {
		if name == set {
			return true
		}
	}
	return false
}

// Rankings is a system that has answered before: answers by task id.
func Rankings(name string, answers map[string]Answer) System {
	return System{Name: name, Rank: func(_ context.Context, q Question) (Answer, error) { return answers[q.Task.ID], nil }}
}

// Config says how systems are compared. The zero value works.
type Config struct {
	// Graph is the data as of any moment. Without it nothing is known of
	// popularity, and Full means nothing.
	Graph *graph.Graph
	// Full ranks all items that had an interaction before the task's moment and
	// that the user did not have, instead of the candidates of the task.
	Full    bool
	Measure string // what is compared, one of Measures; "": mean_hr
	Against string // the system that the others are compared with; "": the first
	Pairs   bool   // compare any two instead
	Rounds  int    // bootstrap samples and sign flips; 0: stat.DefaultRounds
	Seed    uint64 // of both
	Blocks  int    // of tasks, for what must be trained; 0: 8
	Workers int    // 0: one a processor
	// Progress, if not nil, is called when a case has been answered by so many
	// systems, of total answers. It is called concurrently.
	Progress func(answered, total int)
}

// Control is a classical ranker over the graph, cut at each task's moment. Ties
// break by item id, so they do not depend on the order of the candidates.
func Control(r rank.Ranker) System {
	return System{Name: r.Name(), Control: true, Rank: func(_ context.Context, q Question) (Answer, error) { return q.ask(r), nil }}
}

// Trained is a ranker that is trained for each block of tasks, on g as of the
// block's first. Ties break by item id.
func Trained(name string, g *graph.Graph, train func(context.Context, *graph.Cut) (rank.Learned, error)) System {
	return System{Name: name, Control: true, Train: func(ctx context.Context, before time.Time) (func(context.Context, Question) (Answer, error), error) {
		r, err := train(ctx, g.At(before))
		if err != nil {
			return nil, err
		}
		return func(_ context.Context, q Question) (Answer, error) {
			if q.Task.AsOf.Before(r.Before()) {
				return Answer{}, fmt.Errorf("%s was trained on what happened before %s: the task is as of %s",
					name, r.Before().Format(time.RFC3339), q.Task.AsOf.Format(time.RFC3339))
			}
			return q.ask(r), nil
		}, nil
	}}
}

func (q Question) ask(r rank.Ranker) Answer {
	return Answer{Ranking: rank.Order(q.request.Items, r.Score(q.request))}
}

// best returns the best rank of a gold item.
func best(ranking []string, g gold.Gold) int {
	for k, item := range ranking {
		if g.Has(item) {
			return k + 1
		}
	}
	return 0
}
