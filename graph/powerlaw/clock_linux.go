package powerlaw

import (
	"time"

	"golang.org/x/sys/unix"
)

// processor returns the processor time that this thread has used, process that
// of all threads.
func processor() time.Duration { return clockOf(unix.CLOCK_THREAD_CPUTIME_ID) }
func process() time.Duration   { return clockOf(unix.CLOCK_PROCESS_CPUTIME_ID) }

func clockOf(id int32) time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(id, &t); err != nil {
		return 0
	}
	return time.Duration(t.Nano())
}
