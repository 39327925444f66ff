package main

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mars-rec/mars/eval"
	"github.com/mars-rec/mars/eval/report"
	"github.com/mars-rec/mars/eval/stat"
)

// evaluation is what `mars eval` is asked for.
type evaluation struct {
	gold, tasks []string
	data        string
	weights     string
	scenario    string
	out         string
	force       bool
	baselines   bool
	controls    []string
	prices      []string
	cfg         eval.Config
}

func evalCommand(a *app) *cobra.Command {
	var e evaluation
	c := &cobra.Command{
		Use:   "eval SYSTEM... --gold GOLD...",
		Short: "Measure systems against what the users really took",
		Long: strings.TrimSpace(`
Measure systems on the same tasks, each strictly as of its moment: hit rates,
NDCG, MRR, whether rankings are permutations, what they cost, coverage, popularity
and position bias, for each scenario and in all. The first system is compared
with the others, paired and clustered by user, with 95% intervals, corrected for
all that are compared; a difference that the sample cannot tell from none is
marked "?". A task that a system did not answer, or failed at, is a miss.

A SYSTEM is [NAME=]SOURCE[@SET]. SOURCE is one of
  run.db            a run store made by mars synth
  rankings.jsonl    lines of {"id": TASK, "ranking": [ITEM, ...]}
  http://HOST       a service that answers POST /v1/recommend
Sources of the same NAME are runs of one system, with other seeds.

--baselines adds the classical rankers, EASE and a matrix factorisation among
them; what must be trained is trained on what happened before each block of
tasks. --weights adds the fusion with fitted weights.

With one --gold and a run, the tasks are those of the first run. With several,
the tasks are those beside each gold file, or given by as many --tasks; sets
that differ in their seed alone are shown as one, and the kinds of negatives
side by side, with a last table of all together. SET, a task file's name without .jsonl, tells for which of them a
ranking file is where their ids are the same.

--out writes the results as data: results.json with its schema, every case as
CSV and parquet, tables as Markdown and LaTeX, plots as SVG and PNG.`),
		Example: `  mars eval run.db --gold gold.jsonl
  mars eval run.db --gold gold.jsonl --baselines --out results
  mars eval fitted.db run.db --gold gold.jsonl --baselines --weights weights.json --json
  mars eval teacher=uniform.db teacher=popular.db --gold uniform-gold.jsonl --gold popular-gold.jsonl --baselines
  mars eval star=http://127.0.0.1:8080 --gold gold.jsonl --data data/ml --baselines`,
		RunE: func(c *cobra.Command, args []string) error {
			if err := e.check(args); err != nil {
				return err
			}
			if e.out != "" {
				if err := vacant(e.force, filepath.Join(e.out, report.ResultsFile)); err != nil {
					return err
				}
			}
			r, err := a.evaluate(c.Context(), args, e)
			if err != nil {
				return err
			}
			if e.out != "" {
				if err := report.Write(e.out, r.results, r.Report, e.force); err != nil {
					return err
				}
			}
			if err := a.print(r, func(w io.Writer) { writeEval(w, r) }); err != nil {
				return err
			}
			if e.out != "" {
				a.notef("%s: results.json, cases.csv, cases.parquet, tables.md, tables.tex, plots", e.out)
			}
			return nil
		},
	}
	f := c.Flags()
	f.StringArrayVar(&e.gold, "gold", nil, "what the users really took, made by mars tasks; may be given many times")
	f.StringArrayVar(&e.tasks, "tasks", nil, "the tasks of each --gold, in their order; those beside it if not given")
	f.BoolVar(&e.baselines, "baselines", false, "measure the classical rankers on the same tasks")
	f.StringSliceVar(&e.controls, "controls", nil, "measure only these of them, by name, with commas")
	f.StringVar(&e.weights, "weights", "", "measure the fusion with these weights, made by mars fit, too")
	f.StringVar(&e.data, "data", "", "data set directory, if it is no longer where it was")
	f.StringVar(&e.scenario, "scenario", "", "measure the tasks of this scenario only")
	f.BoolVar(&e.cfg.Full, "full", false, "rank all items that were there and that the user did not have, not the candidates; without runs")
	f.StringVar(&e.cfg.Measure, "measure", eval.Measures()[0], "what is compared: "+strings.Join(eval.Measures(), ", "))
	f.StringVar(&e.cfg.Against, "against", "", "the system that the others are compared with (default: the first)")
	f.BoolVar(&e.cfg.Pairs, "pairs", false, "compare any two")
	f.IntVar(&e.cfg.Rounds, "rounds", stat.DefaultRounds, "bootstrap samples and sign flips")
	f.Uint64Var(&e.cfg.Seed, "seed", 42, "seed of both")
	f.IntVar(&e.cfg.Blocks, "blocks", 8, "of tasks in the order of time: rankers are trained anew for each")
	f.StringArrayVar(&e.prices, "price", nil, "MODEL=IN/OUT in dollars for a million tokens, to tell what runs cost; may be given many times")
	f.StringVar(&e.out, "out", "", "folder for the results as data, tables and plots")
	f.BoolVar(&e.force, "force", false, "replace the results that are in the folder")
	return c
}

// check refuses flags that are missing or mean nothing together.
func (e *evaluation) check(args []string) error {
	e.baselines = e.baselines || len(e.controls) > 0
	switch {
	case len(args) == 0 && !e.baselines && e.weights == "":
		return usagef("mars eval: SYSTEM is missing: give a run, a ranking file or a service, or --baselines; see mars eval --help")
	case len(e.gold) == 0:
		return hinted(usagef("--gold is missing: what the users really took, made by mars tasks"), "see mars eval --help")
	case len(e.tasks) > 0 && len(e.tasks) != len(e.gold):
		return usagef("%d --tasks and %d --gold: give one for each", len(e.tasks), len(e.gold))
	case !slices.Contains(eval.Measures(), e.cfg.Measure):
		return usagef("--measure is %q: want one of %s", e.cfg.Measure, strings.Join(eval.Measures(), ", "))
	case e.cfg.Rounds < 1 || e.cfg.Blocks < 1:
		return usagef("--rounds and --blocks are at least 1")
	case e.cfg.Pairs && e.cfg.Against != "":
		return usagef("--pairs compares any two: leave --against out")
	}
	return nil
}

// evalReport is the command's answer: the report, and how the runs came to their
// rankings.
type evalReport struct {
	Runs []evalRun `json:"runs"`
	eval.Report
	results *eval.Results
}

// evaluate measures.
func (a *app) evaluate(ctx context.Context, args []string, e evaluation) (_ evalReport, err error) {
	var r evalReport
	sources, err := parseSources(args)
	if err != nil {
		return r, err
	}
	field, err := a.field(ctx, sources, e)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, field.Close()) }()
	cfg := e.cfg
	if field.data != nil {
		cfg.Graph = field.data.Graph()
	}
	p := a.progress("eval", 0, thousands)
	cfg.Progress = func(answered, total int) {
		p.Total(int64(total))
		p.Add(int64(answered))
	}
	r.results, err = eval.Run(ctx, field.sets, field.systems, cfg)
	p.Close()
	if err != nil {
		return r, err
	}
	r.Runs = field.runs
	r.Report, err = r.results.Report()
	return r, hinted(err, "see mars eval --help")
}
