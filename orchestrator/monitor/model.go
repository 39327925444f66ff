package monitor

import (
	"context"
	"time"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/model"
)

// Model tells of each call to the model of that name. Put around an adapter and
// under what repeats its calls, it tells of each attempt, without the time that
// was spent in queues. Clock may be nil: time.Now.
func Model(name string, m model.Model, o Observer, clock func() time.Time) model.Model {
	if clock == nil {
		clock = time.Now
	}
	return model.Func(func(ctx context.Context, req model.Request) (model.Reply, error) {
		e := Event{Kind: AttemptMade, Run: req.Run, Path: req.Path, Role: message.Address(req.Caller), Name: name}
		o.Observe(e)
		began := clock()
		reply, err := m.Generate(ctx, req)
		e.Kind, e.Took, e.Usage, e.Cached, e.Err = AttemptOver, clock().Sub(began), reply.Usage, reply.Cached, err
		o.Observe(e)
		return reply, err
	})
}
