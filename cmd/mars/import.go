package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/mars-rec/mars/tasks/datasets"
	"github.com/mars-rec/mars/tasks/datasets/formats"
)

// importFlags are what an import is told.
type importFlags struct {
	format, in, out string
	append          bool
	columns         []string
	cfg             datasets.ImportConfig
}

func importCommand(a *app) *cobra.Command {
	var f importFlags
	c := &cobra.Command{
		Use:   "import --in PATH --out DIR",
		Short: "Read an interaction log into a data set directory",
		Long: strings.TrimSpace(`
Read an interaction log, with what it says of items and users, into a data set
directory: the user-item graph, a catalog and a manifest. DIR appears whole, or
not at all. What cannot be used is dropped, counted, and told with its reason;
of a user's events with the same item the earliest stays.

With --append, DIR is there already, and what is new in the source is added to
it: interactions, with the items, users and reviews that come with them. The
rest stays as it is, what DIR says of an item or a user too, and every command
sees the new at once. Tasks, runs and stored evidence stay good unless something
was appended from before their moment; those are refused from then on. mars
graph compact DIR folds in what was appended.

Formats (gzip and zstd are read as they are):
` + formatList()),
		Example: `  mars import --in ml-latest-small --out data/ml
  mars import --format amazon-2018 --in Gift_Cards_5.json.gz --out data/gifts
  mars import --in new.csv --out data/ml --append
  mars import --format csv --in log.csv --out data/log --map user=member --map item=sku --map time=at`,
		Args: exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := need(c, "in", "out"); err != nil {
				return err
			}
			if f.append {
				for _, name := range []string{"force", "name"} {
					if c.Flags().Changed(name) {
						return hinted(usagef("--%s means nothing with --append", name), "--append adds to the data set as it is; without it, --force replaces it")
					}
				}
			}
			return a.importSource(c.Context(), f)
		},
	}
	c.Flags().StringVar(&f.format, "format", "auto", "format of the source; auto recognises it")
	c.Flags().StringVar(&f.in, "in", "", "file or folder to read")
	c.Flags().StringVar(&f.out, "out", "", "data set directory to make")
	c.Flags().StringVar(&f.cfg.Name, "name", "", "name of the data set in tasks (default: the last part of --out)")
	c.Flags().StringArrayVar(&f.columns, "map", nil, "role=column of a plain table, once per role: user, item, rating, time, review, title, categories, creators, year, text, name")
	c.Flags().StringVar(&f.cfg.TimeLayout, "time-layout", "", "how times are written, as in Go's package time: 2006-01-02 15:04")
	c.Flags().BoolVar(&f.append, "append", false, "add what is new in the source to the data set that is there")
	c.Flags().BoolVar(&f.cfg.Replace, "force", false, "replace the data set that is there")
	return c
}

// formatList describes the formats for the help.
func formatList() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, r := range formats.Readers() {
		fmt.Fprintf(w, "  %s\t%s\n", r.Name, r.About)
	}
	w.Flush()
	return strings.TrimRight(b.String(), "\n")
}

// importSource is the command.
func (a *app) importSource(ctx context.Context, f importFlags) error {
	var err error
	if f.cfg.Columns, err = columnMap(f.columns); err != nil {
		return err
	}
	if _, err := os.Stat(f.in); err != nil {
		return hinted(fmt.Errorf("--in: %w", err), "name the file or folder with the data")
	}
	reader, err := a.pickReader(f)
	if err != nil {
		return err
	}
	f.cfg.Tool = buildVersion()
	p := a.progress("import", 0, byteSize)
	var read int64
	f.cfg.Progress = func(stage string, done, total int64) {
		if stage != datasets.StageRead {
			p.Extra("writing: %s", stage)
			p.Add(0) // tell it, where there is no bar that is drawn anew
			return
		}
		p.Total(total)
		p.Add(done - read)
		read = done
	}
	if f.append {
		return a.appendSource(ctx, f, reader, p)
	}
	m, err := datasets.Import(ctx, reader, f.in, f.out, f.cfg)
	if err == nil {
		p.Extra("written")
	}
	p.Close()
	if err != nil {
		return importHint(err, f)
	}
	if err := a.print(m, func(w io.Writer) { writeManifest(w, f.out, m) }); err != nil {
		return err
	}
	a.tellNotes(m.Notes)
	a.next("mars tasks --data %s --out tasks.jsonl --gold gold.jsonl", f.out)
	return nil
}

