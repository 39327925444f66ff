package trajectories

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/mars-rec/mars/message"
)

// Log returns a log that compares every message with the record before it is
// handed to next.
//
// Under [Replay] and [ReplayTools] a message that differs from the record, or
// that the record does not have, is refused with [ErrDiverged]. A tool's result
// that was executed anew is such a message. Under [Fork] that holds for what
// comes before the point. Under [Resume], and from the point on, it is
// remembered and passed on: it is what [Record.Recall] then gives as the reason
// why a request has changed.
func (r *Record) Log(next message.Log) message.Log {
	return message.LogFunc(func(ctx context.Context, e message.Envelope) error {
		then, found := r.known.Find(e.ID)
		same := found && then.Equal(e)
		if found && !same {
			r.mu.Lock()
			if r.changed == nil {
				r.changed = map[message.ID]message.Envelope{}
			}
			r.changed[e.ID] = e
			r.mu.Unlock()
		}
		switch {
		case same || !r.strict(e.ID):
			return next.Append(ctx, e)
		case found:
			return fmt.Errorf("%w: %s", ErrDiverged, contrast(then, e))
		default:
			return fmt.Errorf("%w: %s %s is not in the record", ErrDiverged, e.Kind, e.ID)
		}
	})
}

// firstChange returns the first message, in the order of the causal tree, that
// a run said otherwise than the record, and how it differs. When several agents
// diverge at once their order in time is chance; this is not.
func (r *Record) firstChange() (d Divergence, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.changed) == 0 {
		return Divergence{}, false
	}
	id := slices.MinFunc(slices.Collect(maps.Keys(r.changed)), message.ID.Compare)
	then, _ := r.known.Find(id)
	return Divergence{id, contrast(then, r.changed[id])}, true
}
