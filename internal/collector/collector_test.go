package collector_test

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"

	"pgregory.net/rapid"

	"github.com/mars-rec/mars/internal/collector"
)

// TestPercent: the more is alive, the smaller the share of garbage, and the more
// of it all the same.
func TestPercent(t *testing.T) {
	for alive, want := range map[uint64]int{0: 400, 1 << 20: 400, 12 << 20: 140, 20 << 20: 100, 120 << 20: 50, 1 << 40: 40} {
		if got := collector.Percent(alive); got != want {
			t.Errorf("%d MB: %d, want %d", alive>>20, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		less := rapid.Uint64Range(1<<20, 1<<36).Draw(t, "less")
		more := rapid.Uint64Range(less, 1<<36).Draw(t, "more")
		p, q := collector.Percent(less), collector.Percent(more)
		if q > p || q < 40 || p > 400 {
			t.Fatalf("%d%% of %d and %d%% of %d", p, less, q, more)
		}
		if rounded := more / 100; more*uint64(q)+100*rounded < less*uint64(p) {
			t.Fatalf("%d%% of %d is less than %d%% of %d", q, more, p, less)
		}
	})
}

// TestFollow: each collection sets the percentage by what it found, until it is
// told to stop.
func TestFollow(t *testing.T) {
	before := debug.SetGCPercent(100)
	defer debug.SetGCPercent(before)
	now := func() uint64 {
		s := []metrics.Sample{{Name: "/gc/gogc:percent"}}
		metrics.Read(s)
		return s[0].Value.Uint64()
	}
	stop := collector.Follow()
	for _, mb := range []int{100, 0, 300} {
		held := make([]byte, mb<<20)
		for set := false; !set; { // what is cleared away is so in another goroutine
			runtime.GC()
			runtime.Gosched()
			set = now() < 80 == (mb > 0)
		}
		runtime.KeepAlive(held)
	}
	stop()
	if got := now(); got != 100 {
		t.Errorf("after all %d, want what it was", got)
	}
	for range 3 {
		runtime.GC()
	}
	if got := now(); got != 100 {
		t.Errorf("after it was stopped %d", got)
	}
}
