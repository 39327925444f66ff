package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/mars-rec/mars/eval"
	"github.com/mars-rec/mars/graph/rank"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tasks/datasets"
	"github.com/mars-rec/mars/tasks/gold"
	"github.com/mars-rec/mars/trajectories"
)

// evaluation is what `mars eval` is asked for.
type evaluation struct {
	gold      string
	data      string
	weights   string
	scenario  string
	baselines bool
}

// evalReport is its answer: the report, and how the runs came to their rankings.
type evalReport struct {
	Runs []evalRun `json:"runs"`
	eval.Report
}

type evalRun struct {
	Store      string `json:"store"`
	Model      string `json:"model"`
	Unanswered int    `json:"unanswered"` // cases without a ranking: misses
}

func evalCommand(a *app) *cobra.Command {
	var e evaluation
	c := &cobra.Command{
		Use:   "eval RUN.DB... --gold GOLD",
		Short: "Measure runs against what the users really took",
		Long: strings.TrimSpace(`
Measure the rankings of a run: hit rate at 1, 3 and 5 and their mean, NDCG and
MRR. With --baselines the classical rankers rank the same tasks, each strictly
as of its moment. The first run's mean hit rate is compared with that of the
others and of the rankers, paired and clustered by user, with 95% intervals. A
task of the first run that another did not answer, or failed at, is a miss.`),
		Example: `  mars eval run.db --gold gold.jsonl
  mars eval run.db --gold gold.jsonl --baselines
  mars eval fitted.db run.db --gold gold.jsonl --baselines --weights weights.json --json`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("mars eval: RUN.db is missing: usage: %s", c.UseLine())
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			if err := need(c, "gold"); err != nil {
				return err
			}
			report, err := a.evaluate(c.Context(), args, e)
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
	f.StringVar(&e.data, "data", "", "data set directory, if it is no longer where it was")
	f.StringVar(&e.scenario, "scenario", "", "measure the tasks of this scenario only")
	return c
}

func (a *app) evaluate(ctx context.Context, paths []string, e evaluation) (evalReport, error) {
	var report evalReport
	golds, err := readGold(e.gold)
	if err != nil {
		return report, err
	}
	var cases []gold.Case
	var first recorded
	var systems []eval.System
	for i, path := range paths {
		run, err := readRun(ctx, path, e.scenario)
		if err != nil {
			return report, err
		}
		if i == 0 {
			first = run
			if cases, err = pair(run.tasks, golds, e.gold); err != nil {
				return report, err
			}
		}
		if run.data != first.data {
			return report, hinted(fmt.Errorf("%s and %s were made with different data sets", paths[0], path), "measure them apart")
		}
		name := "teacher (" + run.setup.Model + ")"
		if len(paths) > 1 {
			name = path + " (" + run.setup.Model + ")"
		}
		systems = append(systems, eval.Rankings(name, run.rankings))
		report.Runs = append(report.Runs, evalRun{path, run.setup.Model, run.unanswered(cases)})
	}
	if e.baselines || e.weights != "" {
		data, err := first.setup.open(e.data)
		if err != nil {
			return report, err
		}
		defer data.Close()
		if data.Manifest().Fingerprint() != first.data {
			return report, hinted(fmt.Errorf("%s was not made with the data set %s as it is now", paths[0], data.Dir()),
				"--data names the data set that it was made with")
		}
		controls, err := e.controls(ctx, data, cases)
		if err != nil {
			return report, err
		}
		systems = append(systems, controls...)
	}
	report.Report, err = eval.Run(ctx, cases, systems, eval.Config{})
	return report, err
}

// recorded is what a run store says of its tasks.
type recorded struct {
	setup    setup
	data     string // the data set's fingerprint
	tasks    []tasks.Task
	rankings map[string][]string // of the runs that are done, by task
}

func (r recorded) unanswered(cases []gold.Case) int {
	n := 0
	for _, c := range cases {
		if r.rankings[c.Task.ID] == nil {
			n++
		}
	}
	return n
}

// readRun reads the tasks of a run store, of one scenario if it is named, and
// their rankings.
func readRun(ctx context.Context, path, scenario string) (recorded, error) {
	r := recorded{rankings: map[string][]string{}}
	st, err := openStore(ctx, path)
	if err != nil {
		return r, err
	}
	defer st.Close()
	if r.setup, err = setupOf(st); err != nil {
		return r, err
	}
	r.data = fingerprintOf(st)
	seen := map[string]bool{}
	for run, err := range st.Runs(ctx) {
		if err != nil {
			return r, err
		}
		if scenario != "" && run.Task.Scenario != scenario {
			continue
		}
		if seen[run.Task.ID] {
			return r, hinted(fmt.Errorf("%s has several runs of the task %s, and one ranking for each task is measured", path, run.Task.ID),
				"mars score gives each run its score")
		}
		seen[run.Task.ID] = true
		r.tasks = append(r.tasks, run.Task)
		if run.Status == trajectories.Done {
			r.rankings[run.Task.ID] = run.Ranking
		}
	}
	if len(r.tasks) == 0 {
		return r, fmt.Errorf("%s has no tasks to measure", path)
	}
	return r, nil
}

// pair puts each task beside its gold.
func pair(list []tasks.Task, golds map[string]gold.Gold, path string) ([]gold.Case, error) {
	cases := make([]gold.Case, len(list))
	for i, t := range list {
		var err error
		if cases[i], err = caseOf(t, golds, path); err != nil {
			return nil, err
		}
	}
	return cases, nil
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

func writeEval(w io.Writer, r evalReport) {
	fmt.Fprintf(w, "%s cases of %s users\n", thousands(int64(r.Cases)), thousands(int64(r.Users)))
	for _, run := range r.Runs {
		if run.Unanswered > 0 {
			fmt.Fprintf(w, "%s has no ranking for %s of them: they are misses\n", run.Store, thousands(int64(run.Unanswered)))
		}
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "SYSTEM\tHR@1\tHR@3\tHR@5\tMEAN HR\tNDCG@10\tMRR\tFIRST LEADS BY\tP")
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
