package monitor

import (
	"cmp"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/mars-rec/mars/message"
)

// Live knows the runs that are in flight, and the calls that each waits for. It
// is an [Observer].
type Live struct {
	clock func() time.Time

	mu   sync.Mutex
	runs map[string]*flight
}

type flight struct {
	since time.Time
	calls map[message.ID]Waiting
}

// Flight is a run that is in flight.
type Flight struct {
	Run     string    `json:"run"`
	Since   time.Time `json:"since"`
	Seconds float64   `json:"seconds"`
	Waits   []Waiting `json:"waits_for"` // sorted by path
}

// Waiting is a call to a model that has not been answered.
type Waiting struct {
	Path  message.ID      `json:"path"`
	Role  message.Address `json:"role"`
	Model string          `json:"model"`
	Since time.Time       `json:"since"`
}

// NewLive returns one that knows of nothing. Clock may be nil: time.Now.
func NewLive(clock func() time.Time) *Live {
	if clock == nil {
		clock = time.Now
	}
	return &Live{clock: clock, runs: map[string]*flight{}}
}

// Observe implements [Observer].
func (l *Live) Observe(e Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch e.Kind {
	case RunBegan:
		l.runs[e.Run] = &flight{since: l.clock(), calls: map[message.ID]Waiting{}}
	case RunEnded:
		delete(l.runs, e.Run)
	case AttemptMade:
		if f := l.runs[e.Run]; f != nil {
			f.calls[e.Path] = Waiting{e.Path, e.Role, e.Name, l.clock()}
		}
	case AttemptOver:
		if f := l.runs[e.Run]; f != nil {
			delete(f.calls, e.Path)
		}
	}
}

// Slowest returns the runs that have been in flight longest, n at most.
func (l *Live) Slowest(n int) []Flight {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock()
	all := make([]Flight, 0, len(l.runs))
	for run, f := range l.runs {
		waits := make([]Waiting, 0, len(f.calls))
		for _, w := range f.calls {
			waits = append(waits, w)
		}
		slices.SortFunc(waits, func(a, b Waiting) int { return a.Path.Compare(b.Path) })
		all = append(all, Flight{run, f.since, now.Sub(f.since).Seconds(), waits})
	}
	slices.SortFunc(all, func(a, b Flight) int { return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Run, b.Run)) })
	return all[:min(n, len(all))]
}

// shown is how many runs the handler tells of.
const shown = 100

// Handler serves the slowest runs as JSON.
func (l *Live) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		b, err := message.Marshal(l.Slowest(shown))
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(append(b, '\n')) // a client that is gone needs no answer
	})
}
