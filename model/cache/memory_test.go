package cache_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/model/cache"
)

func remember(t *testing.T, most int, keep time.Duration, now *time.Time) *cache.Cache {
	t.Helper()
	shelf, err := cache.Memory(most, keep, func() time.Time { return *now })
	if err != nil {
		t.Fatal(err)
	}
	return cache.New(shelf, cache.Config{OnFailure: func(err error) { t.Error(err) }})
}

// TestMemoryForgets: a reply is given again for a while, which a clock that is
// set back does not lengthen.
func TestMemoryForgets(t *testing.T) {
	now := time.Unix(1000, 0)
	var calls atomic.Int64
	m := remember(t, 8, time.Minute, &now).Wrap("m", counting(&calls))
	for i, step := range []struct {
		after time.Duration
		asked int64 // calls made by then
	}{{0, 1}, {time.Minute, 1}, {time.Second, 2}, {time.Minute, 2}, {-time.Hour, 3}} {
		now = now.Add(step.after)
		reply, err := m.Generate(t.Context(), ask("x"))
		if err != nil || calls.Load() != step.asked || reply.Message.Content != fmt.Sprint("answer ", step.asked) {
			t.Errorf("step %d: %+v, %v after %d calls, want %d", i, reply, err, calls.Load(), step.asked)
		}
	}
}

// TestMemoryIsBounded: what was used longest ago goes first.
func TestMemoryIsBounded(t *testing.T) {
	now := time.Unix(1000, 0)
	var calls atomic.Int64
	m := remember(t, 2, time.Minute, &now).Wrap("m", counting(&calls))
	for i, content := range []string{"a", "b", "a", "c", "a", "b"} {
		reply, err := m.Generate(t.Context(), ask(content))
		if want := i == 2 || i == 4; err != nil || reply.Cached != want {
			t.Errorf("request %d for %s: cached %v, %v", i, content, reply.Cached, err)
		}
	}
}

// TestAGreedyReplyHasNoSeed: where nothing is drawn a seed decides nothing.
func TestAGreedyReplyHasNoSeed(t *testing.T) {
	now := time.Unix(1000, 0)
	for temperature, want := range map[float64]int64{0: 1, 0.7: 3} {
		var calls atomic.Int64
		m := remember(t, 8, time.Minute, &now).Wrap("m", counting(&calls))
		for seed := range int64(3) {
			req := ask("x")
			req.Sampling = model.Sampling{Temperature: &temperature, Seed: &seed}
			if _, err := m.Generate(t.Context(), req); err != nil {
				t.Fatal(err)
			}
		}
		if calls.Load() != want {
			t.Errorf("temperature %g: %d calls for three seeds, want %d", temperature, calls.Load(), want)
		}
	}
	if _, err := cache.Memory(0, time.Minute, time.Now); err == nil {
		t.Error("a shelf for nothing was made")
	}
}
