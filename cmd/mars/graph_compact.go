package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mars-rec/mars/graph"
	"github.com/mars-rec/mars/tasks/datasets"
)

func graphCompactCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "compact DATASET",
		Short: "Fold what was appended into a data set's graph and catalog",
		Long: strings.TrimSpace(`
Fold what mars import --append added to a data set into its graph and its
catalog, so that opening and asking it cost what they cost after an import.
No answer changes: tasks, runs and stored evidence stay as good as they were.
Programs that have the data set open go on with it; whoever opens it, at any
moment, finds all that was appended. It needs 32 bytes of memory an interaction,
and room for the two files beside the old ones.

In the place of a data set there may be a GRAPH.BIN that mars graph build made:
what a program appended to it, GRAPH.BIN.delta, is folded in likewise.`),
		Example: `  mars graph compact data/ml
  mars graph compact graph.bin`,
		Args: exactly("DATASET"),
		RunE: func(c *cobra.Command, args []string) error {
			info, err := os.Stat(args[0])
			if err != nil {
				return hinted(err, "mars import makes a data set directory")
			}
			if info.IsDir() {
				return a.compactData(c.Context(), args[0])
			}
			return a.compactGraph(args[0])
		},
	}
}

// compactReport is what the compaction of a data set came to.
type compactReport struct {
	Data         string `json:"data"`
	Compacted    bool   `json:"compacted"` // false: there was nothing to fold in
	Interactions int    `json:"interactions"`
	GraphBytes   int64  `json:"graph_bytes"`
	CatalogBytes int64  `json:"catalog_bytes"`
}

func (a *app) compactData(ctx context.Context, dir string) error {
	tell := a.steps()
	shares := map[string]float64{datasets.StageGraph: 0, datasets.StageCatalog: 0.5, datasets.StageSync: 0.9}
	m, done, err := datasets.Compact(ctx, dir, datasets.CompactConfig{Progress: func(stage string, done, total int64) {
		if done == 0 {
			tell(shares[stage], stage)
		} else if done == total {
			tell(1, "done")
		}
	}})
	switch {
	case errors.Is(err, context.Canceled):
		return hinted(fmt.Errorf("compact %s: interrupted", dir), "it is as it was; the same command starts again")
	case errors.Is(err, datasets.ErrBusy):
		return hinted(err, "wait until it is done; the same command starts again")
	case errors.Is(err, fs.ErrNotExist):
		return hinted(err, "mars import makes a data set directory")
	case err != nil:
		return err
	}
	r := compactReport{dir, done, m.Counts.Interactions, m.Graph.Bytes, m.Catalog.Bytes}
	return a.print(r, func(w io.Writer) {
		what := "compacted"
		if !r.Compacted {
			what = "nothing to fold in"
		}
		fmt.Fprintf(w, "%s: %s; %s interactions, graph %s, catalog %s\n", filepath.Clean(dir), what,
			thousands(int64(r.Interactions)), byteSize(r.GraphBytes), byteSize(r.CatalogBytes))
	})
}

// compactGraph folds in the delta beside a snapshot that is of no data set.
func (a *app) compactGraph(path string) (err error) {
	dir := filepath.Dir(path)
	if _, err := os.Stat(filepath.Join(dir, "manifest.json")); err == nil {
		return hinted(fmt.Errorf("%s is the graph of the data set %s", path, dir), "mars graph compact %s folds in what was appended to it", dir)
	}
	l, err := graph.OpenLive(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	if err := l.Compact(graph.BuildConfig{Progress: a.steps()}); err != nil {
		return err
	}
	f, err := graphInfo(path, l.Graph())
	if err != nil {
		return err
	}
	return a.print(f, func(w io.Writer) { f.write(w) })
}
