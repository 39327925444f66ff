package agents

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/mars-rec/mars/message"
)

// QuestionDigest is the digest of what is asked of an agent in another process:
// "outside/1:" and, in hex, the SHA-256 over the address, the kind and the body,
// each followed by a newline. JSON on one line has none.
func QuestionDigest(q message.Envelope) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%s\n%s\n", q.To, q.Kind, q.Body)
	return "outside/1:" + hex.EncodeToString(h.Sum(nil))
}

// spoken is the body of an answer as it came.
type spoken struct {
	kind message.Kind
	body json.RawMessage
}

// Kind implements [message.Body].
func (s spoken) Kind() message.Kind { return s.kind }

// MarshalJSON implements [json.Marshaler].
func (s spoken) MarshalJSON() ([]byte, error) { return s.body, nil }

// askOutside asks an agent in another process. How it came to its answer is its
// own affair: the answer is one fact, the first thing said below the question,
// and only its kind and body are taken from the other side.
func (t *Turn) askOutside(ctx context.Context, bus message.Bus, q message.Envelope) (message.Envelope, error) {
	a, err := t.fact(ctx, q.ID.Child(1), QuestionDigest(q), func(e *message.Envelope) (message.Body, error) {
		if bus == nil {
			return nil, message.ErrNoAgent
		}
		said, err := bus.Request(ctx, q)
		if err != nil {
			return nil, err
		}
		if said.Kind == "" || !json.Valid(said.Body) {
			return nil, errors.New("the answer has no kind, or a body that is not JSON")
		}
		e.From, e.To = q.To, q.From
		return spoken{said.Kind, said.Body}, nil
	}, []message.ID{q.ID})
	if err != nil {
		return a, fmt.Errorf("%s: ask %s %s: %w", t.Self, q.To, q.ID, err)
	}
	return a, nil
}
