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
	started  []*start  // within the last minute, oldest first
	tokens   int       // of started
	pace     pace
}

// waiter is a call in the queue. Only the first is woken.
type waiter struct{ wake chan struct{} }

// start is a call of the last minute.
type start struct {
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
func (l *limited) Generate(ctx context.Context, req Request) (Reply, error) {
	s, err := l.limiter.acquire(ctx, req.estimate())
	if err != nil {
		return Reply{}, &Error{Unbilled: true, Err: err}
	}
	reply, err := l.model.Generate(ctx, req)
	l.limiter.release(s, reply.Usage, err)
	return reply, err
}

// acquire waits for the call's turn.
func (l *Limiter) acquire(ctx context.Context, tokens int) (*start, error) {
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
func (l *Limiter) start(now time.Time, tokens int) *start {
	s := &start{at: now, tokens: tokens, gone: l.cfg.Requests == 0 && l.cfg.Tokens == 0}
	if !s.gone {
		l.started = append(l.started, s)
		l.tokens += tokens
	}
	l.inFlight++
	return s
}

// admits reports whether a call may start, and if not, how long it is until
// it may be asked again.
func (l *Limiter) admits(now time.Time, tokens int) (time.Duration, bool) {
	for len(l.started) > 0 && !now.Before(l.started[0].at.Add(minute)) {
		l.started[0].gone = true
		l.tokens -= l.started[0].tokens
		l.started = l.started[1:]
	}
	switch {
	case l.inFlight >= max(1, int(l.limit)):
		return forever, false // until another one ends
	case now.Before(l.paused):
		return l.paused.Sub(now), false
	case l.cfg.Requests > 0 && len(l.started) >= l.cfg.Requests,
		l.cfg.Tokens > 0 && len(l.started) > 0 && l.tokens+tokens > l.cfg.Tokens:
		return l.started[0].at.Add(minute).Sub(now), false
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

// release ends a call and learns from how it went.
func (l *Limiter) release(s *start, usage *message.Usage, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.wake()
	now := l.cfg.Clock()
	busy := l.inFlight+1 > int(l.limit)
	l.inFlight--
	switch {
	case err != nil && pushedBack(err):
		l.slower(s.at)
		if e := (*Error)(nil); errors.As(err, &e) && e.RetryAfter > 0 {
			if until := now.Add(min(e.RetryAfter, maxPause)); until.After(l.paused) {
				l.paused = until
			}
		}
	case err == nil && !s.at.Before(l.fell) && l.pace.slow(now.Sub(s.at), l.cfg.Slow):
		l.slower(s.at)
	case err == nil && busy:
		l.limit = min(l.limit+1/l.limit, float64(l.cfg.Concurrency))
	}
	known := s.tokens
	switch {
	case err == nil && usage != nil:
		known = usage.InputTokens + usage.OutputTokens
	case err != nil && Unbilled(err):
		known = 0
	}
	if !s.gone {
		l.tokens += known - s.tokens
	}
	s.tokens = known
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
