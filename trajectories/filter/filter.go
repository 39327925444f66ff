// Package filter says which trajectories a student is trained on.
//
// A [Filter] looks at the runs of one task and says of each whether it is kept,
// or dropped and why. A [Sieve] puts them one behind the other and counts what
// each did, by reason:
//
//	runs of a task     valid   gold   grounded  duplicates  best
//	  t1               ─────>  ─────>  ──────>  ──────────> ────>  accepted
//	  t1~2             ─────>  ✗ the right item is not in the first 1
//	  t1~3             ✗ a phase is missing or malformed
//
// Which filters there are, and in which order they stand, is a [Policy], a few
// lines of YAML. The zero value of each setting leaves its filter out:
//
//	seed: 42
//	valid: true                      # every phase in its place and form
//	gold: {top: 1}                   # a right item among the first of the ranking
//	reward: {min: 1.5}               # of the paper's reward, or by: FILE
//	grounded: {min: 1}               # share of what is stated that was told
//	leakage: true                    # nothing from the moment on, or of the gold
//	length: {max_characters: 60000}  # or max_tokens
//	duplicates: {jaccard: 0.8}       # of what the student is trained on
//	best: 1                          # runs of a task, by reward
//	difficulty: {mix: "3:4:3"}       # by a policy's own runs of the same tasks
//
// Filters see the gold, agents do not: what they say is never put into a prompt.
// A run that is dropped stays in its store.
//
// # The same bytes
//
// The same runs, gold, policy and seed give the same verdicts, in the order of
// the runs. Runs are read and judged several at a time; what depends on the runs
// before (near-duplicates) is decided one by one, in order.
package filter

import (
	"context"

	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tasks/gold"
)

// Group is the runs of one task that are done, with its gold.
type Group struct {
	Task tasks.Task
	Gold gold.Gold
	Runs []*Sample
}

// Load reads the runs of one task. It may be called more than once, and several
// of them at a time.
type Load func(context.Context) (Group, error)

// Drop says why a run is not wanted. The zero Drop says that it is.
type Drop struct {
	Reason string // in words that are equal for equal reasons
	Detail string // what is particular to this run, for a person; may be ""
}

// Filter says which runs of a task are wanted. Sift returns a Drop for each run
// of the group, in order. A run that cannot be judged by what it says is
// dropped; an error is of the world around it, and ends the work. Filters are
// safe for concurrent use, unless they are a [Rememberer].
type Filter interface {
	Name() string
	Sift(ctx context.Context, g Group) ([]Drop, error)
}

// Rememberer is a filter whose verdicts depend on the runs that were accepted
// before. It is called for one group after another, and told of each run that
// all filters have kept.
type Rememberer interface {
	Filter
	Accepted(*Sample)
}

// Each makes a filter that judges each run by itself.
func Each(name string, judge func(context.Context, *Sample, gold.Gold) (Drop, error)) Filter {
	return each{name, judge}
}

type each struct {
	name  string
	judge func(context.Context, *Sample, gold.Gold) (Drop, error)
}

func (e each) Name() string { return e.name }

func (e each) Sift(ctx context.Context, g Group) ([]Drop, error) {
	drops := make([]Drop, len(g.Runs))
	for i, s := range g.Runs {
		var err error
		if drops[i], err = e.judge(ctx, s, g.Gold); err != nil {
			return nil, err
		}
	}
	return drops, nil
}
