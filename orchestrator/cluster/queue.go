package cluster

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/mars-rec/mars/message"
)

// errFull is the server's code for a subject that has its one message.
const errFull jetstream.ErrorCode = 10077

// queue is the coordinator's side of the work queue.
type queue struct {
	js     jetstream.JetStream
	names  names
	atOnce int           // offers that are out at once
	lease  time.Duration // until an offer that a worker took comes back

	replies int64 // bytes of them that the server keeps; 0: there is no shelf
}

func newQueue(nc *nats.Conn, n names, atOnce int, cfg Config) (*queue, error) {
	js, err := jetstream.New(nc)
	return &queue{js: js, names: n, atOnce: atOnce, lease: cfg.Lease, replies: cfg.Replies}, err
}

// open makes the queue and the shelf of replies, or finds those that are there.
func (q *queue) open(ctx context.Context) error {
	_, err := q.js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name:                 q.names.stream,
		Description:          "runs to be made; rebuilt from the run store when it is lost",
		Subjects:             []string{q.names.offers()},
		Retention:            jetstream.WorkQueuePolicy,
		Storage:              jetstream.FileStorage,
		MaxMsgsPerSubject:    1,
		Discard:              jetstream.DiscardNew,
		DiscardNewPerSubject: true,
	})
	if err != nil {
		return err
	}
	_, err = q.js.CreateOrUpdateConsumer(ctx, q.names.stream, jetstream.ConsumerConfig{
		Durable:       consumer,
		AckPolicy:     jetstream.AckExplicitPolicy,
		AckWait:       q.lease,
		MaxDeliver:    -1,
		MaxAckPending: q.atOnce,
	})
	if err != nil {
		return err
	}
	return q.shelve(ctx)
}

// put offers a run. One that is offered already stays as it is.
func (q *queue) put(ctx context.Context, o offer) error {
	payload, err := message.Marshal(o)
	if err != nil {
		return err
	}
	_, err = q.js.Publish(ctx, q.names.offer(o.Run), payload)
	if api := (*jetstream.APIError)(nil); errors.As(err, &api) && api.ErrorCode == errFull {
		return nil
	}
	return err
}

// offered returns the subjects of the offers that the queue has, those that are
// at work included.
func (q *queue) offered(ctx context.Context) (map[string]uint64, error) {
	s, err := q.js.Stream(ctx, q.names.stream)
	if err != nil {
		return nil, err
	}
	if _, err := s.Consumer(ctx, consumer); err != nil {
		return nil, err
	}
	info, err := s.Info(ctx, jetstream.WithSubjectFilter(q.names.offers()))
	if err != nil {
		return nil, err
	}
	return info.State.Subjects, nil
}

// drop removes the queue.
func (q *queue) drop(ctx context.Context) error {
	err := q.js.DeleteStream(ctx, q.names.stream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil
	}
	return err
}
