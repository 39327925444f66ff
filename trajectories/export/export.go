// Package export writes trajectories for those who train on them: one file of
// this package for each consumer, each an [Exporter].
//
//	run store ──Group──> filters ──> Exporter ──> train.jsonl
//	  gold  ────┘          │            │
//	                       └── counts ──┴───────> manifest.json
//
// # What a row promises
//
// An exporter checks each row before it writes it, and an export with a row
// that breaks a promise is an error, not a warning: roles alternate, each call
// has its answer, the last message is the assistant's and ends in a ranking of
// all candidates, no text looks like a token of a chat template, and the gold
// item is nowhere in what the student reads, unless as one candidate among the
// others.
//
// What is merely not wanted, say a trajectory that ranks the gold item second,
// is left out by a [Filter], and counted. Only training rows are written:
// nothing here makes a test set.
package export

import (
	"context"
	"fmt"
	"io"
	"iter"

	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/tasks/gold"
	"github.com/mars-rec/mars/trajectories"
	"github.com/mars-rec/mars/trajectories/mask"
	"github.com/mars-rec/mars/trajectories/reward"
	"github.com/mars-rec/mars/trajectories/tokenizer"
)

// Group is the trajectories of one task, with its gold.
type Group struct {
	Gold gold.Gold
	Runs []*trajectories.Trajectory
}

// Exporter writes groups in the form of one consumer. The same groups give the
// same bytes. An error of the groups, or a row that breaks a promise, ends it.
type Exporter interface {
	Export(ctx context.Context, w io.Writer, groups iter.Seq2[Group, error]) error
}

// Config is what exporters need besides trajectories.
type Config struct {
	// Tools are the tools that the student will have, in the order in which it
	// is told of them, in the words of Linear's [trajectories.Detail].
	Tools []model.ToolSpec
	// Roles are those that a plan may give work to, for the reward that stands
	// beside rows for reinforcement learning; nil: any.
	Roles []string
	// Reward is that reward; nil: the paper's.
	Reward *reward.Composition
	// Linear says how a run is told.
	Linear trajectories.Linear
	// Template is the chat template that the student is trained with; the zero
	// value is [mask.Training], which TRL takes for Qwen3.
	Template mask.Template
	// Tokenizer, if there is one, counts rows in tokens, and MaxLength is the
	// most that a row may have; 0: no limit.
	Tokenizer *tokenizer.Tokenizer
	MaxLength int
	// As is the format of the files; "": the first of those that the consumer
	// reads, see [Formats].
	As Format
	// ShardRows is the most rows that [Write] puts into one file; 0: no limit.
	ShardRows int
}

// Filter says which runs are wanted. Keep returns "" for those that are, and
// otherwise why not, in words that are equal for equal reasons.
type Filter struct {
	Name string
	Keep func(context.Context, *trajectories.Trajectory, gold.Gold) (reason string, err error)
}

// WellFormed keeps runs with every phase in its place and form.
func WellFormed() Filter {
	return Filter{"well formed", func(_ context.Context, t *trajectories.Trajectory, _ gold.Gold) (string, error) {
		if _, err := reward.Read(t); err != nil {
			return "a phase is missing or malformed", nil
		}
		return "", nil
	}}
}

// GoldFirst keeps runs that rank a right item first: the outcome filter of the
// paper.
func GoldFirst() Filter {
	return Filter{"gold first", func(_ context.Context, t *trajectories.Trajectory, g gold.Gold) (string, error) {
		if len(t.Run.Ranking) == 0 || !g.Has(t.Run.Ranking[0]) {
			return "the first of the ranking is not right", nil
		}
		return "", nil
	}}
}

// Count is what a filter did.
type Count struct {
	Filter  string         `json:"filter"`
	In      int            `json:"in"`
	Kept    int            `json:"kept"`
	Dropped map[string]int `json:"dropped,omitempty"` // by reason
}

// Select passes on the runs that all filters want, and counts in the order of
// the filters; the counts are complete when the groups have been read. A group
// without a run is left out.
func Select(ctx context.Context, groups iter.Seq2[Group, error], filters ...Filter) (iter.Seq2[Group, error], []Count) {
	counts := make([]Count, len(filters))
	for i, f := range filters {
		counts[i] = Count{Filter: f.Name, Dropped: map[string]int{}}
	}
	return func(yield func(Group, error) bool) {
		for g, err := range groups {
			if err == nil {
				g, err = sift(ctx, g, filters, counts)
			}
			if err != nil {
				yield(Group{}, err)
				return
			}
			if len(g.Runs) > 0 && !yield(g, nil) {
				return
			}
		}
	}, counts
}

func sift(ctx context.Context, g Group, filters []Filter, counts []Count) (Group, error) {
	kept := Group{Gold: g.Gold}
	for _, t := range g.Runs {
		wanted := true
		for i, f := range filters {
			counts[i].In++
			reason, err := f.Keep(ctx, t, g.Gold)
			if err != nil {
				return kept, fmt.Errorf("filter %s, run %s: %w", f.Name, t.Run.ID, err)
			}
			if wanted = reason == ""; !wanted {
				counts[i].Dropped[reason]++
				break
			}
			counts[i].Kept++
		}
		if wanted {
			kept.Runs = append(kept.Runs, t)
		}
	}
	return kept, nil
}
