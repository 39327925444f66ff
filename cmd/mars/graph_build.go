package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mars-rec/mars/graph"
)

func graphBuildCommand(a *app) *cobra.Command {
	var log, out string
	var workers int
	var force bool
	c := &cobra.Command{
		Use:   "build --log LOG.BIN --out GRAPH.BIN",
		Short: "Build a graph from a binary log",
		Long: strings.TrimSpace(`
Build a graph snapshot from a binary log. The log is a header of 24 bytes and
rows of 12 or 13, little-endian:

  "marsglog" | version u32, 1 | bytes a row u32 | base i64, in Unix seconds
  user u32 | item u32 | time u32, in seconds since the base [ | rating u8 ]

Users and items are numbered from 0 without gaps; a rating is in tenths of a
star, 0 for none. Rows come in any order; those in the order of time are built
from faster. Of a user's events with the same item the earliest stays.

The log is mapped; beside it and the graph a build needs 36 bytes a row.`),
		Example: "  mars graph build --log log.bin --out graph.bin",
		Args:    exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := need(c, "log", "out"); err != nil {
				return err
			}
			if _, err := os.Stat(out); err == nil && !force {
				return hinted(fmt.Errorf("%s is there already", out), "give another --out, or --force to replace it")
			}
			return a.buildGraph(c.Context(), log, out, workers)
		},
	}
	c.Flags().StringVar(&log, "log", "", "binary log to read")
	c.Flags().StringVar(&out, "out", "", "snapshot to write")
	c.Flags().IntVar(&workers, "workers", 0, "threads that build (default: one for each processor)")
	c.Flags().BoolVar(&force, "force", false, "replace the snapshot that is there")
	return c
}

func (a *app) buildGraph(_ context.Context, log, out string, workers int) error {
	start := a.now()
	g, err := graph.BuildConfig{Workers: workers, Progress: a.steps()}.BuildLog(log)
	if err != nil {
		return err
	}
	if err := g.Save(out); err != nil {
		return err
	}
	info, err := graphInfo(out, g)
	if err != nil {
		return err
	}
	took := a.now().Sub(start).Seconds()
	return a.print(struct {
		graphFacts
		Seconds float64 `json:"seconds"`
	}{info, took}, func(w io.Writer) {
		info.write(w)
		fmt.Fprintf(w, "built and saved in %.1f s\n", took)
	})
}

// steps tells the steps of a long work, one line each.
func (a *app) steps() func(done float64, what string) {
	return func(done float64, what string) {
		if !a.json {
			a.notef("%3.0f%% %s", 100*done, what)
		}
	}
}

// graphFacts is what is told of a snapshot.
type graphFacts struct {
	Path         string    `json:"path"`
	Users        int       `json:"users"`
	Items        int       `json:"items"`
	Interactions int       `json:"interactions"`
	From         time.Time `json:"from,omitzero"`
	End          time.Time `json:"end,omitzero"` // a second after the last
	Bytes        int64     `json:"bytes"`
	PerPair      float64   `json:"bytes_per_interaction"`
	Verified     bool      `json:"verified"`
}

func graphInfo(path string, g *graph.Graph) (graphFacts, error) {
	info, err := os.Stat(path)
	if err != nil {
		return graphFacts{}, err
	}
	f := graphFacts{Path: path, Users: g.Users(), Items: g.Items(), Interactions: g.Interactions(), Bytes: info.Size()}
	if f.Interactions > 0 {
		f.From, f.End = g.Quantile(0), g.End()
		f.PerPair = float64(int(100*float64(f.Bytes)/float64(f.Interactions))) / 100
	}
	return f, nil
}

func (f graphFacts) write(w io.Writer) {
	fmt.Fprintf(w, "%s: %s users, %s items, %s interactions\n", f.Path, thousands(int64(f.Users)), thousands(int64(f.Items)), thousands(int64(f.Interactions)))
	if f.Interactions > 0 {
		fmt.Fprintf(w, "from %s to %s\n", f.From.Format(time.RFC3339), f.End.Add(-time.Second).Format(time.RFC3339))
		fmt.Fprintf(w, "%s, %.2f bytes an interaction\n", byteSize(f.Bytes), f.PerPair)
	}
}

func graphInfoCommand(a *app) *cobra.Command {
	var verify bool
	c := &cobra.Command{
		Use:   "info GRAPH.BIN",
		Short: "Say what a graph snapshot holds, and check it",
		Long: strings.TrimSpace(`
Say what a graph snapshot holds; of that of a data set, without what was
appended since (mars graph compact folds it in). A snapshot of up to 32 MB is always checked
whole; of a longer one only the head, unless --verify asks for every byte.`),
		Example: "  mars graph info data/ml/graph.bin --verify",
		Args:    exactly("GRAPH.BIN"),
		RunE: func(c *cobra.Command, args []string) error {
			if info, err := os.Stat(args[0]); err == nil && info.IsDir() {
				return hinted(usagef("%s is a folder, not a graph snapshot", args[0]), "in a data set it is %s", filepath.Join(args[0], "graph*.bin"))
			}
			g, err := graph.Open(args[0])
			if err != nil {
				return err
			}
			defer g.Close()
			if verify {
				if err := g.Verify(); err != nil {
					return gatef("%v", err)
				}
			}
			f, err := graphInfo(args[0], g)
			if err != nil {
				return err
			}
			f.Verified = verify || f.Bytes <= graph.CheckedWhole
			return a.print(f, func(w io.Writer) {
				f.write(w)
				if f.Verified {
					fmt.Fprintln(w, "every byte is as it was written")
				}
			})
		},
	}
	c.Flags().BoolVar(&verify, "verify", false, "check every byte")
	return c
}
