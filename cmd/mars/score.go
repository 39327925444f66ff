package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mars-rec/mars/tasks/gold"
	"github.com/mars-rec/mars/trajectories"
	"github.com/mars-rec/mars/trajectories/reward"
	"github.com/mars-rec/mars/trajectories/store"
)

// scoreReport is what `mars score` says.
type scoreReport struct {
	Store    string  `json:"store"`
	Scorer   string  `json:"scorer"`
	Version  string  `json:"version"`
	Scored   int     `json:"scored"`
	NotDone  int     `json:"not_done"`  // runs that have not ended with a ranking: they get no score
	FormBad  int     `json:"malformed"` // scored -1
	First    int     `json:"first"`     // runs whose gold item is ranked first
	MeanForm float64 `json:"mean_format"`
	MeanOut  float64 `json:"mean_outcome"`
	Mean     float64 `json:"mean"`
}

func scoreCommand(a *app) *cobra.Command {
	var goldPath string
	c := &cobra.Command{
		Use:   "score RUN.DB --gold GOLD",
		Short: "Score trajectories by the paper's reward and store the scores",
		Long: strings.TrimSpace(`
Score each run that is done, and keep the scores in the run store, beside the
log. The reward is that of the paper: +1 where every phase is there and well
formed and the ranking is complete, otherwise -1; and for such a run 1 where the
gold item is ranked first, 2/3 in the first three, 1/3 in the first five.

Scoring again replaces the scores; it never changes what was said.`),
		Example: `  mars score run.db --gold gold.jsonl
  mars score run.db --gold gold.jsonl --json`,
		Args: exactly("RUN.DB"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := need(c, "gold"); err != nil {
				return err
			}
			golds, err := readGold(goldPath)
			if err != nil {
				return err
			}
			report, err := a.score(c.Context(), args[0], goldPath, golds)
			if err != nil {
				return err
			}
			if err := a.print(report, func(w io.Writer) { writeScores(w, report) }); err != nil {
				return err
			}
			a.next("mars export %s --gold %s --for trl-sft --out sft", args[0], goldPath)
			return nil
		},
	}
	c.Flags().StringVar(&goldPath, "gold", "", "what the users really took, made by mars tasks")
	return c
}

func (a *app) score(ctx context.Context, path, goldPath string, golds map[string]gold.Gold) (report scoreReport, err error) {
	st, err := store.Open(ctx, path, store.Config{})
	if err != nil {
		return report, storeError(err)
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	report = scoreReport{Store: path, Scorer: reward.PaperName, Version: reward.PaperVersion}
	counts, err := st.Count(ctx)
	if err != nil {
		return report, err
	}
	total, others := done(counts)
	report.NotDone = others
	bar := a.progress("score", int64(total), thousands)
	defer bar.Close()
	const batch = 256
	var scores []trajectories.Score
	judge := func(ctx context.Context, t *trajectories.Trajectory) (trajectories.Score, error) {
		c, err := caseOf(t.Run.Task, golds, goldPath)
		if err != nil {
			return trajectories.Score{}, err
		}
		return reward.Paper(ctx, t, c.Gold)
	}
	for s, err := range store.Walk(ctx, st, runtime.GOMAXPROCS(0), judge) {
		if err != nil {
			return report, storeError(err)
		}
		report.add(s)
		if scores = append(scores, s); len(scores) == batch {
			if err := st.PutScores(ctx, scores...); err != nil {
				return report, err
			}
			scores = nil
		}
		bar.Add(1)
	}
	if report.Scored == 0 {
		return report, hinted(fmt.Errorf("%s has no run that is done", path), "mars synth makes them")
	}
	report.MeanForm, report.MeanOut, report.Mean = report.MeanForm/float64(report.Scored), report.MeanOut/float64(report.Scored), report.Mean/float64(report.Scored)
	return report, st.PutScores(ctx, scores...)
}

// add sums up; the means are divided at the end.
func (r *scoreReport) add(s trajectories.Score) {
	r.Scored++
	if s.Parts["format"] < 0 {
		r.FormBad++
	}
	if s.Parts["rank"] == 1 {
		r.First++
	}
	r.MeanForm += s.Parts["format"]
	r.MeanOut += s.Parts["outcome"]
	r.Mean += s.Value
}

func writeScores(w io.Writer, r scoreReport) {
	fmt.Fprintf(w, "%s: %s runs scored by %s (version %s): mean %.3f, format %.3f, outcome %.3f; gold first in %s (%.1f%%)\n",
		r.Store, thousands(int64(r.Scored)), r.Scorer, r.Version, r.Mean, r.MeanForm, r.MeanOut, thousands(int64(r.First)), 100*float64(r.First)/float64(r.Scored))
	if r.FormBad > 0 {
		fmt.Fprintf(w, "%s runs are not well formed; mars inspect shows their notes\n", thousands(int64(r.FormBad)))
	}
	if r.NotDone > 0 {
		fmt.Fprintf(w, "%s runs are not done and have no score\n", thousands(int64(r.NotDone)))
	}
}
