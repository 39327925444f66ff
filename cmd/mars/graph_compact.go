package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mars-rec/mars/graph"
)

func graphCompactCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "compact GRAPH.BIN",
		Short: "Fold what was appended to a graph into its snapshot",
		Long: strings.TrimSpace(`
Fold the delta beside a snapshot, GRAPH.BIN.delta, into it. Programs that have
the graph open go on with it as it was; whoever opens it, at any moment, finds
all that was appended. It needs 32 bytes of memory an interaction, beside the
old snapshot and the new.

The graph of a data set directory is sealed by its manifest: import that data
set again instead.`),
		Example: "  mars graph compact graph.bin",
		Args:    exactly("GRAPH.BIN"),
		RunE: func(c *cobra.Command, args []string) (err error) {
			path := args[0]
			manifest := filepath.Join(filepath.Dir(path), "manifest.json")
			if _, err := os.Stat(manifest); err == nil {
				return hinted(fmt.Errorf("%s belongs to the data set that %s seals", path, manifest), "import the data set again")
			}
			l, err := graph.OpenLive(path)
			if err != nil {
				return err
			}
			defer func() {
				if e := l.Close(); err == nil {
					err = e
				}
			}()
			if err := l.Compact(graph.BuildConfig{Progress: a.steps()}); err != nil {
				return err
			}
			f, err := graphInfo(path, l.Graph())
			if err != nil {
				return err
			}
			return a.print(f, func(w io.Writer) { f.write(w) })
		},
	}
}
