package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/orchestrator"
	"github.com/mars-rec/mars/trajectories"
	"github.com/mars-rec/mars/trajectories/export"
	"github.com/mars-rec/mars/trajectories/filter"
)

// exporting is what `mars export` is asked for.
type exporting struct {
	choosing
	selection, consumer, out string
	as, split                string
	detail, reward           string
	shard, permutations      int
	seed                     int64
	all, final, force        bool
	parallel                 bool
	splits                   filter.Splits
}

func exportCommand(a *app) *cobra.Command {
	var e exporting
	c := &cobra.Command{
		Use:   "export RUN.DB... --gold GOLD --out DIR",
		Short: "Write trajectories as training rows",
		Long: strings.TrimSpace(`
Tell each run as one conversation and write it in the form of a consumer: DIR gets
the rows, a configuration that is ready to run, and manifest.json. Written are the
runs that are done, well formed, and rank the gold item first, one of each task, as
the paper filters; --all takes every well-formed run, --policy those that a policy
wants (mars select --help shows one), --selection those that mars select has
accepted. The manifest counts what was left out and why. Each row is checked before
it is written.

  trl-sft       supervised fine-tuning with TRL
  trl-grpo      prompts for GRPO with TRL: a row for each task
  verl-sft      supervised fine-tuning with verl (parquet)
  verl-rl       prompts for reinforcement learning with verl (parquet)
  llamafactory  LLaMA-Factory, in the sharegpt form
  swift         ms-swift
  axolotl       axolotl, datasets of type chat_template
  openai        OpenAI's fine-tuning files (JSON lines)
  text          one plain text with its tags, and what of it is trained

An export in the same directory is replaced when the new one is whole; if that
fails, the old one stays. Files that no export wrote are left alone, and one that
is in the way is an error.

Rows are JSON lines, or with --as parquet columns, where the consumer reads both.
--shard-rows parts them into files train-00000 and on. docs/training-data.md shows
a row of each.

--split parts the users, by a hash, so that all rows of a user are on one side; each
side is a file of its own, and the configuration points to the validation, where
its consumer takes one. --permutations writes each run under several orders of its
candidates, with all labels changed accordingly.

Given the student's tokenizer.json, rows are counted in tokens, as the trainer
will; with --max-length those that it would cut are left out, and counted.`),
		Example: `  mars export run.db --gold gold.jsonl --for trl-sft --out sft
  mars export run.db --gold gold.jsonl --for trl-sft --all --out everything
  mars export run.db --gold gold.jsonl --for verl-rl --all --reward reward.yaml --out verl
  mars export run.db --gold gold.jsonl --selection selection --out sft
  mars export run.db --gold gold.jsonl --split train=0.9,validation=0.1 --permutations 4 --out sft
  mars export run.db --gold gold.jsonl --policy grpo.yaml --outcomes student.db --for trl-grpo --out grpo
  mars export run.db --gold gold.jsonl --as parquet --shard-rows 10000 --out shards
  mars export run.db --gold gold.jsonl --tokenizer tokenizer.json --max-length 24576 --out sft`,
		Args: some("RUN.DB"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := need(c, "gold", "out"); err != nil {
				return err
			}
			e.paths = args
			if err := e.check(); err != nil {
				return err
			}
			m, err := a.export(c.Context(), e)
			if err != nil {
				return err
			}
			if err := a.print(m, func(w io.Writer) { writeExport(w, e.out, m) }); err != nil {
				return err
			}
			a.next("mars eval %s --gold %s --baselines", e.paths[0], e.gold)
			return nil
		},
	}
	e.flags(c)
	f := c.Flags()
	f.StringVar(&e.consumer, "for", export.TRLSFT, "consumer: "+strings.Join(export.Names(), ", "))
	f.StringVar(&e.reward, "reward", "", "YAML file of a reward, as mars score reads it, for the reward.py beside rows for reinforcement learning; the paper's if not given")
	f.StringVar(&e.out, "out", "", "directory to write")
	f.StringVar(&e.as, "as", "", "format of the rows, jsonl or parquet (default: what the consumer usually reads)")
	f.IntVar(&e.shard, "shard-rows", 0, "most rows in one file; 0 writes one file")
	f.BoolVar(&e.all, "all", false, "write all well-formed runs, wherever they rank the gold item")
	f.StringVar(&e.selection, "selection", "", "directory made by mars select: write the runs that it accepted")
	f.StringVar(&e.split, "split", "", "sides and their shares of the users, such as train=0.9,validation=0.1 (default all is train)")
	f.IntVar(&e.permutations, "permutations", 0, "rows of each run, each under a new order of the candidates; 0 writes one, in the order of the run")
	f.Int64Var(&e.seed, "seed", 42, "seed of splits and permutations")
	f.StringVar(&e.detail, "detail", "full", "how much the student is told: full, or, for a small student made from nothing, brief: labels and levels; raw: labels and numbers")
	f.BoolVar(&e.force, "force", false, "replace files in --out that no export wrote, or that were changed since")
	f.BoolVar(&e.final, "final", false, "leave out what the reflector sent back, and keep the answer that came of it")
	f.BoolVar(&e.parallel, "parallel-calls", false, "tell the tool calls of members who worked at once as parallel calls: a student of such rows answers in fewer turns")
	return c
}

