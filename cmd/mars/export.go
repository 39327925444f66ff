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
	reward                    string
	as, detail                string
	shard                     int
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
the rows, a configuration that is ready to run, and manifest.json. Written are the
runs that are done, well formed, and rank the gold item first, as the paper
filters; the manifest counts what was left out and why. Each row is checked
before it is written.

  trl-sft       supervised fine-tuning with TRL
  trl-grpo      prompts for GRPO with TRL: a row for each task
  verl-sft      supervised fine-tuning with verl (parquet)
  verl-rl       prompts for reinforcement learning with verl (parquet)
  llamafactory  LLaMA-Factory, in the sharegpt form
  swift         ms-swift
  axolotl       axolotl, datasets of type chat_template
  openai        OpenAI's fine-tuning files (JSON lines)
  text          one plain text with its tags, and what of it is trained

Rows are JSON lines, or with --as parquet columns, where the consumer reads both.
--shard-rows parts them into files train-00000 and on. docs/training-data.md shows
a row of each.

Given the student's tokenizer.json, rows are counted in tokens, as the trainer
will; with --max-length those that it would cut are left out, and counted.`),
		Example: `  mars export run.db --gold gold.jsonl --for trl-sft --out sft
  mars export run.db --gold gold.jsonl --for trl-sft --all --out everything
  mars export run.db --gold gold.jsonl --for trl-grpo --all --out grpo
  mars export run.db --gold gold.jsonl --for verl-rl --all --reward reward.yaml --out verl
  mars export run.db --gold gold.jsonl --as parquet --shard-rows 10000 --out shards
  mars export run.db --gold gold.jsonl --tokenizer tokenizer.json --max-length 24576 --out sft`,
		Args: exactly("RUN.DB"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := need(c, "gold", "out"); err != nil {
				return err
			}
			if !slices.Contains(export.Names(), e.consumer) {
				return usagef("--for is %q: want one of %s", e.consumer, strings.Join(export.Names(), ", "))
			}
			formats := export.Formats(e.consumer)
			if e.as != "" && !slices.Contains(formats, export.Format(e.as)) {
				return usagef("--as is %q: %s reads %s", e.as, e.consumer, joined(formats))
			}
			if e.reward != "" && e.consumer != export.TRLGRPO && e.consumer != export.VerlRL {
				return usagef("--reward is for %s and %s, which have a reward.py", export.TRLGRPO, export.VerlRL)
			}
			if e.shard < 0 {
				return usagef("--shard-rows is %d: want 0, for one file, or more", e.shard)
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
	f.StringVar(&e.reward, "reward", "", "YAML file of a reward, as mars score reads it, for the reward.py beside rows for reinforcement learning; the paper's if not given")
	f.StringVar(&e.out, "out", "", "directory to write")
	f.StringVar(&e.as, "as", "", "format of the rows, jsonl or parquet (default: what the consumer usually reads)")
	f.IntVar(&e.shard, "shard-rows", 0, "most rows in one file; 0 writes one file")
	f.BoolVar(&e.all, "all", false, "write all well-formed runs, wherever they rank the gold item")
	e.count.flags(c)
	f.StringVar(&e.detail, "detail", "full", "how much the student is told: full, or brief: labels and levels, for a small student made from nothing")
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
	how := trajectories.Linear{SkipRevised: e.final}
	if how.Detail, err = trajectories.ParseDetail(e.detail); err != nil {
		return m, usagef("--%w", err)
	}
	specs, err := how.Detail.Specs(toolSpecs(setup.Team))
	if err != nil {
		return m, err
	}
	var filters []export.Filter
	if !e.all {
		filters = append(filters, export.GoldFirst()) // before what takes longer
	}
	filters = append(filters, export.WellFormed())
	by, err := composition(e.reward)
	if err != nil {
		return m, err
	}
	cfg := export.Config{
		Reward: by,
		Tools:  specs, Roles: roleNames(setup.Team), Linear: how,
		Template: tpl, Tokenizer: tk, MaxLength: e.count.max,
		As: export.Format(e.as), ShardRows: e.shard,
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

// joined lists formats for an error.
func joined(formats []export.Format) string {
	names := make([]string, len(formats))
	for i, f := range formats {
		names[i] = string(f)
	}
	return strings.Join(names, " or ")
}

func writeExport(w io.Writer, dir string, m export.Manifest) {
	files := filepath.Join(dir, m.Files[0].Name)
	if n := len(m.Files); n > 1 {
		files += fmt.Sprintf(" and %s more", thousands(int64(n-1)))
	}
	longest := ""
	if m.Longest > 0 {
		longest = ", the longest of " + byteSize(int64(m.Longest))
	}
	fmt.Fprintf(w, "%s: %s rows for %s%s\n", files, thousands(int64(m.Rows)), m.For, longest)
	if n := m.Tokens; n != nil {
		fmt.Fprintf(w, "%s tokens, %s trained, the longest row of %s\n", thousands(int64(n.All)), thousands(int64(n.Trained)), thousands(int64(n.Longest)))
	}
	for _, c := range m.Filters {
		fmt.Fprintf(w, "  %s: %s of %s kept\n", c.Filter, thousands(int64(c.Kept)), thousands(int64(c.In)))
	}
	for _, f := range m.Beside {
		fmt.Fprintf(w, "  beside them: %s\n", filepath.Join(dir, f.Name))
	}
}
