package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/mars-rec/mars/tasks/datasets"
	"github.com/mars-rec/mars/tasks/gold"
	"github.com/mars-rec/mars/tools/cf"
	"github.com/mars-rec/mars/tools/stored"
)

// precomputing is what `mars graph precompute` is asked for.
type precomputing struct {
	models    *modelFlags
	data      string
	asOf      string
	tasks     string
	verbalize string
	workers   int
}

// precomputed is what it came to.
type precomputed struct {
	Path string `json:"path"`
	stored.Header
	Bytes      int64     `json:"bytes"`
	Seconds    float64   `json:"seconds"`
	Verbalized *cf.Tally `json:"verbalized,omitempty"`
}

func graphPrecomputeCommand(a *app) *cobra.Command {
	var p precomputing
	c := &cobra.Command{
		Use:   "precompute",
		Short: "Store what the tools say of every item and user as of a moment",
		Long: strings.TrimSpace(`
Ask the tools, as of one moment, for the evidence of every item (item_cf) and of
every user (user_cf, user_profile, user_history), with --tasks also for how the
candidates of each task stand, and store the answers in the data set directory.
With --stored, mars tool and mars synth then answer from the file, and ask the
graph only for what is not in it. Either way the bytes are the same.

Stored evidence is of its moment: a task from before it is refused, one from
after it is told what was known at that moment.

With --verbalize a model writes each sentence anew. What it writes is checked: a
number or a title that is changed, left out, moved or added, or a claim that was
not there, and the sentence stays as it was. Accepted sentences are kept in
verbalized.db in the data set directory, so that none is paid for twice.`),
		Example: `  mars graph precompute --data data/ml --as-of q80
  mars graph precompute --data data/ml --as-of q80 --tasks late.jsonl
  mars tool item_cf '{"item":"318"}' --data data/ml --stored evidence-20160808T065024Z.db`,
		Args: exactly(),
		RunE: func(c *cobra.Command, _ []string) error { return a.precompute(c.Context(), p) },
	}
	p.models = a.addModelFlags(c)
	f := c.Flags()
	f.StringVar(&p.data, "data", "", "data set directory made by mars import")
	f.StringVar(&p.asOf, "as-of", "", "moment: 2018-01-31, a time in RFC 3339, or a quantile of the log as q80 (default: after the last interaction)")
	f.StringVar(&p.tasks, "tasks", "", "tasks whose candidates are ranked too, JSONL; none may be from before the moment")
	f.StringVar(&p.verbalize, "verbalize", "", "model that writes the sentences anew")
	f.IntVar(&p.workers, "workers", 0, "batches at work at once; 0: as many as there are processors")
	return c
}

func (a *app) precompute(ctx context.Context, p precomputing) (err error) {
	if p.data == "" {
		return usagef("--data is missing: the data set directory that mars import made")
	}
	d, err := openData(p.data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	named, id, err := toolset(d)
	if err != nil {
		return err
	}
	at, err := gold.ParseMoment(p.asOf, d.Graph())
	if err != nil {
		return usagef("--as-of: %w", err)
	}
	if at.IsZero() {
		at = d.Graph().End()
	}
	id.AsOf = at.Truncate(time.Second)
	groups, err := p.groups(ctx, d, id.AsOf)
	if err != nil {
		return err
	}
	total := 0
	for _, g := range groups {
		total += g.Count
	}
	cfg := stored.Config{Workers: p.workers}
	out := precomputed{Path: filepath.Join(d.Dir(), stored.Name(id.AsOf))}
	var tally func() cf.Tally
	if p.verbalize != "" {
		var v *verbalizer
		if v, err = p.verbalizer(ctx, d); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, v.Close()) }()
		cfg.Rewriter = p.verbalize
		cfg.Rewrite = v.Result
		tally = v.Tally
	}
	start := a.now()
	bar := a.progress("precompute", int64(total), thousands)
	cfg.Progress = func(n int) { bar.Add(int64(n)) }
	out.Header, err = stored.Precompute(ctx, d.Dir(), id, named, d, cfg, groups...)
	bar.Close()
	if err != nil {
		return err
	}
	info, err := os.Stat(out.Path)
	if err != nil {
		return err
	}
	if tally != nil {
		counts := tally()
		out.Verbalized = &counts
	}
	out.Bytes, out.Seconds = info.Size(), a.now().Sub(start).Round(time.Millisecond).Seconds()
	if err := a.print(out, func(w io.Writer) { writePrecomputed(w, out) }); err != nil {
		return err
	}
	a.next("mars tool item_cf --data %s --stored %s; mars synth --data %[1]s --stored %[2]s --tasks tasks.jsonl", p.data, filepath.Base(out.Path))
	return nil
}

// groups are the calls to make.
func (p precomputing) groups(ctx context.Context, d *datasets.Dataset, at time.Time) ([]stored.Group, error) {
	name, cut := d.Manifest().Name, d.Graph().At(at)
	groups := []stored.Group{stored.Items(name, cut), stored.Users(name, cut)}
	if p.tasks == "" {
		return groups, nil
	}
	list, err := readTasks(p.tasks)
	if err != nil {
		return nil, err
	}
	if err := fits(ctx, d, p.tasks, list...); err != nil {
		return nil, err
	}
	g, err := stored.Tasks(list, at)
	if err != nil {
		return nil, hinted(err, "give an earlier --as-of, or later tasks: mars tasks --after")
	}
	return append(groups, g), nil
}

// verbalizer is a model that writes sentences anew, and what it wrote before.
type verbalizer struct {
	*cf.Verbalizer
	*stored.Memory
}

func (p precomputing) verbalizer(ctx context.Context, d *datasets.Dataset) (*verbalizer, error) {
	if kind, _, _ := strings.Cut(p.verbalize, ":"); kind == "builtin" {
		return nil, usagef("--verbalize builtin: the rule-based teacher writes no sentences: name a language model")
	}
	m, _, err := p.models.open(p.verbalize)
	if err != nil {
		return nil, err
	}
	memory, err := stored.OpenMemory(ctx, filepath.Join(d.Dir(), "verbalized.db"))
	if err != nil {
		return nil, err
	}
	return &verbalizer{cf.NewVerbalizer(m, p.verbalize, memory), memory}, nil
}

// writePrecomputed tells a person what was stored.
func writePrecomputed(w io.Writer, p precomputed) {
	fmt.Fprintf(w, "%s: evidence as of %s, %s (%s before compression), %.1f s\n", p.Path, p.AsOf.Format(time.RFC3339), byteSize(p.Bytes), byteSize(p.Raw), p.Seconds)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, tool := range slices.Sorted(maps.Keys(p.Calls)) {
		fmt.Fprintf(t, "  %s\t%s\t\n", tool, thousands(int64(p.Calls[tool])))
	}
	t.Flush()
	if v := p.Verbalized; v != nil {
		fmt.Fprintf(w, "sentences written anew by %s: %s (%s of them before); %s kept as they were\n", p.Rewritten,
			thousands(int64(v.Rewritten)), thousands(int64(v.Cached)), thousands(int64(v.Kept)))
	}
}
