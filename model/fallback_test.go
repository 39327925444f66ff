package model_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/model/modeltest"
)

// TestRetryGoesOnToFallbacks follows calls over a chain of models, each of which
// fails with its errors in turn and then replies.
func TestRetryGoesOnToFallbacks(t *testing.T) {
	busy, down := status(429, 0), status(500, 0)
	always := func(err error) []error { return slices.Repeat([]error{err}, 9) }
	open := &model.Error{Temporary: true, RetryAfter: time.Second, Err: fmt.Errorf("x: %w", model.ErrOpen)}
	for _, c := range []struct {
		name  string
		chain [][]error
		asked string // who was asked, in order
		fails bool
	}{
		{"first answers", [][]error{{busy}, {}}, "0 0", false},
		{"its share of five", [][]error{always(down), {}}, "0 0 0 1", false},
		{"never more than five", [][]error{always(down), always(busy)}, "0 0 0 1 1", true},
		{"three models", [][]error{always(down), always(down), always(down)}, "0 0 1 1 2", true},
		{"six models", [][]error{always(down), always(down), always(down), always(down), always(down), {}}, "0 1 2 3 4", true},
		{"a failure for good", [][]error{{status(404, 0)}, {busy}}, "0 1 1", false},
		{"for good at the last", [][]error{{status(404, 0)}, {status(400, 0)}}, "0 1", true},
		{"an open breaker", [][]error{{open}, {}}, "0 1", false},
		{"an open breaker alone", [][]error{{open}}, "0 0", false},
		{"too long a wait", [][]error{{status(429, time.Hour)}, {}}, "0 1", false},
		{"the budget", [][]error{{fmt.Errorf("x: %w", model.ErrBudget)}, {}}, "0", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var asked []string
				chain := make([]model.Model, len(c.chain))
				for i, errs := range c.chain {
					m := failing(errs...)
					chain[i] = model.Func(func(ctx context.Context, req model.Request) (model.Reply, error) {
						asked = append(asked, fmt.Sprint(i))
						return m.Generate(ctx, req)
					})
				}
				reply, err := model.Retry(chain[0], model.RetryConfig{Fallbacks: chain[1:]}).Generate(t.Context(), model.Request{})
				if got := strings.Join(asked, " "); got != c.asked || reply.Attempts != len(asked) {
					t.Errorf("asked %s, want %s; %d attempts told", got, c.asked, reply.Attempts)
				}
				if (err != nil) != c.fails || (err == nil && reply.Message.Content != "yes") {
					t.Errorf("reply %+v, error %v", reply, err)
				}
			})
		})
	}
}

func TestTimeoutNamesItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stalled := model.Func(func(ctx context.Context, _ model.Request) (model.Reply, error) {
			<-ctx.Done()
			return model.Reply{}, context.Cause(ctx)
		})
		_, err := model.Timeout(stalled, time.Second).Generate(t.Context(), model.Request{})
		if err == nil || err.Error() != "no reply within 1s" || !model.Temporary(err) || model.Unbilled(err) {
			t.Errorf("error %v", err)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		enough := errors.New("enough")
		cancel(enough)
		if _, err := model.Timeout(stalled, time.Second).Generate(ctx, model.Request{}); !errors.Is(err, enough) {
			t.Errorf("error %v, want the caller's cause", err)
		}
	})
}

// TestWrappersAreModels runs the contract of models on each wrapper.
func TestWrappersAreModels(t *testing.T) {
	for name, wrap := range map[string]func(model.Model) model.Model{
		"retry":    func(m model.Model) model.Model { return model.Retry(m, model.RetryConfig{}) },
		"fallback": func(m model.Model) model.Model { return model.Retry(m, model.RetryConfig{Fallbacks: []model.Model{m}}) },
		"timeout":  func(m model.Model) model.Model { return model.Timeout(m, time.Hour) },
		"limit":    func(m model.Model) model.Model { return model.NewLimiter(model.LimitConfig{Concurrency: 3}).Wrap(m) },
		"breaker":  func(m model.Model) model.Model { return model.NewBreaker(model.BreakerConfig{}).Wrap(m) },
	} {
		t.Run(name, func(t *testing.T) {
			modeltest.Run(t, func(_ *testing.T, far model.Model) model.Model { return wrap(far) }, modeltest.Lacks{})
		})
	}
}
