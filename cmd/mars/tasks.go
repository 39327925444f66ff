package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/mars-rec/mars/tasks/datasets"
	"github.com/mars-rec/mars/tasks/gold"
)

// tasksFlags are what the making of tasks is told.
type tasksFlags struct {
	data, protocol, out, gold string
	scenario, after, before   string
	in, truth                 string
	force                     bool
	apart                     bool
	cfg                       gold.Config
}

func tasksCommand(a *app) *cobra.Command {
	var f tasksFlags
	c := &cobra.Command{
		Use:   "tasks --data DIR --out TASKS --gold GOLD",
		Short: "Make ranking tasks out of a data set, answers in a file of their own",
		Long: strings.TrimSpace(`
Make ranking tasks out of a data set: a user, a moment, and candidates of which
one is what the user really took next. The answers go to a separate file; how
the tasks were made goes to a recipe beside them. The same data, seed and flags
make the same bytes. docs/tasks.md defines protocols and scenarios.

Protocols:
  leave-last-out  each user's last interaction is the answer, its time is as_of
  agentsociety    reads task_N.json from --in and groundtruth_N.json from --truth

Scenarios (several with commas):
  classic          5 or more interactions before as_of (--min-history)
  cold-start-user  1 to 4
  cold-start-item  the true item has none before as_of (--cold-degree)
  evolving-long    classic, and 5 or more in the 90 days before (--min-window)
  evolving-short   classic, and 5 or more in the 7 days before
  all              the first three: each user's last interaction once

To train a student on some tasks and test it on others, part them by a moment and
keep their users apart: --before T0 --apart leaves out users who go on at T0, and
--after T0 takes what only they did.`),
		Example: `  mars tasks --data data/ml --out tasks.jsonl --gold gold.jsonl
  mars tasks --data data/ml --protocol leave-last-out --scenario classic --negatives popular --candidates 20 --seed 42 --out tasks.jsonl --gold gold.jsonl
  mars tasks --data data/ml --scenario all --after q80 --out late.jsonl --gold late-gold.jsonl
  mars tasks --data data/ml --after q60 --before q80 --apart --per-user 60 --negatives both --out train.jsonl --gold train-gold.jsonl
  mars tasks --data data/ml --after q80 --per-user 6 --out test.jsonl --gold test-gold.jsonl
  mars tasks --data data/yelp --protocol agentsociety --in tasks --truth groundtruth --out tasks.jsonl --gold gold.jsonl`,
		Args: exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := need(c, "data", "out", "gold"); err != nil {
				return err
			}
			return a.makeTasks(f, c.Flags().Changed)
		},
	}
	flags := c.Flags()
	flags.StringVar(&f.data, "data", "", "data set directory made by mars import")
	flags.StringVar(&f.protocol, "protocol", "leave-last-out", "leave-last-out or agentsociety")
	flags.StringVar(&f.scenario, "scenario", "classic", "scenarios, or all; for agentsociety, what the tasks are called")
	flags.StringVar((*string)(&f.cfg.Negatives), "negatives", string(gold.Uniform), "uniform; popular: by popularity as of as_of; or both: each task twice")
	flags.StringVar((*string)(&f.cfg.Pool), "pool", string(gold.Available), "available: items with an interaction before as_of; all: reproduces published protocols")
	flags.IntVar(&f.cfg.Candidates, "candidates", 20, "candidates of a task, the true one included")
	flags.Uint64Var(&f.cfg.Seed, "seed", 42, "seed of negatives, order and limit")
	flags.IntVar(&f.cfg.MinHistory, "min-history", 5, "interactions before as_of of a classic task")
	flags.IntVar(&f.cfg.MinWindow, "min-window", 5, "interactions in the window of an evolving task")
	flags.IntVar(&f.cfg.ColdDegree, "cold-degree", 0, "up to so many interactions an item is a cold start")
	flags.StringVar(&f.after, "after", "", "only tasks at or after: 2018-01-31, a time in RFC 3339, or a quantile as q80")
	flags.StringVar(&f.before, "before", "", "only tasks before; the last interaction before it is the true one")
	flags.BoolVar(&f.apart, "apart", false, "with --before, leave out users who have an interaction at or after it")
	flags.IntVar(&f.cfg.PerUser, "per-user", 1, "tasks of a user, at most: one for each of the last moments")
	flags.IntVar(&f.cfg.Limit, "limit", 0, "at most so many users, drawn by the seed (default: all)")
	flags.StringVar(&f.in, "in", "", "folder of published tasks (agentsociety)")
	flags.StringVar(&f.truth, "truth", "", "folder of published ground truth (agentsociety)")
	flags.StringVar(&f.out, "out", "", "task file to write")
	flags.BoolVar(&f.force, "force", false, "replace the files if they are there")
	flags.StringVar(&f.gold, "gold", "", "gold file to write: the answers")
	return c
}

// makeTasks is the command. Changed tells which flags were given.
func (a *app) makeTasks(f tasksFlags, changed func(string) bool) error {
	if err := f.check(changed); err != nil {
		return err
	}
	if err := vacant(f.force, f.out, f.gold); err != nil {
		return err
	}
	d, err := openData(f.data)
	if err != nil {
		return err
	}
	recipe, made, err := f.save(d)
	if err = errors.Join(err, d.Close()); err != nil {
		return err
	}
	if err := a.print(recipe, func(w io.Writer) { writeRecipe(w, f.out, recipe, made) }); err != nil {
		return err
	}
	a.tellNotes(recipe.Notes)
	a.next("mars synth --data %s --tasks %s --model builtin --out run.db", f.data, f.out)
	return nil
}