// check refuses flags that make no sense.
func (e *exporting) check() (err error) {
	if !slices.Contains(export.Names(), e.consumer) {
		return usagef("--for is %q: want one of %s", e.consumer, strings.Join(export.Names(), ", "))
	}
	formats := export.Formats(e.consumer)
	if e.as != "" && !slices.Contains(formats, export.Format(e.as)) {
		return usagef("--as is %q: %s reads %s", e.as, e.consumer, joined(formats))
	}
	if e.reward != "" && !export.OfTasks(e.consumer) {
		return usagef("--reward is for %s and %s, which have a reward.py", export.TRLGRPO, export.VerlRL)
	}
	e.linear.SkipRevised, e.linear.Parallel = e.final, e.parallel
	if e.linear.Detail, err = trajectories.ParseDetail(e.detail); err != nil {
		return usagef("--%w", err)
	}
	if e.shard < 0 {
		return usagef("--shard-rows is %d: want 0, for one file, or more", e.shard)
	}
	if e.permutations < 0 {
		return usagef("--permutations is %d: want 0, for the order of the run, or more", e.permutations)
	}
	if e.permutations > 0 && export.OfTasks(e.consumer) {
		return usagef("--permutations: a row of %s is a task, and the environment serves it in its own order", e.consumer)
	}
	given := 0
	for _, is := range []bool{e.all, e.choosing.policy != "", e.selection != ""} {
		if is {
			given++
		}
	}
	if given > 1 {
		return usagef("give one of --all, --policy and --selection: each says which runs are written")
	}
	if e.selection != "" && len(e.outcomes) > 0 {
		return usagef("--outcomes goes to mars select, which made %s", e.selection)
	}
	if e.split != "" {
		if e.splits, err = filter.ParseSplits(e.split, e.seed); err != nil {
			return usagef("--split: %w", err)
		}
	}
	return nil
}

func (a *app) export(ctx context.Context, e exporting) (m export.Manifest, err error) {
	batch()
	policy := filter.Default()
	if e.all {
		policy = filter.Policy{Seed: policy.Seed, Valid: true}
	}
	var selected *filter.Selection
	if e.selection != "" {
		policy = filter.Policy{Seed: policy.Seed}
		if selected, err = filter.ReadSelection(e.selection); err != nil {
			return m, hinted(err, "mars select makes it")
		}
	}
	x, err := e.open(ctx, a, policy)
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, x.Close()) }()
	source := x.sources()
	var runs export.Chosen
	if selected != nil {
		runs, err = x.selected(ctx, selected)
		if err == nil {
			source.Selection, err = fileDigest(filepath.Join(e.selection, filter.AcceptedFile))
		}
	} else {
		runs, err = x.sifted(ctx)
	}
	if err != nil {
		return m, err
	}
	by, err := composition(e.reward)
	if err != nil {
		return m, err
	}
	specs, err := x.tools()
	if err != nil {
		return m, err
	}
	cfg := export.Config{
		Reward: by,
		Tools:  specs, Form: x.form(), Linear: x.config.Linear, As: export.Format(e.as), ShardRows: e.shard,
		Splits: e.splits, Permutations: e.permutations, Seed: e.seed, Force: e.force,
	}
	cfg.Template = x.template
	if x.config.Ruler != nil {
		cfg.Tokenizer = x.config.Ruler.Tokenizer
	}
	if x.policy.Length != nil {
		cfg.MaxLength = x.policy.Length.Tokens
	}
	m, err = export.Write(ctx, e.out, e.consumer, cfg, runs, source)
	if way := (*export.InTheWayError)(nil); errors.As(err, &way) {
		return m, hinted(err, "give another --out, or --force to replace it")
	}
	if errors.Is(err, export.ErrNoRows) {
		return m, hinted(fmt.Errorf("%w%s", err, whyNone(m.Filters)), "nothing was written")
	}
	return m, storeError(err)
}

