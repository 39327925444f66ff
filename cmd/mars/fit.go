package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/mars-rec/mars/eval/fit"
	"github.com/mars-rec/mars/graph/rank"
	"github.com/mars-rec/mars/tasks/gold"
)

// fitFlags are what the fitting of weights is told.
type fitFlags struct {
	data, before, out string
	signals, forms    []string
	force             bool
	cfg               fit.Config
}

func fitCommand(a *app) *cobra.Command {
	var f fitFlags
	c := &cobra.Command{
		Use:   "fit --data DIR --before T0 --out WEIGHTS",
		Short: "Fit how evidence is weighed, on what happened before a moment",
		Long: strings.TrimSpace(`
Fit the fusion of the evidence: a linear listwise softmax over the signals that
the tools report, learnt from what users took before T0 and nothing after it.
Each of a user's last interactions before T0 is a training case, strictly as of
its moment, once with uniform and once with popular negatives.

By default the weights are of all signals. A student can only learn to rank by
what its teacher's team asks: --signals fits weights of these signals alone, and
--forms standard leaves out what a ranking does not show, how strong a signal is
on the whole.

The weights are used by the model builtin:WEIGHTS; a task earlier than T0 is
refused. The same data, T0 and seed make the same file.`),
		Example: `  mars fit --data data/ml --before q80 --out weights.json
  mars fit --data data/ml --before 2016-03-22T08:26:11Z --cases 5 --out weights.json
  mars fit --data data/ml --before q60 --signals item_cf,item_cf_recent,item_cf_last,user_cf,popularity --forms standard --out lean.json
  mars tasks --data data/ml --after q80 --out late.jsonl --gold late-gold.jsonl
  mars synth --data data/ml --tasks late.jsonl --model builtin:weights.json --out fitted.db`,
		Args: exactly(),
		RunE: func(c *cobra.Command, _ []string) error { return a.fit(c, f) },
	}
	flags := c.Flags()
	flags.StringVar(&f.data, "data", "", "data set directory made by mars import")
	flags.StringVar(&f.before, "before", "", "T0: 2018-01-31, a time in RFC 3339, or a quantile of the log's time as q80")
	flags.StringVar(&f.out, "out", "", "weights file to write")
	flags.BoolVar(&f.force, "force", false, "replace the weights file if it is there")
	flags.StringSliceVar(&f.signals, "signals", nil, "signals to fit, with commas (default: all)")
	flags.StringSliceVar(&f.forms, "forms", nil, "their forms: standard, value, fallback (default: standard and value, and popularity as fallback)")
	flags.IntVar(&f.cfg.Cases, "cases", 10, "last interactions of each user to learn from")
	flags.IntVar(&f.cfg.Sampling.Users, "users", 2000, "at most so many users, drawn by the seed")
	flags.IntVar(&f.cfg.Sampling.Candidates, "candidates", 20, "items of a training case, the true one included")
	flags.Int64Var(&f.cfg.Sampling.Seed, "seed", 42, "seed of users and negatives")
	flags.Float64Var(&f.cfg.Penalty, "penalty", 5, "of the squares of the weights")
	return c
}

// fit is the command.
func (a *app) fit(c *cobra.Command, f fitFlags) (err error) {
	if err := need(c, "data", "before", "out"); err != nil {
		return err
	}
	if f.cfg.Cases < 1 || f.cfg.Sampling.Users < 1 || f.cfg.Sampling.Candidates < 2 || !(f.cfg.Penalty > 0) {
		return usagef("--cases and --users are at least 1, --candidates at least 2, --penalty more than 0")
	}
	if f.cfg.Features, err = fit.Choose(f.signals, f.forms); err != nil {
		return usagef("%w", err)
	}
	if err := vacant(f.force, f.out); err != nil {
		return err
	}
	d, err := openData(f.data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	before, err := gold.ParseMoment(f.before, d.Graph())
	if err != nil {
		return usagef("--before: %w", err)
	}
	attributes, err := d.Attributes(c.Context())
	if err != nil {
		return err
	}
	f.cfg.Dataset = d.Manifest().Name
	// The work is known once the cases are drawn.
	var p *progress
	var once sync.Once
	f.cfg.OnCase = func(total int) {
		once.Do(func() { p = a.progress("fit", int64(total), thousands) })
		p.Add(1)
	}
	weights, err := fit.Fit(c.Context(), d.Graph(), attributes, before, f.cfg)
	if p != nil {
		p.Close()
	}
	if err != nil {
		return err
	}
	if err := weights.Save(f.out); err != nil {
		return err
	}
	if err := a.print(weights, func(w io.Writer) { writeWeights(w, f.out, weights) }); err != nil {
		return err
	}
	a.next("mars tasks --data %s --after %s --out late.jsonl --gold late-gold.jsonl; mars synth --data %s --tasks late.jsonl --model builtin:%s --out run.db",
		f.data, weights.Before.Format(time.RFC3339), f.data, f.out)
	return nil
}

// writeWeights tells a person what was learnt.
func writeWeights(w io.Writer, path string, weights rank.Weights) {
	p := weights.Provenance
	fmt.Fprintf(w, "%s: fitted before %s on %s cases of %s users, %s interactions, loss %.4f\n", path, weights.Before.Format(time.RFC3339),
		thousands(int64(p.Cases)), thousands(int64(p.Users)), thousands(int64(p.Interactions)), p.Loss)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "SIGNAL\tFORM\tWEIGHT")
	for _, f := range weights.Features {
		fmt.Fprintf(t, "%s\t%s\t%+.3f\n", f.Signal, f.Form, f.Weight)
	}
	t.Flush()
}
