package model

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/mars-rec/mars/message"
)

// LimitConfig says what a [Limiter] lets through. The zero value only adapts
// the number of calls at once.
type LimitConfig struct {
	Requests    int              // started in any 60 seconds, at most; 0: any number
	Tokens      int              // in and out, of calls started in any 60 seconds; 0: any number
	Concurrency int              // calls at once, at most; 0: 256
	Slow        float64          // calls that take so many times the usual are a sign of overload; 0: 4
	Slack       time.Duration    // a call that was let through may start so much later; a minute is kept all the same
	Clock       func() time.Time // nil: time.Now
}

// Limiter keeps calls to one model of one provider within its rate, and finds
// how many at once it takes.
//
//	callers ──> queue, first come first served ──> model
//	              │ fewer than the limit are in flight
//	              │ fewer than Requests started within 60 s
//	              │ their tokens and this call's come to at most Tokens
//	              └ no Retry-After is running
//
// The limit of calls at once follows AIMD: it begins at Concurrency, falls to
// 7/10 when the provider pushes back (429, 503, 529) or calls take Slow times
// what they took at their best, and rises by one for each limit's worth of
// calls that go well, up to Concurrency again. Calls that began before a fall
// cause no second one. A Retry-After holds back all callers.
//
// A minute is any 60 seconds, not one of the clock's. A call counts with a third
// of its bytes and its MaxTokens as tokens until its usage is known. A limiter
// fails closed: what it does not let through is an error. It is safe for
// concurrent use and starts no goroutine.
type Limiter struct {
	cfg LimitConfig

	mu       sync.Mutex
	queue    []*waiter
	inFlight int
	limit    float64 // of calls at once
	fell     time.Time
	falls    int
	paused   time.Time // no call starts before
	started  []*Turn   // within the last minute, oldest first
	tokens   int       // of started
	pace     pace
}

// waiter is a call in the queue. Only the first is woken.
type waiter struct{ wake chan struct{} }

// Turn is a call that a [Limiter] has let through.
type Turn struct {
	at     time.Time
	tokens int
	gone   bool // older than a minute: its tokens no longer count
}

const (
	minute   = time.Minute
	fall     = 0.7
	maxPause = time.Minute
	forever  = time.Duration(-1)
)