// whyNone says which filter left no run, and its reasons.
func whyNone(counts []filter.Count) string {
	for _, c := range counts {
		if c.Kept > 0 {
			continue
		}
		why := fmt.Sprintf(": %s kept 0 of %s", c.Filter, thousands(int64(c.In)))
		for _, reason := range slices.Sorted(maps.Keys(c.Dropped)) {
			why += fmt.Sprintf(", %s: %s", reason, thousands(int64(c.Dropped[reason])))
		}
		return why
	}
	return ""
}

// sifted are the runs that the policy wants.
func (x *chosen) sifted(ctx context.Context) (export.Chosen, error) {
	sieve, drawn, err := x.policy.Sieve(ctx, x.config, x.groups())
	if err != nil {
		return export.Chosen{}, storeError(err)
	}
	return export.Chosen{Policy: &x.policy, Mix: drawn, Filters: sieve.Counts, Groups: sieve.Accepted(ctx, x.groups())}, nil
}

// selected are the runs that a selection has accepted, and that are not too
// long.
func (x *chosen) selected(ctx context.Context, s *filter.Selection) (export.Chosen, error) {
	if s.Gold != x.digest {
		return export.Chosen{}, hinted(usagef("the selection was made with another gold file than %s", x.choosing.gold), "give the one that mars select had")
	}
	filters := []filter.Filter{s.Filter()}
	if x.policy.Length != nil {
		filters = append(filters, filter.Tokens(*x.config.Ruler, x.policy.Length.Tokens))
	}
	missing, err := x.runs.Missing(ctx, s)
	if err != nil {
		return export.Chosen{}, storeError(err)
	}
	if missing != "" {
		return export.Chosen{}, hinted(fmt.Errorf("the selection accepts the run %s, which is not in %s as it was", missing, strings.Join(x.paths, ", ")), "give all run stores that mars select had")
	}
	sieve := filter.NewSieve(filters...)
	counts := func() []filter.Count { return append(slices.Clone(s.Filters), sieve.Counts()...) }
	return export.Chosen{Policy: &s.Policy, Mix: s.Mix, Filters: counts, Groups: sieve.Accepted(ctx, x.groups())}, nil
}

// toolSpecs returns the tools that some role of a team may call, in the order
// in which tools are known; all of them where there are no roles.
func toolSpecs(team orchestrator.Team) []model.ToolSpec {
	named := map[string]bool{}
	for _, seat := range team.Seats {
		for _, name := range seat.Tools {
			named[name] = true
		}
	}
	var specs []model.ToolSpec
	for _, t := range toolbox("") {
		if len(team.Seats) == 0 || named[t.Name] {
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
	if len(m.Splits) > 1 {
		for _, side := range m.Splits {
			fmt.Fprintf(w, "  %s: %s rows of %s users\n", side.Split, thousands(int64(side.Rows)), thousands(int64(side.Users)))
		}
	}
	writeCounts(w, m.Filters)
	writeMix(w, m.Mix)
	for _, f := range m.Beside {
		fmt.Fprintf(w, "  beside them: %s\n", filepath.Join(dir, f.Name))
	}
}