// check refuses flags that are missing or mean nothing together.
func (f *tasksFlags) check(changed func(string) bool) error {
	const hint = "see mars tasks --help"
	switch {
	case filepath.Clean(f.out) == filepath.Clean(f.gold):
		return hinted(usagef("--out and --gold name one file"), "whoever ranks must not see the answers: name two files")
	case f.protocol != "leave-last-out" && f.protocol != "agentsociety":
		return hinted(usagef("--protocol is %q: want leave-last-out or agentsociety", f.protocol), hint)
	case f.protocol == "agentsociety" && (f.in == "" || f.truth == ""):
		return hinted(usagef("protocol agentsociety needs --in TASKS_DIR and --truth DIR"), hint)
	}
	other := []string{"in", "truth"}
	if f.protocol == "agentsociety" {
		other = []string{"negatives", "pool", "candidates", "seed", "min-history", "min-window", "cold-degree", "after", "before", "apart", "per-user", "limit"}
	}
	for _, name := range other {
		if changed(name) {
			return hinted(usagef("--%s means nothing with protocol %s", name, f.protocol), hint)
		}
	}
	if f.protocol == "agentsociety" {
		if !changed("scenario") {
			f.scenario = "agentsociety"
		}
		return nil
	}
	if f.cfg.Candidates == 0 || f.cfg.MinHistory == 0 || f.cfg.MinWindow == 0 || f.cfg.PerUser == 0 {
		return usagef("--candidates, --min-history, --min-window and --per-user are at least 1")
	}
	if f.apart && f.before == "" {
		return hinted(usagef("--apart without --before: users are kept apart by a moment"), hint)
	}
	var err error
	if f.cfg.Scenarios, err = gold.ParseScenarios(f.scenario, f.cfg.Pool); err == nil {
		err = f.cfg.Check()
	}
	if err != nil {
		return hinted(usagef("%w", err), hint)
	}
	return nil
}

// save makes the tasks and writes them.
func (f *tasksFlags) save(d *datasets.Dataset) (recipe gold.Recipe, made int, err error) {
	m, g := d.Manifest(), d.Graph()
	recipe = gold.Recipe{Dataset: m.Name, Data: m.Fingerprint()}
	var set *gold.Set
	if f.protocol == "agentsociety" {
		recipe.Source = []string{filepath.Base(f.in), filepath.Base(f.truth)}
		set, err = gold.AgentSociety(m.Name, g, gold.Scenario(f.scenario), f.in, f.truth)
	} else {
		for _, bound := range []struct {
			flag, text string
			at         *time.Time
		}{{"after", f.after, &f.cfg.After}, {"before", f.before, &f.cfg.Before}} {
			if *bound.at, err = gold.ParseMoment(bound.text, g); err != nil {
				return recipe, 0, usagef("--%s: %w", bound.flag, err)
			}
		}
		f.cfg.Apart = f.apart
		if err := f.cfg.Check(); err != nil {
			return recipe, 0, usagef("%w", err)
		}
		set, err = gold.LeaveLastOut(m.Name, g, f.cfg)
	}
	if err != nil {
		return recipe, 0, err
	}
	if len(set.Cases) == 0 {
		return recipe, 0, hinted(fmt.Errorf("no task: %s", reasons(set.Counts)), "nothing was written; ask for another scenario or time, or for fewer candidates")
	}
	recipe, err = set.Save(f.out, f.gold, recipe)
	return recipe, len(set.Cases), err
}

// reasons says in one line why there is no task.
func reasons(c gold.Counts) string {
	var out []string
	for _, reason := range slices.Sorted(maps.Keys(c.Skipped)) {
		out = append(out, fmt.Sprintf("%d skipped (%s)", c.Skipped[reason], reason))
	}
	if len(out) == 0 {
		return "the data are empty"
	}
	return strings.Join(out, ", ")
}

// writeRecipe tells a person what was made.
func writeRecipe(w io.Writer, path string, r gold.Recipe, made int) {
	unit := "tasks"
	if made == 1 {
		unit = "task"
	}
	fmt.Fprintf(w, "%s: %s %s, %s", path, thousands(int64(made)), unit, r.Protocol)
	if c := r.Config; c != nil {
		fmt.Fprintf(w, ", %d candidates, %s negatives, pool %s, seed %d", c.Candidates, c.Negatives, c.Pool, c.Seed)
	}
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, s := range slices.Sorted(maps.Keys(r.Counts.Tasks)) {
		remark := ""
		if n := r.Counts.OffDegree; n > 0 && s == gold.ColdStartItem {
			remark = fmt.Sprintf("  %s negatives of another degree than the true item", thousands(int64(n)))
		}
		fmt.Fprintf(t, "%s\t%s\t%s\n", s, thousands(int64(r.Counts.Tasks[s])), remark)
	}
	for _, reason := range slices.Sorted(maps.Keys(r.Counts.Skipped)) {
		fmt.Fprintf(t, "skipped\t%s\t  %s\n", thousands(int64(r.Counts.Skipped[reason])), reason)
	}
	t.Flush()
}
