package model

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// RetryConfig says how [Retry] tries again. The zero value works.
type RetryConfig struct {
	Attempts int           // calls in all, to whichever model; 0: 5
	Base     time.Duration // the wait before the second call, doubled before each further one; 0: 1 s
	Max      time.Duration // the longest wait, however long a provider asks for; 0: 60 s
	Timeout  time.Duration // of one call, as [Timeout]; 0: none but the context's
	// Fallbacks are models that are asked, in turn, where the one before them
	// comes to no reply.
	Fallbacks []Model
	// Jitter returns a number in [0, 1) that spreads the waits of many callers;
	// it is called concurrently. Nil: math/rand/v2.
	Jitter func() float64
	// OnRetry, if not nil, hears of each failure that will be tried again.
	OnRetry func(err error, wait time.Duration)
}

func (c RetryConfig) withDefaults() RetryConfig {
	if c.Attempts == 0 {
		c.Attempts = 5
	}
	if c.Base == 0 {
		c.Base = time.Second
	}
	if c.Max == 0 {
		c.Max = time.Minute
	}
	if c.Jitter == nil {
		c.Jitter = rand.Float64
	}
	if c.OnRetry == nil {
		c.OnRetry = func(error, time.Duration) {}
	}
	return c
}

// Retry tries a call again when its failure is [Temporary], and at another
// model when the first comes to nothing. It is the one owner of retries:
// adapters and the other wrappers make none, and however many models there are,
// a call is made at most Attempts times.
//
//	m   ──429──wait──503──wait──503─┐
//	fallback                        └──504──wait── a reply, Attempts: 5
//
// Before the nth retry it waits between half and all of Base·2^(n-1), or as
// long as the provider asked (Retry-After) and a little more, never longer than
// Max. It goes on to the next model when it has made its share of the calls
// (those that are left, evenly; the earlier models have the odd one), and at
// once when the failure is not temporary, when the provider's [Breaker] is
// open, or when it asks to wait longer than Max. [ErrBudget] and the end of the
// context end the call.
//
// A streaming caller gets a chunk with Reset before each retry. The reply says
// how many calls were made; so does the error, if all of them failed.
func Retry(m Model, cfg RetryConfig) Model {
	cfg = cfg.withDefaults()
	chain := make([]Model, 0, 1+len(cfg.Fallbacks))
	for _, m := range append([]Model{m}, cfg.Fallbacks...) {
		chain = append(chain, Timeout(m, cfg.Timeout))
	}
	return &retrying{cfg, chain}
}

// retrying is a model behind retries. Wrappers are types with a method, not a
// [Func] each: a call waits below all of them, and its stack is half as deep.
type retrying struct {
	cfg   RetryConfig
	chain []Model
}

// Generate implements [Model].
func (r *retrying) Generate(ctx context.Context, req Request) (reply Reply, err error) {
	left := r.chain
	share := r.cfg.share(0, left)
	for n, here := 1, 1; ; n, here = n+1, here+1 {
		if n > 1 && req.OnChunk != nil {
			req.OnChunk(Chunk{Reset: true})
		}
		reply, err = left[0].Generate(ctx, req)
		if err == nil {
			reply.Attempts = n
			return reply, nil
		}
		move := len(left) > 1 && (here >= share || r.cfg.leaves(err))
		if ctx.Err() != nil || errors.Is(err, ErrBudget) || n >= r.cfg.Attempts || (!move && !Temporary(err)) {
			return Reply{Attempts: n}, after(n, err)
		}
		var wait time.Duration
		if move {
			left, here = left[1:], 0
			share = r.cfg.share(n, left)
		} else {
			wait = r.cfg.wait(here, err)
		}
		r.cfg.OnRetry(err, wait)
		if !sleep(ctx, wait) {
			return Reply{Attempts: n}, after(n, fmt.Errorf("%w: %w", context.Cause(ctx), err))
		}
	}
}

// share is how many calls the first of the models that are left may have, when
// n are made.
func (c RetryConfig) share(n int, left []Model) int {
	return (c.Attempts - n + len(left) - 1) / len(left)
}

// leaves reports whether a failure sends a call to the next model at once.
func (c RetryConfig) leaves(err error) bool {
	var e *Error
	return !Temporary(err) || errors.Is(err, ErrOpen) || (errors.As(err, &e) && e.RetryAfter > c.Max)
}

// after says how many calls had been made when the last failed.
func after(n int, err error) error {
	if n == 1 {
		return err
	}
	return fmt.Errorf("after %d attempts: %w", n, err)
}

// sleep waits; false says that the context has ended.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
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
	full = min(full, c.Max)
	return full/2 + time.Duration(c.Jitter()*float64(full/2))
}
