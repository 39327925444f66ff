package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mars-rec/mars/trajectories/store"
)

func verifyCommand(a *app) *cobra.Command {
	var accept bool
	c := &cobra.Command{
		Use:   "verify PATH...",
		Short: "Check that a run store, or what else mars wrote, is as it was written, and whole",
		Long: strings.TrimSpace(`
Check every message, run, score and commit of a run store against its hashes, and
the store against RUN.DB.mark, which names the last commit that was acknowledged.
So a lost write-ahead log is found, a database that was copied without it, and a
flipped bit in any message. Nothing is changed. Exit code 3: something is wrong.

Beside a run store its account RUN.DB.spend is checked, against its own hashes and
against what the store's replies took. A data set, stored evidence, an export, tasks
with the recipe beside them, and a cache of replies are checked against the hashes
that they carry.

Of several paths all are checked, whatever is found of the first; each has its line,
an object with --json.

With --accept, a store that has lost acknowledged commits, and is sound
otherwise, may be written to again: the runs that are missing are then simply not
done, and mars synth does them.`),
		Example: `  mars verify run.db
  mars verify run.db --json
  mars verify data
  mars verify data/evidence-20160808T065024Z.db
  mars verify tasks.jsonl
  mars verify data tasks.jsonl run.db sft
  mars verify run.db --accept`,
		Args: some("PATH"),
		RunE: func(c *cobra.Command, args []string) error {
			switch {
			case accept && len(args) > 1:
				return usagef("--accept is for one run store at a time")
			case accept:
				return a.accept(c, args[0])
			case len(args) == 1:
				return a.verify(c.Context(), args[0])
			}
			return a.verifyAll(c.Context(), args)
		},
	}
	c.Flags().BoolVar(&accept, "accept", false, "go on with what is left of a store that lost acknowledged commits")
	return c
}

// verifyAll checks what is at each path. What cannot be checked has its line too.
func (a *app) verifyAll(ctx context.Context, paths []string) error {
	var damaged, unread []string
	for _, path := range paths {
		err := a.verify(ctx, path)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		f := (*fault)(nil)
		switch {
		case err == nil:
		case errors.As(err, &f) && f.kind == "gate":
			damaged = append(damaged, path)
		default:
			unread = append(unread, path)
			if err := a.print(struct {
				Path  string `json:"path"`
				Error string `json:"error"`
			}{path, err.Error()}, func(w io.Writer) { fmt.Fprintf(w, "%s: not checked: %s\n", path, oneLine(err.Error())) }); err != nil {
				return err
			}
		}
	}
	switch {
	case len(damaged) > 0:
		return hinted(gatef("%d of %d are not as they were written: %s", len(damaged), len(paths), strings.Join(damaged, ", ")),
			"restore them from a backup or a copy, or make them again")
	case len(unread) > 0:
		return hinted(fmt.Errorf("%d of %d cannot be checked: %s", len(unread), len(paths), strings.Join(unread, ", ")), verifiable)
	}
	return nil
}

// verify checks what is at one path.
func (a *app) verify(ctx context.Context, path string) error {
	if files, err := verifyFiles(ctx, path); err != nil {
		return err
	} else if files != nil {
		return a.printFiles(path, files)
	}
	report, err := store.Verify(ctx, path)
	if errors.Is(err, store.ErrNotAStore) {
		return hinted(err, verifiable)
	}
	if err != nil {
		return storeError(err)
	}
	if len(report.Findings) == 0 {
		account, err := verifyAccount(ctx, path)
		if err != nil {
			return err
		}
		report.Findings = append(report.Findings, account...)
	}
	if err := a.print(struct {
		Path string `json:"path"`
		store.Report
	}{path, report}, func(w io.Writer) { writeReport(w, path, report) }); err != nil {
		return err
	}
	return verdict(path, report)
}

func writeReport(w io.Writer, path string, r store.Report) {
	for _, f := range r.Findings {
		fmt.Fprintln(w, f)
	}
	fmt.Fprintf(w, "%s: %s commits, %s runs, %s messages, %s scores checked; ", path,
		thousands(int64(r.Commits)), thousands(int64(r.Runs)), thousands(int64(r.Messages)), thousands(int64(r.Scores)))
	if len(r.Findings) == 0 {
		fmt.Fprintln(w, "all is as it was written")
		return
	}
	fmt.Fprintf(w, "%s found\n", thousands(int64(len(r.Findings))))
}

// verdict is the gate: an error if anything was found, with what to do.
func verdict(path string, r store.Report) error {
	if len(r.Findings) == 0 {
		return nil
	}
	lost := !slices.ContainsFunc(r.Findings, func(f store.Finding) bool { return !f.Lost })
	if lost {
		return hinted(gatef("%s has lost commits that were acknowledged", path),
			"restore it from a backup, or go on with what is left: mars verify %s --accept", path)
	}
	return hinted(gatef("%s is not as it was written", path), "restore it from a backup (mars backup)")
}

// accept goes on with what is left.
func (a *app) accept(c *cobra.Command, path string) error {
	missing, err := store.Accept(c.Context(), path)
	if err != nil {
		return storeError(err)
	}
	if missing == nil {
		missing = []store.Finding{}
	}
	return a.print(struct {
		Accepted []store.Finding `json:"accepted"`
	}{missing}, func(w io.Writer) {
		for _, f := range missing {
			fmt.Fprintln(w, "accepted:", f)
		}
		if len(missing) == 0 {
			fmt.Fprintf(w, "%s: nothing is missing\n", path)
		}
	})
}
