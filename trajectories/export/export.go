// Package export writes trajectories for those who train on them: one file of
// this package for each consumer, each an [Exporter].
//
//	run stores ──Group──> filters ──> split ──> Exporter ──> train.jsonl
//	  gold  ─────┘          │         by user      │    └──> validation.jsonl
//	                        └── counts ────────────┴───────> manifest.json
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
// is left out by the filters of package filter, and counted. [filter.Splits] part users,
// never rows. [Config.Permutations] writes each run under several orders of its
// candidates.
package export

import (
	"context"
	"io"
	"iter"
	"runtime"

	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/trajectories"
	"github.com/mars-rec/mars/trajectories/filter"
	"github.com/mars-rec/mars/trajectories/mask"
	"github.com/mars-rec/mars/trajectories/reward"
	"github.com/mars-rec/mars/trajectories/tokenizer"
)

// Group is the runs of one task, with its gold.
type Group = filter.Group

// Exporter writes groups in the form of one consumer. The same groups give the
// same bytes. Several runs are told at a time, so each is in the groups once: a
// [filter.Sample] is not safe for concurrent use. An error of the groups, or a row that breaks a promise, ends it.
type Exporter interface {
	Export(ctx context.Context, w io.Writer, groups iter.Seq2[Group, error]) error
}

// Config is what exporters need besides trajectories.
type Config struct {
	// Tools are the tools that the student will have, in the order in which it
	// is told of them, in the words of Linear's [trajectories.Detail].
	Tools []model.ToolSpec
	// Form is which conversation is well formed, for the reward that stands
	// beside rows for reinforcement learning; of no roles: a plan may give work
	// to any.
	Form trajectories.Form
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
	// Splits are the sides that [Write] parts users into; none: all is train.
	Splits filter.Splits
	// Permutations is how many rows [Write] makes of a run, each under an order
	// of its candidates that Seed and the run's id make; 0: one, under the order
	// of the run. Consumers whose rows are tasks take none: the environment
	// serves a task in its own order.
	Permutations int
	Seed         int64
	// Force lets [Write] replace files that no export wrote.
	Force bool
	// AtOnce is how many rows are made at a time, each told, checked and encoded
	// by a goroutine of its own, and so how many are in memory; 0: two for each
	// processor. The files do not depend on it.
	AtOnce int
}

func (cfg Config) atOnce() int {
	if cfg.AtOnce > 0 {
		return cfg.AtOnce
	}
	return 2 * runtime.GOMAXPROCS(0)
}
