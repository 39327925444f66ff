package cluster

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Replies keeps replies of models on the server, for the workers of a batch and of
// those that come after it under its name. It is a shelf for a cache of replies:
//
//	stream MARS-REPLIES_name   mars.cluster.name.reply.<key, in hex>   one message each
//
// The coordinator makes the stream, of so many bytes; what was written longest ago
// goes first. It is no record: where the server loses it, replies are paid for anew.
type Replies struct {
	stream jetstream.Stream
	js     jetstream.JetStream
	names  names
}

// shelving is how long a call waits for the server to find or keep a reply.
const shelving = 2 * time.Second

// Replies returns the shelf of the batch; nil if its coordinator keeps none.
func (w *Worker) Replies(ctx context.Context) (*Replies, error) {
	if !w.join.Replies {
		return nil, nil
	}
	stream, err := w.js.Stream(ctx, w.names.shelf())
	if err != nil {
		return nil, fmt.Errorf("replies of all workers, %s: %w", w.names.shelf(), err)
	}
	return &Replies{stream, w.js, w.names}, nil
}

// Get returns what was put under the key last, or nothing.
func (r *Replies) Get(ctx context.Context, key [32]byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, shelving)
	defer cancel()
	m, err := r.stream.GetLastMsgForSubject(ctx, r.names.reply(key))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return m.Data, nil
}

// Put keeps a text under the key, unless it is larger than the server carries.
func (r *Replies) Put(ctx context.Context, key [32]byte, text []byte) error {
	ctx, cancel := context.WithTimeout(ctx, shelving)
	defer cancel()
	_, err := r.js.Publish(ctx, r.names.reply(key), text)
	if errors.Is(err, nats.ErrMaxPayload) {
		return nil
	}
	return err
}

// shelve makes room on the server for so many bytes of replies, or finds it.
func (q *queue) shelve(ctx context.Context) error {
	if q.replies == 0 {
		return nil
	}
	_, err := q.js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name:              q.names.shelf(),
		Description:       "replies of models, for all workers; what is lost is paid again",
		Subjects:          []string{q.names.prefix + ".reply.*"},
		Storage:           jetstream.FileStorage,
		MaxBytes:          q.replies,
		MaxMsgsPerSubject: 1,
		Discard:           jetstream.DiscardOld,
		AllowDirect:       true,
	})
	if err != nil {
		return fmt.Errorf("room for %d bytes of replies: %w", q.replies, err)
	}
	return nil
}

// shelf is the stream of replies. No batch has a queue of that name.
func (n names) shelf() string { return "MARS-REPLIES_" + n.batch }

func (n names) reply(key [32]byte) string {
	return n.prefix + ".reply." + hex.EncodeToString(key[:])
}
