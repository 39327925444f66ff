package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mars-rec/mars/trajectories"
	"github.com/mars-rec/mars/trajectories/store"
)

func inspectCommand(a *app) *cobra.Command {
	var full, masks, final, parallel bool
	var status string
	var count counting
	c := &cobra.Command{
		Use:   "inspect RUN.DB [ID]",
		Short: "List the runs of a store, or read one as a person would",
		Long: strings.TrimSpace(`
Without an ID, list the runs: task, user, scenario, status, what they cost, which
model spoke, the item that was ranked first, and scores if there are any.

With an ID, print all that was said in that run, in the order of the tree of
messages: what the model was told, what it answered, which tools it called and
what they found. Long texts are cut, and it is said where; --full shows them.

With --mask, print the run as one conversation, as the student learns from it,
with what is trained marked: by colour on a terminal, else by ⟦ and ⟧. Given the
student's tokenizer.json it is counted in tokens too, and with --max-length it
is said what a trainer that takes no more would cut off.`),
		Example: `  mars inspect run.db
  mars inspect run.db --status failed
  mars inspect run.db classic-42
  mars inspect run.db classic-42 --full --json
  mars inspect run.db classic-42 --mask --tokenizer tokenizer.json --max-length 24576`,
		Args: between(1, "RUN.DB", "ID"),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 2 && status != "" {
				return usagef("--status chooses runs of the list: leave it out, or the ID")
			}
			for _, name := range []string{"template", "tokenizer", "max-length", "final", "parallel-calls"} {
				if c.Flags().Changed(name) && !masks {
					return usagef("--%s goes with --mask", name)
				}
			}
			if masks && len(args) == 1 {
				return usagef("--mask shows one run: give its ID")
			}
			states := []trajectories.Status{trajectories.Pending, trajectories.Running, trajectories.Done, trajectories.Failed}
			if status != "" && !slices.Contains(states, trajectories.Status(status)) {
				return usagef("--status is %q: want pending, running, done or failed", status)
			}
			st, err := openStore(c.Context(), args[0])
			if err != nil {
				return err
			}
			defer st.Close()
			if len(args) == 1 {
				return storeError(a.listRuns(c.Context(), st, trajectories.Status(status)))
			}
			t, err := st.Trajectory(c.Context(), args[1])
			if err != nil {
				return storeError(err)
			}
			print := func(v any, text func(*reader)) error {
				return a.print(v, func(w io.Writer) {
					r := &reader{w: w, full: full, task: t.Run.Task}
					if colour(a.stdout) {
						r.codes = a.stdout
					}
					text(r)
				})
			}
			if !masks {
				return print(t, func(r *reader) { r.trajectory(t) })
			}
			m, err := maskOf(st, t, trajectories.Linear{SkipRevised: final, Parallel: parallel}, &count)
			if err != nil {
				return err
			}
			return print(m, m.write)
		},
	}
	c.Flags().BoolVar(&full, "full", false, "print long texts whole")
	c.Flags().BoolVar(&masks, "mask", false, "show what the student learns from, with what is trained marked")
	c.Flags().BoolVar(&final, "final", false, "with --mask: leave out what the reflector sent back")
	c.Flags().BoolVar(&parallel, "parallel-calls", false, "with --mask: calls of members who worked at once as parallel calls")
	count.flags(c)
	c.Flags().StringVar(&status, "status", "", "list only runs that are pending, running, done or failed")
	return c
}

// listRuns writes the list, a page at a time, so that its first rows do not
// wait for the last.
func (a *app) listRuns(ctx context.Context, st *store.Store, status trajectories.Status) error {
	const page = 500
	scorers, err := st.Scorers(ctx)
	if err != nil {
		return err
	}
	counts, err := st.Count(ctx)
	if err != nil {
		return err
	}
	runs := []store.Summary{}
	out := &screen{w: a.stdout}
	w := &grid{w: out}
	if !a.json {
		fmt.Fprintln(out, heading(st, counts))
		w.row(append([]string{"RUN", "USER", "SCENARIO", "STATUS", "CALLS", "TOOLS", "TOKENS", "MODEL", "TOP ITEM"}, scorers...)...)
	}
	rows := 0
	for sum, err := range st.Runs(ctx) {
		if err != nil {
			return err
		}
		if status != "" && sum.Status != status {
			continue
		}
		sum.Manifest = trajectories.Manifest{} // said once, for all
		if a.json {
			runs = append(runs, sum)
			continue
		}
		w.row(row(sum, st.Manifest(), scorers)...)
		if rows++; rows%page == 0 {
			if err := w.Flush(); err != nil {
				return err
			}
		}
	}
	if a.json {
		return a.printJSON(struct {
			Store    string                      `json:"store"`
			Manifest trajectories.Manifest       `json:"manifest"`
			Count    map[trajectories.Status]int `json:"count"`
			Runs     []store.Summary             `json:"runs"`
		}{st.Path(), st.Manifest(), counts, runs})
	}
	return w.Flush()
}

// heading says what the store holds and what made it.
func heading(st *store.Store, counts map[trajectories.Status]int) string {
	total := 0
	var parts []string
	for _, s := range []trajectories.Status{trajectories.Done, trajectories.Failed, trajectories.Running, trajectories.Pending} {
		total += counts[s]
		if counts[s] > 0 {
			parts = append(parts, fmt.Sprintf("%s %s", thousands(int64(counts[s])), s))
		}
	}
	if len(parts) == 0 {
		parts = []string{"none"}
	}
	m := st.Manifest()
	text := fmt.Sprintf("%s runs (%s), model %s, seed %d", thousands(int64(total)), strings.Join(parts, ", "), spoken(nil, m), m.Seed)
	if m.Origin != nil {
		text += fmt.Sprintf(", forked from %s of %s at %s", m.Origin.Run, m.Origin.Store, m.Origin.At)
	}
	return oneLine(text)
}

// spoken names the models that spoke in a run; before it has ended, those that
// are to.
func spoken(models []string, m trajectories.Manifest) string {
	if len(models) == 0 {
		for _, name := range m.Models {
			models = append(models, name)
		}
		slices.Sort(models)
		models = slices.Compact(models)
	}
	if len(models) == 0 {
		return "none"
	}
	return strings.Join(models, ", ")
}

// row is a run in the list.
func row(l store.Summary, m trajectories.Manifest, scorers []string) []string {
	top := "-"
	if len(l.Ranking) > 0 {
		top = l.Ranking[0]
	}
	cells := []string{l.ID, l.Task.User, l.Task.Scenario, string(l.Status),
		thousands(int64(l.Calls)), thousands(int64(l.Tools)),
		thousands(int64(l.Usage.InputTokens + l.Usage.OutputTokens)), spoken(l.Models, m), top}
	for _, name := range scorers {
		cell := "-"
		for _, s := range l.Scores {
			if s.Scorer+"/"+s.Version == name {
				cell = strconv.FormatFloat(s.Value, 'f', 3, 64)
			}
		}
		cells = append(cells, cell)
	}
	if l.Cause != "" {
		cells = append(cells, l.Cause)
	}
	for i, c := range cells {
		cells[i] = oneLine(strings.ReplaceAll(c, "\t", " "))
	}
	return cells
}
