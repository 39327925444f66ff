package main

import (
	"os"
	"runtime/debug"
)

// batch has the garbage collector trade memory for processor time, for commands
// that make much garbage beside little that stays: it runs when the heap has
// grown to five times of what is alive, or to a gigabyte, where it would run at
// twice. What the user has set in GOGC or GOMEMLIMIT stands.
func batch() {
	if os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetGCPercent(400)
		debug.SetMemoryLimit(1 << 30)
	}
}
