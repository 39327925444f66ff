// Package collector has Go's garbage collector run by what is alive: seldom where
// that is little, so that garbage costs little processor time; often where it is
// much, as with thousands of calls in flight, so that memory is not twice what is
// needed. GOGC knows one ratio for both.
//
//	alive, MB   garbage before it runs, MB   the same as GOGC
//	        4              14                     340
//	       10              16                     160
//	       20              20                     100, Go's default
//	      100              52                      52
//	    1,000             412                      41
package collector

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// What is allowed of garbage.
const (
	always = 12 << 20 // bytes, whatever is alive
	share  = 40       // per cent of what is alive, beside it
	most   = 400      // per cent of what is alive, in all
)

// Percent is the GOGC for so many bytes that are alive, stacks among them.
func Percent(alive uint64) int {
	return int(min(most, share+100*always/max(1, alive)))
}

// Follow sets GOGC to [Percent] now and after each collection, until stop is
// called, which sets it to what it was.
func Follow() (stop func()) {
	done := make(chan struct{})
	before := debug.SetGCPercent(Percent(alive()))
	watch(done)
	return func() {
		close(done)
		debug.SetGCPercent(before)
	}
}

// watch sets the percentage whenever a collection has ended: then it clears away
// what nobody holds.
func watch(done <-chan struct{}) {
	unheld := &struct{ self *int }{}
	runtime.AddCleanup(unheld, func(done <-chan struct{}) {
		select {
		case <-done:
		default:
			debug.SetGCPercent(Percent(alive()))
			watch(done)
		}
	}, done)
}

// alive is what the last collection found.
func alive() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/stack:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64() + s[1].Value.Uint64()
}
