package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/mars-rec/mars/eval"
	"github.com/mars-rec/mars/graph/rank"
	"github.com/mars-rec/mars/tasks/datasets"
	"github.com/mars-rec/mars/tasks/gold"
	"github.com/mars-rec/mars/trajectories"
	"github.com/mars-rec/mars/trajectories/store"
)

// evaluation is what `mars eval` is asked for.
type evaluation struct {
	gold      string
	data      string
	weights   string
	scenario  string
	baselines bool
}

// evalReport is its answer: the report, and how the run came to its rankings.
type evalReport struct {
	Store string `json:"store"`
	Model string `json:"model"`
	eval.Report
	Unanswered int `json:"unanswered"` // cases of the run without a ranking
}

func evalCommand(a *app) *cobra.Command {
	var e evaluation
	c := &cobra.Command{
		Use:   "eval RUN.db",
		Short: "Measure a run against what the users really took",
		Long: strings.TrimSpace(`
Measure the rankings of a run: hit rate at 1, 3 and 5 and their mean, NDCG and
MRR. With --baselines the classical rankers rank the same tasks, each strictly
as of its moment, and the run's mean hit rate is compared with theirs, paired
and clustered by user, with 95% intervals. A run that failed is a miss.`),
		Example: `  mars eval run.db --gold gold.jsonl
  mars eval run.db --gold gold.jsonl --baselines
  mars eval run.db --gold gold.jsonl --baselines --weights weights.json --json`,
		Args: exactly("RUN.db"),
		RunE: func(c *cobra.Command, args []string) error {
			report, err := a.evaluate(c.Context(), args[0], e)
			if err != nil {
				return err
			}
			return a.print(report, func(w io.Writer) { writeEval(w, report) })
		},
	}
	f := c.Flags()
	f.StringVar(&e.gold, "gold", "", "what the users really took, made by mars tasks")
	f.BoolVar(&e.baselines, "baselines", false, "measure the classical rankers on the same tasks")
	f.StringVar(&e.weights, "weights", "", "measure the fusion with these weights, made by mars fit, too")
	f.StringVar(&e.data, "data", "", "data set directory, if it is no longer where the run found it")
	f.StringVar(&e.scenario, "scenario", "", "measure the tasks of this scenario only")
	return c
}

func (a *app) evaluate(ctx context.Context, path string, e evaluation) (evalReport, error) {
	var report evalReport
	if e.gold == "" {
		return report, usagef("--gold is missing: the file that mars tasks made beside the tasks")
	}
	st, err := store.Open(ctx, path, store.Config{ReadOnly: true})
	if err != nil {
		return report, noStore(err)
	}
	defer st.Close()
	setup, err := setupOf(st)
	if err != nil {
		return report, err
	}
	report.Store, report.Model = path, setup.Model
	cases, rankings, err := answered(ctx, st, e)
	if err != nil {
		return report, err
	}
	report.Unanswered = len(cases) - len(rankings)
	systems := []eval.System{eval.Rankings("teacher ("+setup.Model+")", rankings)}
	if e.baselines || e.weights != "" {
		data, err := e.open(setup)
		if err != nil {
			return report, err
		}
		defer data.Close()
		controls, err := e.controls(ctx, data, cases)
		if err != nil {
			return report, err
		}
		systems = append(systems, controls...)
	}
	report.Report, err = eval.Run(ctx, cases, systems, eval.Config{})
	return report, err
}

// answered returns the cases of a run and its rankings.
func answered(ctx context.Context, st *store.Store, e evaluation) ([]gold.Case, map[string][]string, error) {
	golds, err := gold.ReadFile(e.gold)
	if err != nil {
		return nil, nil, err
	}
	var cases []gold.Case
	rankings := map[string][]string{}
	for r, err := range st.Runs(ctx) {
		if err != nil {
			return nil, nil, err
		}
		if e.scenario != "" && r.Task.Scenario != e.scenario {
			continue
		}
		g, ok := golds[r.ID]
		if !ok {
			return nil, nil, hinted(fmt.Errorf("%s has no gold for the task %s", e.gold, r.ID), "give the gold file that was made with the run's tasks")
		}
		cases = append(cases, gold.Case{Task: r.Task, Gold: g})
		if r.Status == trajectories.Done {
			rankings[r.ID] = r.Ranking
		}
	}
	if len(cases) == 0 {
		return nil, nil, fmt.Errorf("%s has no tasks to measure", st.Path())
	}
	return cases, rankings, nil
}

func (e evaluation) open(s setup) (*datasets.Dataset, error) {
	if e.data != "" {
		s.Data = e.data
	}
	data, err := datasets.Open(s.Data)
	return data, hinted(err, "--data says where the data set is")
}

// controls returns the classical rankers, and the fusion if it is asked for.
func (e evaluation) controls(ctx context.Context, data *datasets.Dataset, cases []gold.Case) ([]eval.System, error) {
	var systems []eval.System
	if e.baselines {
		for _, r := range rank.Controls() {
			systems = append(systems, eval.Control(r, data.Graph()))
		}
	}
	if e.weights == "" {
		return systems, nil
	}
	weights, err := rank.Load(e.weights)
	if err != nil {
		return nil, err
	}
	for _, c := range cases {
		if err := weights.CheckTask(c.Task.AsOf); err != nil {
			return nil, fmt.Errorf("task %s: %w", c.Task.ID, err)
		}
	}
	attributes, err := data.Attributes(ctx)
	if err != nil {
		return nil, err
	}
	return append(systems, eval.Control(rank.Fused("fitted fusion", weights, attributes), data.Graph())), nil
}

// noStore adds to an error of opening a run store what to do.
func noStore(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return hinted(err, "mars synth makes a run store")
	}
	return err
}

func writeEval(w io.Writer, r evalReport) {
	fmt.Fprintf(w, "%s by %s: %s cases of %s users", r.Store, r.Model, thousands(int64(r.Cases)), thousands(int64(r.Users)))
	if r.Unanswered > 0 {
		fmt.Fprintf(w, ", %s of them without a ranking (misses)", thousands(int64(r.Unanswered)))
	}
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "SYSTEM\tHR@1\tHR@3\tHR@5\tMEAN HR\tNDCG@10\tMRR\tTEACHER LEADS BY\tP")
	for _, row := range r.Rows {
		fmt.Fprintf(t, "%s\t%.3f\t%.3f\t%.3f\t%.3f\t%.3f\t%.3f", row.System, row.HR1, row.HR3, row.HR5, row.MeanHR, row.NDCG10, row.MRR)
		if c := row.Against; c != nil {
			fmt.Fprintf(t, "\t%+.3f [%+.3f, %+.3f]\t%s\n", c.Difference, c.Low, c.High, probability(c.P))
		} else {
			fmt.Fprintln(t)
		}
	}
	t.Flush()
	if len(r.Rows) > 1 {
		fmt.Fprintln(w, "The lead is in mean HR at 1, 3 and 5, with its 95% interval, paired by case and clustered by user.")
	}
}

// probability writes a p-value as far as the number of permutations carries it.
func probability(p float64) string {
	if p < 0.001 {
		return "<0.001"
	}
	return fmt.Sprintf("%.3f", p)
}
