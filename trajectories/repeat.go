package trajectories

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/mars-rec/mars/message"
)

// Divergence is where a run that is retold goes another way than its record.
type Divergence struct {
	ID   message.ID `json:"id,omitempty"` // of the first message that differs, if one does
	What string     `json:"what"`
}

// Repeat lets run do the task of the recorded trajectory again and compares all
// that is said, and the ranking, with what was said then. Run works with the
// record and with the log that it is given, and returns the ranking, item ids
// best first. Nil means that every byte is the same. An error is that of ctx:
// any other failure of run is a divergence, for then it had not failed.
func (r *Record) Repeat(ctx context.Context, run func(context.Context, message.Log) (ranking []string, err error)) (*Divergence, error) {
	said := &retold{known: r.known, said: make([]bool, len(r.known.Log))}
	ranking, err := run(ctx, r.Log(said))
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if first, ok := r.firstChange(); ok {
		return &first, nil
	}
	then := r.known.Run
	switch {
	case err != nil:
		return &Divergence{What: err.Error()}, nil
	case !slices.Equal(ranking, then.Ranking):
		return &Divergence{What: fmt.Sprintf("the ranking was %v, now %v", then.Ranking, ranking)}, nil
	}
	if i := slices.Index(said.said, false); i >= 0 {
		e := r.known.Log[i]
		return &Divergence{e.ID, Difference{ID: e.ID, A: e.Canonical()}.String()}, nil
	}
	return nil, nil
}

// retold is a [message.Log] that notes which messages of a known log were said
// again. Whoever writes to it has compared them.
type retold struct {
	known *Trajectory
	mu    sync.Mutex
	said  []bool
}

// Append implements [message.Log].
func (l *retold) Append(_ context.Context, e message.Envelope) error {
	i, ok := l.known.index(e.ID)
	if !ok {
		return fmt.Errorf("append %s: the record has no such message", e.ID)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.said[i] = true
	return nil
}