// pickReader returns the reader of the format that is named or recognised.
func (a *app) pickReader(f importFlags) (formats.Reader, error) {
	if f.format != "auto" {
		reader, err := formats.Find(f.format)
		if err != nil {
			return reader, hinted(usagef("--format: %w", err), "see mars import --help")
		}
		return reader, nil
	}
	reader, why, err := formats.Detect(f.in)
	if err != nil {
		return reader, hinted(err, "mars import --help lists the formats")
	}
	if !a.json {
		a.notef("format: %s (%s)", reader.Name, why)
	}
	return reader, nil
}

// columnMap reads role=column pairs.
func columnMap(pairs []string) (map[string]string, error) {
	var columns map[string]string
	for _, pair := range pairs {
		role, column, ok := strings.Cut(pair, "=")
		if !ok || role == "" || column == "" {
			return nil, usagef("--map %q: want role=column, as in --map user=member", pair)
		}
		if _, twice := columns[role]; twice {
			return nil, usagef("--map names the role %s twice", role)
		}
		if columns == nil {
			columns = map[string]string{}
		}
		columns[role] = column
	}
	return columns, nil
}

// importHint adds what to do about an import that did not work.
func importHint(err error, f importFlags) error {
	var format *formats.Error
	var unusable *datasets.Unusable
	switch {
	case errors.Is(err, context.Canceled):
		return hinted(fmt.Errorf("import %s: interrupted", f.in), "nothing was written; the same command starts again")
	case errors.Is(err, datasets.ErrBusy):
		return hinted(err, "wait until it is done; the same command starts again")
	case errors.Is(err, datasets.ErrExists):
		return hinted(err, "--append adds to it, --force replaces it")
	case errors.Is(err, formats.ErrOptions):
		return hinted(usagef("%w", err), "see mars import --help")
	case errors.As(err, &unusable) && unusable.Dropped[datasets.UnknownItem] == unusable.Rows:
		return hinted(err, "the source describes items, but none of those in its rows: --map item=COLUMN says where their ids are, if not where they were looked for")
	case errors.As(err, &unusable):
		return hinted(err, "--time-layout says how times are written, --map which columns are meant")
	case errors.As(err, &format) && format.Role != "":
		return hinted(err, "--map %s=COLUMN names it", format.Role)
	case errors.As(err, &format) && f.format != "auto":
		return hinted(err, "is it the right file, whole? --format auto recognises the format")
	case errors.As(err, &format):
		return hinted(err, "is it the right file, whole? --format names the format")
	case errors.Is(err, fs.ErrPermission):
		return hinted(err, "check who may read %s and write beside %s", f.in, f.out)
	}
	return err
}

// writeManifest tells a person what was imported.
func writeManifest(w io.Writer, dir string, m datasets.Manifest) {
	n := m.Counts
	fmt.Fprintf(w, "%s: %s, %s to %s\n", filepath.Clean(dir), m.Recipe.Format, m.First.Format("2006-01-02"), m.Last.Format("2006-01-02"))
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	row := func(label string, count int, remark string) {
		fmt.Fprintf(t, "%s\t%s\t", label, thousands(int64(count)))
		if remark != "" {
			fmt.Fprintf(t, "  %s", remark)
		}
		fmt.Fprintln(t)
	}
	row("interactions", n.Interactions, rated(m.Ratings))
	row("users", n.Users, remark(n.UserRecords, "user records"))
	row("items", n.Items, remark(n.IdleItems, "without an interaction"))
	row("reviews", n.Reviews, "")
	row("rows read", n.Rows, "")
	row("dropped", n.Rows-n.Interactions, "")
	for _, reason := range droppedFor(n.Dropped) {
		row(string(reason), n.Dropped[reason], "")
	}
	t.Flush()
}

// rated says what ratings there are.
func rated(r datasets.Ratings) string {
	if r.Share == 0 {
		return "no ratings"
	}
	return fmt.Sprintf("%.1f%% rated, %g to %g", 100*r.Share, r.Min, r.Max)
}

// droppedFor returns the reasons for which something was dropped.
func droppedFor(counts map[formats.Reason]int) []formats.Reason {
	reasons := make([]formats.Reason, 0, len(counts))
	for reason, count := range counts {
		if count > 0 {
			reasons = append(reasons, reason)
		}
	}
	slices.Sort(reasons)
	return reasons
}

// remark is what is said behind a count, where there is something to say.
func remark(count int, what string) string {
	if count == 0 {
		return ""
	}
	return thousands(int64(count)) + " " + what
}
