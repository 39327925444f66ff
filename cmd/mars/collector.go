package main

import (
	"os"
	"runtime/debug"

	"github.com/mars-rec/mars/internal/collector"
)

// batch has the garbage collector trade memory for processor time, for commands
// that make much garbage beside little that stays: it runs when the heap has
// grown to five times of what is alive, or to a gigabyte, where it would run at
// twice. What the user has set in GOGC or GOMEMLIMIT stands.
func batch() {
	if collectorIsOurs() {
		debug.SetGCPercent(400)
		debug.SetMemoryLimit(1 << 30)
	}
}

// calls has the garbage collector do the same for commands that have anything
// from a few to thousands of calls in flight, whose memory is then to be bounded.
// The end of the process is the end of it.
func calls() {
	if collectorIsOurs() {
		collector.Follow()
	}
}

func collectorIsOurs() bool { return os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == "" }
