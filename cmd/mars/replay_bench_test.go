package main

import (
	"fmt"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// BenchmarkReplay replays a store of 200 runs of a small generated world by the
// command, one at a time and one for each processor. It tells trajectories a
// second of the clock and of processor time, the collector's included, and what
// a trajectory allocates.
func BenchmarkReplay(b *testing.B) {
	const runs = 200
	smallWorld(b, strconv.Itoa(runs))
	mars(b, "synth", "--data", "data", "--tasks", "tasks.jsonl", "--out", "run.db")
	for _, atOnce := range []int{1, runtime.GOMAXPROCS(0)} {
		b.Run(fmt.Sprint("concurrency=", atOnce), func(b *testing.B) {
			var was, is runtime.MemStats
			runtime.ReadMemStats(&was)
			before := cpu(b)
			for b.Loop() {
				mars(b, "replay", "run.db", "--concurrency", strconv.Itoa(atOnce))
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

// cpu is the processor time that this process has used: what a shared machine
// leaves of a clock.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
