package model

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/retrypolicy"
)

// RetryConfig says how [Retry] tries again. The zero value works.
type RetryConfig struct {
	Attempts int           // calls in all; 0: 5
	Base     time.Duration // the wait before the second call, doubled before each further one; 0: 1 s
	Max      time.Duration // the longest wait, however long a provider asks for; 0: 60 s
	Timeout  time.Duration // of one call; 0: none but the context's
	// Jitter returns a number in [0, 1) that spreads the waits of many callers;
	// it is called concurrently. Nil: math/rand/v2.
	Jitter func() float64
	// OnRetry, if not nil, hears of each failure that will be tried again.
	OnRetry func(err error, wait time.Duration)
}

// Retry tries a call again when its failure is [Temporary]. It is the one owner
// of retries: adapters make none.
//
// Before the nth retry it waits between half and all of Base·2^(n-1), or as
// long as the provider asked (Retry-After) and a little more, never longer than
// Max. A streaming caller gets a chunk with Reset before each retry. The reply
// says how many calls were made; so does the error, if all of them failed.
func Retry(m Model, cfg RetryConfig) Model {
	if cfg.Attempts == 0 {
		cfg.Attempts = 5
	}
	if cfg.Base == 0 {
		cfg.Base = time.Second
	}
	if cfg.Max == 0 {
		cfg.Max = time.Minute
	}
	if cfg.Jitter == nil {
		cfg.Jitter = rand.Float64
	}
	policy := retrypolicy.NewBuilder[Reply]().
		HandleIf(func(_ Reply, err error) bool { return err != nil }).
		AbortIf(func(_ Reply, err error) bool { return err != nil && !Temporary(err) }).
		WithMaxAttempts(cfg.Attempts).
		WithDelayFunc(func(e failsafe.ExecutionAttempt[Reply]) time.Duration {
			return cfg.wait(e.Attempts(), e.LastError())
		}).
		OnRetryScheduled(func(e failsafe.ExecutionScheduledEvent[Reply]) {
			if cfg.OnRetry != nil {
				cfg.OnRetry(e.LastError(), e.Delay)
			}
		}).
		ReturnLastFailure().
		Build()
	return Func(func(ctx context.Context, req Request) (Reply, error) {
		attempts := 0
		reply, err := failsafe.With(policy).WithContext(ctx).Get(func() (Reply, error) {
			if attempts++; attempts > 1 && req.OnChunk != nil {
				req.OnChunk(Chunk{Reset: true})
			}
			return cfg.call(ctx, m, req)
		})
		if err != nil && attempts > 1 {
			err = fmt.Errorf("after %d attempts: %w", attempts, err)
		}
		reply.Attempts = attempts
		return reply, err
	})
}

// call makes one call within the time limit of one.
func (c RetryConfig) call(ctx context.Context, m Model, req Request) (Reply, error) {
	if c.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, c.Timeout, &Error{Temporary: true, Err: fmt.Errorf("no reply within %s", c.Timeout)})
		defer cancel()
	}
	reply, err := m.Generate(ctx, req)
	if timeout := (*Error)(nil); err != nil && ctx.Err() != nil && errors.As(context.Cause(ctx), &timeout) {
		return reply, timeout
	}
	return reply, err
}

// wait returns how long to wait after the nth call failed with err.
func (c RetryConfig) wait(n int, err error) time.Duration {
	var e *Error
	if errors.As(err, &e) && e.RetryAfter > 0 {
		return min(e.RetryAfter+time.Duration(c.Jitter()*float64(c.Base)), c.Max)
	}
	full := c.Base
	for range n - 1 {
		full = min(2*full, c.Max)
	}
	return min(full, c.Max)/2 + time.Duration(c.Jitter()*float64(full/2))
}
