package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mars-rec/mars/trajectories/filter"
)

// selection is what `mars select` says.
type selection struct {
	Out string `json:"out"`
	filter.Summary
	Spend *acceptedCost `json:"spend,omitempty"` // nil: not known
}

func selectCommand(a *app) *cobra.Command {
	var ch choosing
	var out string
	c := &cobra.Command{
		Use:   "select RUN.DB... --gold GOLD --out DIR",
		Short: "Choose the runs to train on, and say why not of the others",
		Long: strings.TrimSpace(`
Choose runs by what they say and by what the users really took. DIR gets

  accepted.jsonl   the runs that mars export --selection DIR writes
  rejected.jsonl   the others, each with the filter that dropped it and the reason
  more.jsonl       tasks of which no run was accepted, as mars synth --tasks takes
                   them; not there if there are none
  selection.json   the policy, and what each filter kept and dropped, by reason

Nothing is changed in the run stores, and nothing of this is ever put into a
prompt. Without --policy it is the paper's: well formed, the gold item first, one
run of each task. A policy is a YAML file; what it does not name is left out:

  seed: 42
  valid: true                      # every phase in its place and form
  gold: {top: 1}                   # a right item among the first of the ranking
  reward: {min: 1.5}               # of the paper's, or by: reward.yaml
  grounded: {min: 1}               # share of what is stated that was told
  leakage: true                    # nothing from the moment on, or of the gold
  length: {max_characters: 60000}  # or max_tokens, with --tokenizer
  duplicates: {jaccard: 0.8}       # near-duplicates in what is trained on
  best: 1                          # runs of a task, by reward
  difficulty: {mix: "3:4:3"}       # with --outcomes: tasks that are easy, medium
                                   # and hard for a policy, by eight samples of it`),
		Example: `  mars select run.db --gold gold.jsonl --out selection
  mars select run.db more.db --gold gold.jsonl --policy policy.yaml --out selection
  mars synth --data data/ml --tasks selection/more.jsonl --samples 8 --out run.db
  mars select run.db --gold gold.jsonl --policy grpo.yaml --outcomes student.db --out selection`,
		Args: some("RUN.DB"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := need(c, "gold", "out"); err != nil {
				return err
			}
			ch.paths = args
			return a.selectRuns(c.Context(), ch, out)
		},
	}
	ch.flags(c)
	c.Flags().StringVar(&out, "out", "", "directory to write")
	return c
}

func (a *app) selectRuns(ctx context.Context, ch choosing, out string) (err error) {
	batch()
	x, err := ch.open(ctx, a, filter.Default())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, x.Close()) }()
	summary := filter.Summary{Stores: names(ch.paths), Outcomes: names(ch.outcomes), Gold: x.digest, Policy: x.policy}
	if summary, err = summary.Write(ctx, out, x.config, x.groups()); err != nil {
		return storeError(err)
	}
	cost, err := costOf(ch.paths, summary.Accepted)
	if err != nil {
		return err
	}
	if err := a.print(selection{out, summary, cost}, func(w io.Writer) { writeSelection(w, out, summary); writeCost(w, cost) }); err != nil {
		return err
	}
	if summary.Accepted == 0 {
		a.notef("no run was accepted: there is nothing to export")
	} else {
		a.next("mars export %s --gold %s --selection %s --out sft", strings.Join(ch.paths, " "), ch.gold, out)
	}
	if summary.More > 0 {
		a.next("for more runs: mars synth --data %s --tasks %s --samples %d --out %s, with the model of before",
			x.setups[0].Data, filepath.Join(out, filter.MoreFile), 2*x.runs.Most(), ch.paths[0])
	}
	return nil
}

func writeSelection(w io.Writer, out string, s filter.Summary) {
	fmt.Fprintf(w, "%s: %s of %s runs accepted, of %s tasks\n", out, thousands(int64(s.Accepted)), thousands(int64(s.Runs)), thousands(int64(s.Tasks)))
	writeCounts(w, s.Filters)
	writeMix(w, s.Mix)
	if s.More > 0 {
		fmt.Fprintf(w, "%s: %s tasks without an accepted run\n", filepath.Join(out, filter.MoreFile), thousands(int64(s.More)))
	}
}
