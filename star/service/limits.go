package service

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// limits bounds how often each key asks. Keys are those that were let in, so
// that there are no more of them than the server knows.
type limits struct {
	rate  rate.Limit
	burst int
	clock func() time.Time

	mu   sync.Mutex
	keys map[string]*rate.Limiter
}

// take counts a request of the key; wait is how long it has to wait, 0 where
// it need not.
func (l *limits) take(key string) (wait time.Duration) {
	if l.burst == 0 {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.keys == nil {
		l.keys = map[string]*rate.Limiter{}
	}
	one, ok := l.keys[key]
	if !ok {
		one = rate.NewLimiter(l.rate, l.burst)
		l.keys[key] = one
	}
	now := l.clock()
	taken := one.ReserveN(now, 1)
	if wait = taken.DelayFrom(now); wait > 0 {
		taken.CancelAt(now)
	}
	return wait
}
