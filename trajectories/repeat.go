package trajectories

import (
	"context"
	"fmt"
	"slices"

	"github.com/mars-rec/mars/message"
)

// Divergence is where a run that is repeated goes another way than its record.
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
	said := &Recorder{then: r.known}
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
	if d, ok := Diff(r.known, said.Trajectory(then)); ok {
		return &Divergence{d.ID, d.String()}, nil
	}
	return nil, nil
}
