package main

import (
	"strings"

	"github.com/spf13/cobra"
)

// graphCommand is the parent of what is done with the user-item graph.
func graphCommand(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "graph",
		Short: "Look into the user-item graph, build and measure it",
		Long: strings.TrimSpace(`
Look into the user-item graph of a data set, as of any moment.`),
		Example: "  mars graph draw --data data/ml --user 42 --item 318 --out why.svg",
		Args:    knownCommand,
		RunE:    func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(graphDrawCommand(a), graphPrecomputeCommand(a), graphBuildCommand(a), graphInfoCommand(a), graphCompactCommand(a), graphBenchCommand(a))
	return c
}