// NewLimiter returns a limiter.
func NewLimiter(cfg LimitConfig) *Limiter {
	if cfg.Concurrency == 0 {
		cfg.Concurrency = 256
	}
	if cfg.Slow == 0 {
		cfg.Slow = 4
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	return &Limiter{cfg: cfg, limit: float64(cfg.Concurrency)}
}

// LimitState is how a [Limiter] stands.
type LimitState struct {
	Limit    int `json:"limit"` // calls at once that it lets through now
	InFlight int `json:"in_flight"`
	Waiting  int `json:"waiting"`
	Falls    int `json:"falls"` // times that the limit fell
}

// State tells how the limiter stands.
func (l *Limiter) State() LimitState {
	l.mu.Lock()
	defer l.mu.Unlock()
	return LimitState{int(l.limit), l.inFlight, len(l.queue), l.falls}
}

// Wrap puts the limiter before a model. Models that share a limiter share its
// rate.
func (l *Limiter) Wrap(m Model) Model { return &limited{l, m} }

type limited struct {
	limiter *Limiter
	model   Model
}

// Generate implements [Model].
func (l *limited) Generate(ctx context.Context, req Request) (reply Reply, err error) {
	t, err := l.limiter.Take(ctx, req.Estimate())
	if err != nil {
		return reply, &Error{Unbilled: true, Err: err}
	}
	reply, err = l.model.Generate(ctx, req)
	l.limiter.Return(t, reply.Usage, err)
	return reply, err
}

// Take waits for the turn of a call of about so many tokens, as
// [Request.Estimate] has them. The call is over with [Limiter.Return]. [Limiter.Wrap]
// does both, for a model that is called where the limiter is. An error says that
// ctx has ended, or that the call can never start.
func (l *Limiter) Take(ctx context.Context, tokens int) (*Turn, error) {
	if l.cfg.Tokens > 0 && tokens > l.cfg.Tokens {
		return nil, fmt.Errorf("a call of about %d tokens can never start under a limit of %d a minute", tokens, l.cfg.Tokens)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.queue) == 0 && ctx.Err() == nil { // nearly always: nobody waits
		now := l.cfg.Clock()
		if _, ok := l.admits(now, tokens); ok {
			return l.start(now, tokens), nil
		}
	}
	w := &waiter{wake: make(chan struct{}, 1)}
	l.queue = append(l.queue, w)
	defer l.leave(w)
	for {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		wait := forever
		if l.queue[0] == w {
			now := l.cfg.Clock()
			var ok bool
			if wait, ok = l.admits(now, tokens); ok {
				return l.start(now, tokens), nil
			}
		}
		l.mu.Unlock()
		await(ctx, w.wake, wait)
		l.mu.Lock()
	}
}

// start begins a call. Without a rate there is no minute to keep.
func (l *Limiter) start(now time.Time, tokens int) *Turn {
	t := &Turn{at: now, tokens: tokens, gone: l.cfg.Requests == 0 && l.cfg.Tokens == 0}
	if !t.gone {
		l.started = append(l.started, t)
		l.tokens += tokens
	}
	l.inFlight++
	return t
}

// Renew says that a call which was let through has not started before now, because
// word of it took its time. It reports false if the turn is a minute old: the call
// must take another.
func (l *Limiter) Renew(t *Turn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cfg.Requests == 0 && l.cfg.Tokens == 0 {
		return true
	}
	now := l.cfg.Clock()
	l.expire(now)
	i := slices.Index(l.started, t)
	if i < 0 {
		return false
	}
	l.started = append(slices.Delete(l.started, i, i+1), t)
	t.at = now
	return true
}

// expire lets go of calls that started more than a minute ago.
func (l *Limiter) expire(now time.Time) {
	for len(l.started) > 0 && !now.Before(l.ends(l.started[0])) {
		l.started[0].gone = true
		l.tokens -= l.started[0].tokens
		l.started = l.started[1:]
	}
}

// ends is when a call that was let through counts no longer.
func (l *Limiter) ends(t *Turn) time.Time { return t.at.Add(minute + l.cfg.Slack) }

// admits reports whether a call may start, and if not, how long it is until
// it may be asked again.
func (l *Limiter) admits(now time.Time, tokens int) (time.Duration, bool) {
	l.expire(now)
	switch {
	case l.inFlight >= max(1, int(l.limit)):
		return forever, false // until another one ends
	case now.Before(l.paused):
		return l.paused.Sub(now), false
	case l.cfg.Requests > 0 && len(l.started) >= l.cfg.Requests,
		l.cfg.Tokens > 0 && len(l.started) > 0 && l.tokens+tokens > l.cfg.Tokens:
		return l.ends(l.started[0]).Sub(now), false
	}
	return 0, true
}

// await waits until the channel is sent to, the time is over or the context ends.
func await(ctx context.Context, wake <-chan struct{}, wait time.Duration) {
	var due <-chan time.Time
	if wait != forever {
		t := time.NewTimer(wait)
		defer t.Stop()
		due = t.C
	}
	select {
	case <-wake:
	case <-due:
	case <-ctx.Done():
	}
}

// leave takes a call out of the queue and lets the next one look.
func (l *Limiter) leave(w *waiter) {
	if i := slices.Index(l.queue, w); i == 0 {
		l.queue[0], l.queue = nil, l.queue[1:]
	} else {
		l.queue = slices.Delete(l.queue, i, i+1)
	}
	l.wake()
}

// wake lets the first in the queue look again.
func (l *Limiter) wake() {
	if len(l.queue) > 0 {
		select {
		case l.queue[0].wake <- struct{}{}:
		default: // it is about to look
		}
	}
}

// Return ends a call and learns from how it went.
func (l *Limiter) Return(t *Turn, usage *message.Usage, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.wake()
	now := l.cfg.Clock()
	busy := l.inFlight+1 > int(l.limit)
	l.inFlight--
	switch {
	case err != nil && pushedBack(err):
		l.slower(t.at)
		if e := (*Error)(nil); errors.As(err, &e) && e.RetryAfter > 0 {
			if until := now.Add(min(e.RetryAfter, maxPause)); until.After(l.paused) {
				l.paused = until
			}
		}
	case err == nil && !t.at.Before(l.fell) && l.pace.slow(now.Sub(t.at), l.cfg.Slow):
		l.slower(t.at)
	case err == nil && busy:
		l.limit = min(l.limit+1/l.limit, float64(l.cfg.Concurrency))
	}
	known := t.tokens
	switch {
	case err == nil && usage != nil:
		known = usage.InputTokens + usage.OutputTokens
	case err != nil && Unbilled(err):
		known = 0
	}
	if !t.gone {
		l.tokens += known - t.tokens
	}
	t.tokens = known
}

// slower lowers the limit for a call that began at that time.
func (l *Limiter) slower(began time.Time) {
	if began.Before(l.fell) {
		return
	}
	l.limit = max(1, l.limit*fall)
	l.fell = l.cfg.Clock()
	l.falls++
	l.pace.calls, l.pace.total = 0, 0
}

// pushedBack reports whether a provider says that it has too much to do.
func pushedBack(err error) bool {
	var e *Error
	return errors.As(err, &e) && (e.Status == 429 || e.Status == 503 || e.Status == 529)
}

// pace knows how long calls take.
type pace struct {
	calls int
	total time.Duration
	best  time.Duration // mean of the best round; it forgets slowly
}

// round is the number of calls whose mean is compared: fewer say little.
const round = 20

// slow counts a call, and reports at the end of each round of calls whether
// their mean is more than so many times the best.
func (p *pace) slow(took time.Duration, times float64) bool {
	p.calls++
	p.total += took
	if p.calls < round {
		return false
	}
	mean := p.total / time.Duration(p.calls)
	p.calls, p.total = 0, 0
	if p.best == 0 || mean < p.best {
		p.best = mean
		return false
	}
	over := float64(mean) > times*float64(p.best)
	p.best += (mean - p.best) / 50
	return over
}
