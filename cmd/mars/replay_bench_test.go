package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// BenchmarkReplay replays stores of 200 runs of a small generated world by the
// command, one at a time and one for each processor. It tells trajectories a
// second of the clock and of processor time, the collector's included, and what
// a trajectory allocates. The teams are that of the program, one whose runs have
// the calls that frameworks are compared by, 11 of a model and 4 of a tool, and
// the lean one of the student's recipe.
func BenchmarkReplay(b *testing.B) {
	const runs = 200
	lean, err := filepath.Abs(filepath.Join("..", "..", "star", "trainer", "lean.yaml"))
	if err != nil {
		b.Fatal(err)
	}
	smallWorld(b, strconv.Itoa(runs))
	if err := os.WriteFile("eleven.yaml", []byte(eleven), 0o600); err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		team string
		args []string
	}{{"whole", nil}, {"eleven", []string{"--team", "eleven.yaml"}}, {"lean", []string{"--team", lean}}} {
		out := c.team + ".db"
		mars(b, append([]string{"synth", "--data", "data", "--tasks", "tasks.jsonl", "--out", out}, c.args...)...)
		for _, atOnce := range []int{1, runtime.GOMAXPROCS(0)} {
			b.Run(fmt.Sprint(c.team, "/concurrency=", atOnce), func(b *testing.B) {
				var was, is runtime.MemStats
				runtime.ReadMemStats(&was)
				before := cpu(b)
				for b.Loop() {
					mars(b, "replay", out, "--concurrency", strconv.Itoa(atOnce))
				}
				used := cpu(b) - before
				runtime.ReadMemStats(&is)
				done := float64(b.N * runs)
				b.ReportMetric(done/b.Elapsed().Seconds(), "trajectories/s")
				b.ReportMetric(done/used.Seconds(), "trajectories/cpu-s")
				b.ReportMetric(float64(is.Mallocs-was.Mallocs)/done, "allocs/trajectory")
				b.ReportMetric(float64(is.TotalAlloc-was.TotalAlloc)/1024/done, "KiB/trajectory")
			})
		}
	}
}

// eleven is a team of 11 calls of a model and 4 of a tool: each analyst asks one
// tool once, and nothing is sent back.
const eleven = `rounds: 0
roles:
  analyst/profile:
    tools: [user_profile]
  analyst/historical:
    tools: [item_cf]
  analyst/recent:
    tools: [item_cf]
  analyst/divergence:
    tools: [candidate_stats]
`

// cpu is the processor time that this process has used: what a shared machine
// leaves of a clock.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
