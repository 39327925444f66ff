package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime"
	"slices"
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
	// Parts are the means of all parts, weighted or not.
	Parts map[string]float64 `json:"mean_parts"`
}

// scorer is a reward under the name and version that its scores are kept under.
type scorer struct {
	name, version string
	score         reward.Reward
}

func scoreCommand(a *app) *cobra.Command {
	var goldPath, rewardPath string
	c := &cobra.Command{
		Use:   "score RUN.DB --gold GOLD",
		Short: "Score trajectories by a reward and store the scores",
		Long: strings.TrimSpace(`
Score each run that is done, and keep the scores in the run store, beside the
log. The reward is that of the paper: +1 where every phase is there and well
formed and the ranking is complete, otherwise -1; and for such a run 1 where the
gold item is ranked first, 2/3 in the first three, 1/3 in the first five.

With --reward, it is a weighted sum of parts that a YAML file names, for instance

  name: shaped
  parts:
    format:   {weight: 1}
    outcome:  {weight: 1}
    ndcg:     {weight: 0.5, at: 10}
    mrr:      {weight: 0.5}
    grounded: {weight: 0.5}
    economy:  {weight: 0.1, calls: 20}

Its scores are kept under its name and a version that is a hash of the recipe,
beside those of other rewards. No model is asked. Scoring again replaces the
scores; it never changes what was said.`),
		Example: `  mars score run.db --gold gold.jsonl
  mars score run.db --gold gold.jsonl --reward reward.yaml
  mars score run.db --gold gold.jsonl --json`,
		Args: exactly("RUN.DB"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := need(c, "gold"); err != nil {
				return err
			}
			by, err := scorerOf(rewardPath)
			if err != nil {
				return err
			}
			golds, err := readGold(goldPath)
			if err != nil {
				return err
			}
			report, err := a.score(c.Context(), args[0], goldPath, golds, by)
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
	c.Flags().StringVar(&rewardPath, "reward", "", "YAML file with the parts of a reward and their weights; the paper's reward if not given")
	return c
}

// scorerOf reads a reward's recipe; without one it is the paper's reward.
func scorerOf(path string) (scorer, error) {
	c, err := composition(path)
	if c == nil {
		return scorer{reward.PaperName, reward.PaperVersion, reward.Paper}, err
	}
	return scorer{c.Name, c.Version, c.Score}, nil
}

// composition reads a reward's recipe; nil, if there is none.
func composition(path string) (*reward.Composition, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() // it was only read
	c, err := reward.Compose(f)
	if err != nil {
		return nil, hinted(usagef("%s: %w", path, err), "mars score --help shows one")
	}
	return c, nil
}

func (a *app) score(ctx context.Context, path, goldPath string, golds map[string]gold.Gold, by scorer) (report scoreReport, err error) {
	batch()
	st, err := store.Open(ctx, path, store.Config{})
	if err != nil {
		return report, storeError(err)
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	report = scoreReport{Store: path, Scorer: by.name, Version: by.version, Parts: map[string]float64{}}
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
		return by.score(ctx, t, c.Gold)
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
	for name := range report.Parts {
		report.Parts[name] /= float64(report.Scored)
	}
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
	for name, part := range s.Parts {
		if name != "rank" { // a mean of ranks says nothing: some runs have none
			r.Parts[name] += part
		}
	}
}

func writeScores(w io.Writer, r scoreReport) {
	fmt.Fprintf(w, "%s: %s runs scored by %s (version %s): mean %.3f, format %.3f, outcome %.3f; gold first in %s (%.1f%%)\n",
		r.Store, thousands(int64(r.Scored)), r.Scorer, r.Version, r.Mean, r.MeanForm, r.MeanOut, thousands(int64(r.First)), 100*float64(r.First)/float64(r.Scored))
	if len(r.Parts) > 2 {
		var more []string
		for _, name := range slices.Sorted(maps.Keys(r.Parts)) {
			if name != "format" && name != "outcome" {
				more = append(more, fmt.Sprintf("%s %.3f", name, r.Parts[name]))
			}
		}
		fmt.Fprintln(w, strings.Join(more, ", "))
	}
	if r.FormBad > 0 {
		fmt.Fprintf(w, "%s runs are not well formed; mars inspect shows their notes\n", thousands(int64(r.FormBad)))
	}
	if r.NotDone > 0 {
		fmt.Fprintf(w, "%s runs are not done and have no score\n", thousands(int64(r.NotDone)))
	}
}
