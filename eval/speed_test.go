//go:build linux

package eval_test

import (
	"bufio"
	"context"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mars-rec/mars/eval"
	"github.com/mars-rec/mars/graph"
	"github.com/mars-rec/mars/graph/rank"
	"github.com/mars-rec/mars/tasks/gold"
)

// TestSpeed measures what docs/performance.md tells: all controls on so many
// tasks of a large graph; with MARS_EACH=1 also each by itself.
//
//	mars graph bench --size 20M --dir DIR
//	MARS_MEASURE=DIR MARS_TASKS=100000 MARS_NEGATIVES=popular go test -timeout 2h -v -run TestSpeed ./eval
func TestSpeed(t *testing.T) {
	dir := os.Getenv("MARS_MEASURE")
	if dir == "" {
		t.Skip("measures for minutes: set MARS_MEASURE to a folder with a graph.bin")
	}
	n, err := strconv.Atoi(os.Getenv("MARS_TASKS"))
	if err != nil {
		t.Fatal("MARS_TASKS:", err)
	}
	g, err := graph.Open(filepath.Join(dir, "graph.bin"))
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	start, used := time.Now(), processor(t)
	lap := func(what string) {
		t.Logf("%-24s %7.1f s, %7.1f CPU-s, peak %s", what, time.Since(start).Seconds(), processor(t)-used, peak())
		start, used = time.Now(), processor(t)
	}
	set, err := gold.LeaveLastOut("powerlaw", g, gold.Config{Negatives: gold.Negatives(os.Getenv("MARS_NEGATIVES")), Limit: n})
	if err != nil {
		t.Fatal(err)
	}
	lap(fmt.Sprintf("make %d tasks", len(set.Cases)))
	var all []eval.System
	for system := range controls(g) {
		all = append(all, system)
	}
	if os.Getenv("MARS_EACH") != "" {
		for _, s := range all {
			if _, err := eval.Run(t.Context(), []eval.Set{{Name: "s", Cases: set.Cases}}, []eval.System{s}, eval.Config{Graph: g}); err != nil {
				t.Fatal(err)
			}
			lap(s.Name)
		}
	}
	results, err := eval.Run(t.Context(), []eval.Set{{Name: "s", Cases: set.Cases, Recipe: &gold.Recipe{Config: set.Config}}}, all, eval.Config{Graph: g})
	if err != nil {
		t.Fatal(err)
	}
	lap("all, together")
	r, err := results.Report()
	if err != nil {
		t.Fatal(err)
	}
	lap("statistics")
	for _, row := range r.Groups[0].Tables[0].Rows {
		t.Logf("%-20s %.4f [%.4f, %.4f]", row.System, row.Value, row.Low, row.High)
	}
}

// controls yields the rankers that mars eval --baselines measures.
func controls(g *graph.Graph) iter.Seq[eval.System] {
	return func(yield func(eval.System) bool) {
		for _, r := range rank.Controls() {
			if !yield(eval.Control(r)) {
				return
			}
		}
		_ = yield(eval.Trained("ease", g, func(ctx context.Context, cut *graph.Cut) (rank.Learned, error) {
			return rank.TrainEASE(ctx, cut, rank.EASEConfig{})
		})) && yield(eval.Trained("ials", g, func(ctx context.Context, cut *graph.Cut) (rank.Learned, error) {
			return rank.TrainIALS(ctx, cut, rank.IALSConfig{})
		}))
	}
}

// processor returns the processor time that the process has used, in seconds.
func processor(t *testing.T) float64 {
	t.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}

// peak is the most memory that the process has had, the mapped graph included.
func peak() string {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return "unknown"
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if value, ok := strings.CutPrefix(s.Text(), "VmHWM:"); ok {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}
