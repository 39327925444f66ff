package model

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"
)

// BreakerConfig says when a [Breaker] opens. The zero value works.
type BreakerConfig struct {
	Failures int           // of the last Calls that open it; 0: 10
	Calls    int           // 0: 20
	Delay    time.Duration // that it stays open before a call is tried; 0: 15 s
	// OnChange, if not nil, hears when it opens (true) and closes (false). It
	// is called by one goroutine at a time.
	OnChange func(open bool)
}

// Breaker keeps calls from a provider that fails: one for all models of the
// provider.
//
//	closed ──Failures of the last Calls──> open ──Delay──> half open: one call
//	   ^                                     ^                │        │
//	   │                                     └────failed──────┘        │
//	   └─────────────────────────── answered ──────────────────────────┘
//
// A failure that says something about the provider counts: a [Temporary] one,
// a server error, a broken connection, a time-out. One that says something
// about the request (400) or the rate (429) does not: the provider answered. It
// is safe for concurrent use.
type Breaker struct {
	circuit circuitbreaker.CircuitBreaker[any]
	delay   time.Duration
}

// NewBreaker returns a closed one.
func NewBreaker(cfg BreakerConfig) *Breaker {
	if cfg.Failures == 0 {
		cfg.Failures = 10
	}
	if cfg.Calls == 0 {
		cfg.Calls = 2 * cfg.Failures
	}
	if cfg.Delay == 0 {
		cfg.Delay = 15 * time.Second
	}
	b := circuitbreaker.NewBuilder[any]().
		WithFailureThresholdRatio(uint(cfg.Failures), uint(max(cfg.Calls, cfg.Failures))).
		WithSuccessThreshold(1).
		WithDelay(cfg.Delay)
	if cfg.OnChange != nil {
		b = b.OnStateChanged(func(e circuitbreaker.StateChangedEvent) {
			if e.NewState != circuitbreaker.HalfOpenState && e.OldState != e.NewState {
				cfg.OnChange(e.NewState == circuitbreaker.OpenState)
			}
		})
	}
	return &Breaker{b.Build(), cfg.Delay}
}

// Wrap puts the breaker before a model. While it is open, calls fail at once
// with an [Error] that is [ErrOpen], temporary, costs nothing, and says when to
// try again.
func (b *Breaker) Wrap(m Model) Model { return &guarded{b, m} }

type guarded struct {
	*Breaker
	model Model
}

// Generate implements [Model].
func (b *guarded) Generate(ctx context.Context, req Request) (reply Reply, err error) {
	if !b.circuit.TryAcquirePermit() {
		wait := b.circuit.RemainingDelay()
		if wait <= 0 { // half open: another call is trying
			wait = b.delay
		}
		return reply, &Error{Temporary: true, Unbilled: true, RetryAfter: wait,
			Err: fmt.Errorf("%w: the provider has failed too often; the next try is in %s", ErrOpen, wait.Round(time.Second/10))}
	}
	reply, err = b.model.Generate(ctx, req)
	switch {
	case err != nil && ctx.Err() != nil && !Temporary(context.Cause(ctx)):
		if b.circuit.IsHalfOpen() { // the caller gave up: nothing was learnt
			b.circuit.Open()
		}
	case err != nil && Temporary(err) && !tooMany(err):
		b.circuit.RecordFailure()
	default:
		b.circuit.RecordSuccess()
	}
	return reply, err
}

// Open reports whether calls are kept from the provider now.
func (b *Breaker) Open() bool { return b.circuit.IsOpen() }

// tooMany reports whether a provider says that it is asked too often.
func tooMany(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Status == 429
}
