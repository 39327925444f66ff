package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mars-rec/mars/tasks/datasets/world"
)

// demonstration is what `mars demo` is asked for.
type demonstration struct {
	out   string
	force bool
	seed  int64
	users int
}

func demoCommand(a *app) *cobra.Command {
	var d demonstration
	c := &cobra.Command{
		Use:   "demo",
		Short: "Do the whole job on a generated world of books, offline",
		Long: strings.TrimSpace(`
Do the whole job, from a log to training rows, on a world of books that is made
up on the spot: readers with tastes that drift, series, authors, newcomers. Each
step is a command that is shown and that works on your own data too. Nothing
leaves the machine; the teacher is builtin, which is rule-based and no language
model. How it weighs its evidence is fitted on the first four fifths of the log;
it is asked, and measured, about the last.`),
		Example: "  mars demo\n  mars demo --out demo --force --seed 7",
		Args:    exactly(),
		RunE:    func(c *cobra.Command, _ []string) error { return a.demo(c.Context(), d) },
	}
	f := c.Flags()
	f.StringVar(&d.out, "out", "demo", "folder for everything that the demo makes")
	f.BoolVar(&d.force, "force", false, "replace the folder if it is there")
	f.Int64Var(&d.seed, "seed", 42, "seed of the world and of the tasks")
	f.IntVar(&d.users, "users", 600, "readers in the world")
	return c
}

// marker is a file that says that a folder was made by the demo, so that
// nothing else is ever replaced.
const marker = ".mars-demo"

func (a *app) demo(ctx context.Context, d demonstration) error {
	start := a.now()
	if d.users < 100 {
		return usagef("--users is %d: want 100 or more, or there is nothing to learn from", d.users)
	}
	if err := d.prepare(); err != nil {
		return err
	}
	in := func(name string) string { return filepath.Join(d.out, name) }
	a.notef("A world of books, seed %d: %s", d.seed, in("source"))
	made, err := world.Write(in("source"), world.Config{Seed: uint64(d.seed), Users: d.users})
	if err != nil {
		return err
	}
	a.notef("%s readers, %s books, %s readings and ratings", thousands(int64(made.Users)), thousands(int64(made.Items)), thousands(int64(made.Interactions)))
	seed := strconv.FormatInt(d.seed, 10)
	for _, step := range [][]string{
		{"import", "--format", "agentsociety", "--in", in("source"), "--out", in("data")},
		{"fit", "--data", in("data"), "--before", "q80", "--seed", seed, "--out", in("weights.json")},
		{"tasks", "--data", in("data"), "--after", "q80", "--per-user", "3", "--seed", seed, "--out", in("tasks.jsonl"), "--gold", in("gold.jsonl")},
		{"synth", "--data", in("data"), "--tasks", in("tasks.jsonl"), "--model", "builtin:" + in("weights.json"), "--seed", seed, "--out", in("run.db")},
		{"replay", in("run.db")},
		{"score", in("run.db"), "--gold", in("gold.jsonl")},
		{"export", in("run.db"), "--gold", in("gold.jsonl"), "--for", "trl-sft", "--out", in("sft")},
		{"eval", in("run.db"), "--gold", in("gold.jsonl"), "--baselines"},
	} {
		if err := a.step(ctx, step); err != nil {
			return err
		}
	}
	a.notef("\nAll of it took %.0f s and is in %s.", a.now().Sub(start).Seconds(), d.out)
	a.next("mars inspect %s, then your own data: mars import --help", in("run.db"))
	return nil
}

// step shows a command and runs it.
func (a *app) step(ctx context.Context, args []string) error {
	a.notef("\n$ mars %s", strings.Join(args, " "))
	if a.json {
		args = append(args, "--json")
	}
	root := a.root()
	root.SetArgs(args)
	a.guided = true
	defer func() { a.guided = false }()
	if err := root.ExecuteContext(ctx); err != nil {
		return fmt.Errorf("mars %s: %w", args[0], err)
	}
	return nil
}

// prepare makes the demo's folder.
func (d demonstration) prepare() error {
	if _, err := os.Stat(d.out); err == nil {
		if _, err := os.Stat(filepath.Join(d.out, marker)); err != nil {
			return hinted(fmt.Errorf("%s is there and was not made by the demo", d.out), "give another folder with --out")
		}
		if !d.force {
			return hinted(fmt.Errorf("%s is there from an earlier demo", d.out), "give --force to replace it, or another folder with --out")
		}
		if err := os.RemoveAll(d.out); err != nil {
			return err
		}
	} else if !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(d.out, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(d.out, marker), nil, 0o644)
}
