package model

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Timeout gives each call at most that long; 0 is without end. A call that is
// cut off is [Temporary], and may be billed. It belongs next to the adapter:
// around a [Limiter] it would count the time that a call waits for its turn.
func Timeout(m Model, limit time.Duration) Model {
	if limit <= 0 {
		return m
	}
	return &timed{m, limit, &Error{Temporary: true, Err: fmt.Errorf("no reply within %s", limit)}}
}

type timed struct {
	model Model
	limit time.Duration
	late  *Error
}

// Generate implements [Model].
func (t *timed) Generate(ctx context.Context, req Request) (reply Reply, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, t.limit, t.late)
	defer cancel()
	reply, err = t.model.Generate(ctx, req)
	if ours := (*Error)(nil); err != nil && ctx.Err() != nil && errors.As(context.Cause(ctx), &ours) && ours == t.late {
		return Reply{}, t.late
	}
	return reply, err
}
