package model_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mars-rec/mars/model"
)

func TestBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var fails error
		calls := 0
		var changes []bool
		b := model.NewBreaker(model.BreakerConfig{Failures: 3, Calls: 5, Delay: 10 * time.Second, OnChange: func(open bool) { changes = append(changes, open) }})
		far := model.Func(func(context.Context, model.Request) (model.Reply, error) { calls++; return model.Reply{}, fails })
		m, other := b.Wrap(far), b.Wrap(far)
		ask := func(m model.Model, times int, err error) (last error) {
			fails = err
			for range times {
				_, last = m.Generate(t.Context(), model.Request{})
			}
			return last
		}
		ask(m, 2, status(500, 0))
		ask(m, 20, status(429, 0)) // the provider is well, and says so
		ask(m, 20, status(400, 0))
		if ask(m, 1, nil) != nil || calls != 43 {
			t.Fatal("opened for failures that say nothing about the provider")
		}
		ask(m, 3, status(503, 0))
		err := ask(other, 5, nil)
		var e *model.Error
		if !errors.Is(err, model.ErrOpen) || !errors.As(err, &e) || e.RetryAfter != 10*time.Second || !e.Temporary || !e.Unbilled || calls != 46 {
			t.Fatalf("after 3 failures: %v, %d calls", err, calls)
		}
		time.Sleep(10 * time.Second)
		if ask(m, 2, status(500, 0)); calls != 47 {
			t.Fatalf("half open it lets %d calls through, want 1", calls-46)
		}
		time.Sleep(10 * time.Second)
		if err := ask(m, 4, nil); err != nil || calls != 51 {
			t.Fatalf("does not close again: %v", err)
		}
		if got := fmt.Sprint(changes); got != "[true true false]" {
			t.Errorf("changes %s", got)
		}
	})
}

// TestBreakerSurvivesACallerWhoGivesUp: a trial call that is cancelled says
// nothing, and another one is tried.
func TestBreakerSurvivesACallerWhoGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fails := true
		b := model.NewBreaker(model.BreakerConfig{Failures: 1, Calls: 1, Delay: time.Second})
		m := b.Wrap(model.Func(func(ctx context.Context, _ model.Request) (model.Reply, error) {
			if fails {
				return model.Reply{}, status(500, 0)
			}
			return model.Reply{}, ctx.Err()
		}))
		_, _ = m.Generate(t.Context(), model.Request{})
		fails = false
		time.Sleep(time.Second)
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := m.Generate(gone, model.Request{}); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if _, err := m.Generate(t.Context(), model.Request{}); err != nil {
			t.Errorf("stays open: %v", err)
		}
	})
}
