package trajectories

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/mars-rec/mars/message"
)

// Recorder is a [message.Log] in memory. The zero value is ready to use.
type Recorder struct {
	mu sync.Mutex
	at map[message.ID]message.Envelope
}

// Append implements [message.Log].
func (r *Recorder) Append(_ context.Context, e message.Envelope) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if have, ok := r.at[e.ID]; ok {
		if !have.Equal(e) {
			return fmt.Errorf("append %s: %w", e.ID, message.ErrConflict)
		}
		return nil
	}
	if r.at == nil {
		r.at = map[message.ID]message.Envelope{}
	}
	// The caller may go on to use its slices; the log may not change with them.
	e.Body, e.Refs = bytes.Clone(e.Body), slices.Clone(e.Refs)
	r.at[e.ID] = e
	return nil
}

// Log returns what was appended, sorted by ID.
func (r *Recorder) Log() []message.Envelope {
	r.mu.Lock()
	defer r.mu.Unlock()
	log := make([]message.Envelope, 0, len(r.at))
	for _, e := range r.at {
		log = append(log, e)
	}
	Sort(log)
	return log
}

// Trajectory returns what was appended as the log of run.
func (r *Recorder) Trajectory(run Run) *Trajectory { return &Trajectory{Run: run, Log: r.Log()} }
