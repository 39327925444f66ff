package model_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/model"
)

// provider is a model that takes its time, counts what is in flight, and keeps
// when each call started.
type provider struct {
	took   func(inFlight int) (time.Duration, error)
	tokens int

	mu       sync.Mutex
	inFlight int
	most     int
	starts   []time.Time
}

func (p *provider) Generate(ctx context.Context, _ model.Request) (model.Reply, error) {
	p.mu.Lock()
	p.starts = append(p.starts, time.Now())
	p.inFlight++
	p.most = max(p.most, p.inFlight)
	took, err := p.took(p.inFlight)
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		p.inFlight--
		p.mu.Unlock()
	}()
	select {
	case <-time.After(took):
	case <-ctx.Done():
		return model.Reply{}, context.Cause(ctx)
	}
	if err != nil {
		return model.Reply{}, err
	}
	reply := model.Reply{Message: model.Message{Role: model.Assistant, Content: "yes"}}
	if p.tokens > 0 {
		reply.Usage = &message.Usage{InputTokens: p.tokens}
	}
	return reply, nil
}

func steady(took time.Duration) func(int) (time.Duration, error) {
	return func(int) (time.Duration, error) { return took, nil }
}

// together makes n calls at once and returns their errors.
func together(t *testing.T, n int, m model.Model, req model.Request) []error {
	t.Helper()
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { _, errs[i] = m.Generate(t.Context(), req) })
	}
	wg.Wait()
	return errs
}

// busiest returns the most starts within any 60 seconds.
func busiest(starts []time.Time) int {
	slices.SortFunc(starts, time.Time.Compare)
	most, first := 0, 0
	for i, at := range starts {
		for !at.Before(starts[first].Add(time.Minute)) {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}

func TestLimitHoldsTheRequestsOfAnyMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &provider{took: steady(7 * time.Second)}
		start := time.Now()
		l := model.NewLimiter(model.LimitConfig{Requests: 50})
		if err := errors.Join(together(t, 230, l.Wrap(p), model.Request{})...); err != nil {
			t.Fatal(err)
		}
		if most := busiest(p.starts); most != 50 {
			t.Errorf("%d requests within a minute, want 50", most)
		}
		if took := time.Since(start); took != 4*time.Minute+7*time.Second {
			t.Errorf("230 requests took %s", took)
		}
		if s := l.State(); s.InFlight != 0 || s.Waiting != 0 {
			t.Errorf("left behind: %+v", s)
		}
	})
}

func TestLimitHoldsTheTokensOfAnyMinute(t *testing.T) {
	req := model.Request{Sampling: model.Sampling{MaxTokens: 1000}}
	for _, c := range []struct {
		name   string
		actual int // 0: unknown
		most   int // starts within a minute
	}{
		{"usage unknown", 0, 10},
		{"less than thought", 100, 91}, // ten at first; then, as they settle, 9,100 settled leave no room for 1,000 more
		{"more than thought", 3000, 10},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &provider{took: steady(time.Second), tokens: c.actual}
				l := model.NewLimiter(model.LimitConfig{Tokens: 10_000})
				if err := errors.Join(together(t, 200, l.Wrap(p), req)...); err != nil {
					t.Fatal(err)
				}
				if most := busiest(p.starts); most != c.most {
					t.Errorf("%d calls within a minute, want %d", most, c.most)
				}
			})
		})
	}
	l := model.NewLimiter(model.LimitConfig{Tokens: 999})
	if _, err := l.Wrap(&provider{took: steady(0)}).Generate(t.Context(), req); err == nil || model.Temporary(err) || !model.Unbilled(err) {
		t.Errorf("a call over the whole minute's tokens: %v", err)
	}
}

// TestLimitFindsHowManyAtOnce: a provider that takes 20 at once is asked about
// so many where it says 429, and about as many more as it may be slower where it
// slows down.
func TestLimitFindsHowManyAtOnce(t *testing.T) {
	for _, c := range []struct {
		name string
		took func(inFlight int) (time.Duration, error)
		most int
	}{
		{"429", func(n int) (time.Duration, error) {
			if n > 20 {
				return 50 * time.Millisecond, status(429, 0)
			}
			return time.Second, nil
		}, 40},
		{"latency", func(n int) (time.Duration, error) { return time.Duration(max(1, n/20)) * time.Second, nil }, 100},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &provider{took: c.took}
				l := model.NewLimiter(model.LimitConfig{Concurrency: 200, Slow: 2})
				// The best that the limiter knows is what a quiet provider takes.
				if err := errors.Join(together(t, 20, l.Wrap(p), model.Request{})...); err != nil {
					t.Fatal(err)
				}
				m := model.Retry(l.Wrap(p), model.RetryConfig{Attempts: 50, Jitter: func() float64 { return 0 }})
				if err := errors.Join(together(t, 3000, m, model.Request{})...); err != nil {
					t.Fatal(err)
				}
				if s := l.State(); s.Limit < 10 || s.Limit > c.most || s.Falls == 0 {
					t.Errorf("it settled at %+v, want 10 to %d", s, c.most)
				}
			})
		})
	}
}

func TestLimitHoldsAllBackAfterRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := true
		p := &provider{took: func(int) (time.Duration, error) {
			if first {
				first = false
				return 0, status(429, 30*time.Second)
			}
			return 0, nil
		}}
		m := model.NewLimiter(model.LimitConfig{}).Wrap(p)
		if _, err := m.Generate(t.Context(), model.Request{}); err == nil {
			t.Fatal("429 became a reply")
		}
		start := time.Now()
		if err := errors.Join(together(t, 10, m, model.Request{})...); err != nil || time.Since(start) != 30*time.Second {
			t.Errorf("others waited %s, %v", time.Since(start), err)
		}
	})
}

func TestLimitIsFirstComeFirstServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var order []string
		m := model.NewLimiter(model.LimitConfig{Concurrency: 1}).Wrap(model.Func(func(_ context.Context, req model.Request) (model.Reply, error) {
			time.Sleep(time.Second)
			order = append(order, req.Stop)
			return model.Reply{}, nil
		}))
		var wg sync.WaitGroup
		for i := range 6 {
			ctx, cancel := context.WithCancelCause(t.Context())
			if i == 3 { // gives up in the queue
				time.AfterFunc(1500*time.Millisecond, func() { cancel(errors.New("enough")) })
			}
			wg.Go(func() {
				defer cancel(nil)
				_, err := m.Generate(ctx, model.Request{Stop: fmt.Sprint(i)})
				if (err != nil) != (i == 3) || (i == 3 && !model.Unbilled(err)) {
					t.Errorf("call %d: %v", i, err)
				}
			})
			synctest.Wait()
		}
		wg.Wait()
		if got := fmt.Sprint(order); got != "[0 1 2 4 5]" {
			t.Errorf("served in the order %s", got)
		}
	})
}
