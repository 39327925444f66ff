package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mars-rec/mars/graph/powerlaw"
)

func graphBenchCommand(a *app) *cobra.Command {
	var size, dir string
	var seed uint64
	var cfg powerlaw.Config
	c := &cobra.Command{
		Use:   "bench [--size 20M]",
		Short: "Measure the graph on a log of any size",
		Long: strings.TrimSpace(`
Make a log with a power law, the same for the same size and seed, build a graph
of it, and measure: how fast it is built, opened and checked, how long it is,
and how long queries take, in processor time, about items and users drawn
uniformly and by popularity, without a cut-off and as of random moments.

A log of 100M needs 5 GB of memory and 4 GB of disk while it is made.`),
		Example: "  mars graph bench --size 1M --seed 1",
		Args:    exactly(),
		RunE: func(c *cobra.Command, _ []string) (err error) {
			n, err := count(size)
			if err != nil {
				return usagef("--size: %v", err)
			}
			if dir == "" {
				if dir, err = os.MkdirTemp("", "mars-bench-"); err != nil {
					return err
				}
				defer os.RemoveAll(dir)
			} else if err := os.MkdirAll(dir, 0o755); err != nil {
				return err
			}
			cfg.Progress = a.steps()
			r, err := powerlaw.Run(dir, powerlaw.Sized(n, seed), cfg)
			if err != nil {
				return err
			}
			return a.print(r, func(w io.Writer) {
				fmt.Fprintf(w, "%s interactions, %s users, %s items, seed %d; %d processors, %s\n",
					thousands(int64(r.Pairs)), thousands(int64(r.Shape.Users)), thousands(int64(r.Shape.Items)), seed, r.CPUs, r.Go)
				fmt.Fprintf(w, "build %.2f s, %.2f s of processor time (%.1fM interactions/s), save %.2f s, open and first answer %.2f ms, verify %.2f s\n",
					r.Build.Seconds(), r.BuildCPU.Seconds(), r.PerSecond/1e6, r.Save.Seconds(), r.Open.Seconds()*1000, r.Verify.Seconds())
				fmt.Fprintf(w, "%s, %.2f bytes an interaction\n", byteSize(r.Bytes), r.PerPair)
				for _, m := range r.Measurements {
					fmt.Fprintln(w, m)
				}
			})
		},
	}
	c.Flags().StringVar(&size, "size", "1M", "interactions: a number, or with k or M")
	c.Flags().Uint64Var(&seed, "seed", 1, "seed of the log and of the queries")
	c.Flags().StringVar(&dir, "dir", "", "folder for log.bin and graph.bin, which stay (default: a temporary one)")
	c.Flags().IntVar(&cfg.Queries, "queries", 1000, "queries of each kind")
	c.Flags().IntVar(&cfg.Workers, "workers", 0, "threads that build (default: one for each processor)")
	return c
}

// count reads a number such as 20M.
func count(s string) (int, error) {
	digits, times := s, 1
	for suffix, n := range map[string]int{"k": 1000, "M": 1_000_000} {
		if d, ok := strings.CutSuffix(s, suffix); ok {
			digits, times = d, n
		}
	}
	n, err := strconv.Atoi(digits)
	if err != nil || n < 1 || n > 1_000_000 && times > 1 {
		return 0, fmt.Errorf("%q is no number such as 500k or 20M", s)
	}
	return n * times, nil
}
