package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/mars-rec/mars/tasks/datasets"
	"github.com/mars-rec/mars/tasks/datasets/formats"
)

// appendReport is what `mars import --append` came to.
type appendReport struct {
	Data     string            `json:"data"`
	Changed  bool              `json:"changed"` // false: the data set had all of it
	Appended datasets.Appended `json:"appended"`
	Counts   datasets.Counts   `json:"counts"` // of the data set now
}

// appendSource is the command with --append.
func (a *app) appendSource(ctx context.Context, f importFlags, reader formats.Reader, p *progress) error {
	m, added, err := datasets.Append(ctx, reader, f.in, f.out, datasets.AppendConfig{
		Tool: f.cfg.Tool, Columns: f.cfg.Columns, TimeLayout: f.cfg.TimeLayout, Progress: f.cfg.Progress,
		Early: func(n int, first time.Time) {
			a.notef("note: %s of the new interactions are from before the last in %s, the first of %s: tasks, runs and stored evidence of later moments are refused from then on",
				thousands(int64(n)), f.out, first.Format(time.RFC3339))
		},
	})
	if err == nil {
		p.Extra("written")
	}
	p.Close()
	if errors.Is(err, fs.ErrNotExist) {
		return hinted(err, "without --append, mars import makes a data set")
	}
	if err != nil {
		return importHint(err, f)
	}
	n := len(m.Appends)
	report := appendReport{f.out, n > 0 && m.Appends[n-1].SHA256 == added.SHA256 && m.Appends[n-1].Before == added.Before, added, m.Counts}
	if err := a.print(report, func(w io.Writer) { writeAppended(w, report) }); err != nil {
		return err
	}
	a.tellNotes(added.Notes)
	if report.Changed {
		a.tellAppended(m, f.out)
	}
	return nil
}

// tellAppended says what an append means for what was made before it, and what
// comes next.
func (a *app) tellAppended(m datasets.Manifest, dir string) {
	last := m.Appends[len(m.Appends)-1]
	if !last.First.IsZero() {
		a.notef("note: tasks, runs and stored evidence that were made before stay good for moments up to %s; those of later ones are refused", last.First.Format(time.RFC3339))
	}
	a.next("mars tasks --data %s --out tasks.jsonl --gold gold.jsonl; mars graph compact %[1]s folds in what was appended", dir)
}

func writeAppended(w io.Writer, r appendReport) {
	n := r.Appended.Counts
	if r.Changed {
		fmt.Fprintf(w, "%s: appended %s", filepath.Clean(r.Data), r.Appended.Recipe.Format)
		if !r.Appended.First.IsZero() {
			fmt.Fprintf(w, ", %s to %s", r.Appended.First.Format("2006-01-02"), r.Appended.Last.Format("2006-01-02"))
		}
		fmt.Fprintln(w)
	} else {
		fmt.Fprintf(w, "%s: nothing is new, it stays as it is\n", filepath.Clean(r.Data))
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	row := func(label string, count int, remark string) {
		fmt.Fprintf(t, "%s\t%s\t", label, thousands(int64(count)))
		if remark != "" {
			fmt.Fprintf(t, "  %s", remark)
		}
		fmt.Fprintln(t)
	}
	row("new interactions", n.Interactions, "now "+thousands(int64(r.Counts.Interactions)))
	if n.Earlier > 0 {
		row("earlier than those there", n.Earlier, "in the place of later ones of their pair")
	}
	row("new users", n.Users, "now "+thousands(int64(r.Counts.Users)))
	row("new items", n.Items, "now "+thousands(int64(r.Counts.Items)))
	row("new reviews", n.Reviews, "")
	row("rows read", n.Rows, "")
	row("dropped", n.Rows-n.Interactions-n.Earlier, "")
	for _, reason := range droppedFor(n.Dropped) {
		row(string(reason), n.Dropped[reason], "")
	}
	t.Flush()
}
