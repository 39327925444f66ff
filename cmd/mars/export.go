package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/orchestrator"
	"github.com/mars-rec/mars/tasks/gold"
	"github.com/mars-rec/mars/trajectories"
	"github.com/mars-rec/mars/trajectories/export"
	"github.com/mars-rec/mars/trajectories/store"
)

// exporting is what `mars export` is asked for.
type exporting struct {
	path, gold, consumer, out string
	all, final                bool
	count                     counting
}

func exportCommand(a *app) *cobra.Command {
	var e exporting
	c := &cobra.Command{
		Use:   "export RUN.DB --gold GOLD --out DIR",
		Short: "Write trajectories as training rows",
		Long: strings.TrimSpace(`
Tell each run as one conversation and write it in the form of a consumer: DIR gets
train.jsonl and manifest.json. Written are the runs that are done, well formed,
and rank the gold item first, as the paper filters; the manifest counts what was
left out and why. Each row is checked before it is written.

  trl-sft   supervised fine-tuning with TRL: columns messages and tools. Set
            assistant_only_loss, and a max_length that no row exceeds.

Given the student's tokenizer.json, rows are counted in tokens, as the trainer
will; with --max-length those that it would cut are left out, and counted.`),
		Example: `  mars export run.db --gold gold.jsonl --for trl-sft --out sft
  mars export run.db --gold gold.jsonl --for trl-sft --all --out everything
  mars export run.db --gold gold.jsonl --tokenizer tokenizer.json --max-length 24576 --out sft`,
		Args: exactly("RUN.DB"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := need(c, "gold", "out"); err != nil {
				return err
			}
			if !slices.Contains(export.Names(), e.consumer) {
				return usagef("--for is %q: want one of %s", e.consumer, strings.Join(export.Names(), ", "))
			}
			e.path = args[0]
			m, err := a.export(c.Context(), e)
			if err != nil {
				return err
			}
			if err := a.print(m, func(w io.Writer) { writeExport(w, e.out, m) }); err != nil {
				return err
			}
			a.next("mars eval %s --gold %s --baselines", e.path, e.gold)
			return nil
		},
	}
	f := c.Flags()
	f.StringVar(&e.gold, "gold", "", "what the users really took, made by mars tasks")
	f.StringVar(&e.consumer, "for", export.TRLSFT, "consumer: "+strings.Join(export.Names(), ", "))
	f.StringVar(&e.out, "out", "", "directory to write")
	f.BoolVar(&e.all, "all", false, "write all well-formed runs, wherever they rank the gold item")
	e.count.flags(c)
	f.BoolVar(&e.final, "final", false, "leave out what the reflector sent back, and keep the answer that came of it")
	return c
}

func (a *app) export(ctx context.Context, e exporting) (m export.Manifest, err error) {
	tpl, tk, err := e.count.load()
	if err != nil {
		return m, err
	}
	golds, err := readGold(e.gold)
	if err != nil {
		return m, err
	}
	digest, err := fileDigest(e.gold)
	if err != nil {
		return m, err
	}
	st, err := openStore(ctx, e.path)
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	setup, err := setupOf(st)
	if err != nil {
		return m, err
	}
	var filters []export.Filter
	if !e.all {
		filters = append(filters, export.GoldFirst()) // before what takes longer
	}
	filters = append(filters, export.WellFormed())
	cfg := export.Config{
		Tools: toolSpecs(setup.Team), Linear: trajectories.Linear{SkipRevised: e.final},
		Template: tpl, Tokenizer: tk, MaxLength: e.count.max,
	}
	source := export.Source{Store: filepath.Base(st.Path()), Runs: st.Manifest(), Gold: digest}
	m, err = export.Write(ctx, e.out, e.consumer, cfg, groups(ctx, st, e.gold, golds), source, filters...)
	return m, storeError(err)
}

// groups yields the runs that are done, each with its gold.
func groups(ctx context.Context, st *store.Store, path string, golds map[string]gold.Gold) iter.Seq2[export.Group, error] {
	return func(yield func(export.Group, error) bool) {
		for t, err := range st.Trajectories(ctx) {
			var g export.Group
			if err == nil {
				var c gold.Case
				c, err = caseOf(t.Run.Task, golds, path)
				g = export.Group{Gold: c.Gold, Runs: []*trajectories.Trajectory{t}}
			}
			if !yield(g, err) || err != nil {
				return
			}
		}
	}
}

// toolSpecs returns the tools that some role of a team may call, in the order
// in which tools are known; all of them where the roles name none.
func toolSpecs(team orchestrator.Team) []model.ToolSpec {
	named := map[string]bool{}
	for _, seat := range team.Seats {
		for _, name := range seat.Tools {
			named[name] = true
		}
	}
	var specs []model.ToolSpec
	for _, t := range toolbox("") {
		if len(named) == 0 || named[t.Name] {
			specs = append(specs, t.ToolSpec)
		}
	}
	return specs
}

func writeExport(w io.Writer, dir string, m export.Manifest) {
	fmt.Fprintf(w, "%s: %s rows for %s, the longest of %s\n", filepath.Join(dir, m.File), thousands(int64(m.Rows)), m.For, byteSize(int64(m.Longest)))
	if n := m.Tokens; n != nil {
		fmt.Fprintf(w, "%s tokens, %s trained, the longest row of %s\n", thousands(int64(n.All)), thousands(int64(n.Trained)), thousands(int64(n.Longest)))
	}
	for _, c := range m.Filters {
		fmt.Fprintf(w, "  %s: %s of %s kept\n", c.Filter, thousands(int64(c.Kept)), thousands(int64(c.In)))
	}
}
