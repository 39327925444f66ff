// Package message is the vocabulary of a run: what agents say to one another,
// and the two seams, [Bus] and [Log], through which they say it.
//
// A run is a tree of messages. Each message is an [Envelope] with a path [ID]:
// 1.3.2 is the second thing emitted while answering 1.3. The author of a
// message gives it its ID (the ID of the cause and an ordinal), so no central
// sequencer and no random identity is needed: agents that work in parallel get
// the same IDs on every run, and the sorted log of a run is byte-stable.
//
//	1            task            user      -> team
//	├─ 1.1       brief           team      -> planner
//	│  ├─ 1.1.1  prompt          planner
//	│  ├─ 1.1.2  prompt          planner
//	│  ├─ 1.1.3  reply           planner            (a fact from outside)
//	│  └─ 1.1.4  plan            planner   -> team  (the answer to 1.1)
//	├─ 1.2       brief           team      -> analyst/profile
//	│  ...
//
// # What is compared
//
// The canonical bytes of an envelope ([Envelope.Canonical]) are its ID, From,
// To, Kind, Body and Refs. Only these are compared by a replay and sealed by a
// store. Everything that may differ between two equal runs (time, duration,
// usage, attempts, the provider's own names) lives in [Meta].
//
// # Who appends
//
// Agents append what they emit. A question and its answer are appended by the
// asker: the question before it is delivered, the answer when it has arrived.
// So an agent in another process is one opaque fact, and only one side writes.
package message

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"
)

// Address names an agent within a run, for example "analyst/recent".
type Address string

// Kind names the type of a Body.
type Kind string

// Body is what a message says. Its kind is a constant of the type, so that
// [Decode] can check it on the zero value.
type Body interface{ Kind() Kind }

// Envelope is one message of a run.
type Envelope struct {
	ID   ID              `json:"id"`
	From Address         `json:"from"`
	To   Address         `json:"to,omitempty"` // empty: a note that nobody receives
	Kind Kind            `json:"kind"`
	Body json.RawMessage `json:"body"`
	Refs []ID            `json:"refs,omitempty"` // what the author had read when it wrote this
	Meta Meta            `json:"meta,omitzero"`

	body    Body // what Body was written from; nil: unknown, see With
	trusted bool // see Trusted
	compact bool // see Compact
}

// With returns e together with the value that its Body was written from, so that
// [Decode] need not read it again in this process; nil takes it away, as is
// right for a log. Both sides hold the value from then on: neither changes what
// it points to.
func (e Envelope) With(b Body) Envelope {
	e.body = b
	return e
}

// Trusted returns e as one whose Body is what [Marshal] wrote of a [Body] of its
// kind, as in a log that checked it when it took it and has its hash: [Decode]
// then does not check again that every byte of it is JSON.
func (e Envelope) Trusted() Envelope {
	e.trusted = true
	return e
}

// Compact returns e as one whose Body is what [Marshal] wrote in this process:
// JSON without a space too many. Its canonical bytes then have the Body as it is,
// and a log need not walk through it to see that it is JSON.
func (e Envelope) Compact() Envelope {
	e.compact = true
	return e
}

// IsCompact reports whether e is what [Envelope.Compact] returned.
func (e Envelope) IsCompact() bool { return e.compact }

// Meta is what may differ between two runs that are otherwise the same. It is
// hashed by a store and never compared by a replay.
type Meta struct {
	Time     time.Time     `json:"time,omitzero"`
	Duration time.Duration `json:"duration,omitempty"` // nanoseconds
	// Digest is the hash of the request that an outside fact answers. A
	// message with a digest is a fact: it cannot be derived, only recorded.
	Digest   string `json:"digest,omitempty"`
	Model    string `json:"model,omitempty"`    // the model's name as the user gave it
	Response string `json:"response,omitempty"` // the name under which the model answered, where that is another
	Provider string `json:"provider,omitempty"` // the provider's id of its reply
	Attempts int    `json:"attempts,omitempty"` // calls made, retries included
	Cached   bool   `json:"cached,omitempty"`   // answered by a cache: nothing was paid
	Usage    *Usage `json:"usage,omitempty"`    // nil: the provider did not say
}

// Usage counts the tokens of one model call.
type Usage struct {
	InputTokens  int `json:"input_tokens"`
	OutputTokens int `json:"output_tokens"`
	CachedTokens int `json:"cached_tokens,omitempty"` // of the input tokens, read from the provider's prompt cache
}

// Add adds what is known, which nil is not.
func (u *Usage) Add(more *Usage) {
	if more != nil {
		u.InputTokens += more.InputTokens
		u.OutputTokens += more.OutputTokens
		u.CachedTokens += more.CachedTokens
	}
}

// Fact reports whether the envelope is an outside fact: a model's reply, a
// tool's result, the answer of an agent in another process.
func (e Envelope) Fact() bool { return e.Meta.Digest != "" }

// Equal reports whether e and other have the same canonical bytes.
func (e Envelope) Equal(other Envelope) bool {
	if e.ID == other.ID && e.From == other.From && e.To == other.To && e.Kind == other.Kind &&
		slices.Equal(e.Refs, other.Refs) && bytes.Equal(e.Body, other.Body) {
		return true // nearly always: no need to write them
	}
	return bytes.Equal(e.Canonical(), other.Canonical())
}

// Log keeps the messages of one run.
//
// Append is idempotent: the same canonical bytes under the same ID change
// nothing; other bytes under an ID that is taken are refused with
// [ErrConflict]. It is safe for concurrent use. When it returns nil the
// message will be read back, in this process, by whoever reads the log;
// how durable it is then is for the implementation to say. The log may keep
// the Body and the Refs that it was given: from then on nobody changes them.
type Log interface {
	Append(ctx context.Context, e Envelope) error
}

// LogFunc makes a [Log] of a function.
type LogFunc func(ctx context.Context, e Envelope) error

// Append calls f.
func (f LogFunc) Append(ctx context.Context, e Envelope) error { return f(ctx, e) }

// ErrConflict says that an ID is already taken by other bytes.
var ErrConflict = errors.New("another message has this id")

// Handler answers a message. The envelope it returns is the answer: addressed
// to the asker, with an ID below the question's.
type Handler func(ctx context.Context, e Envelope) (Envelope, error)

// Bus carries questions to agents and answers back. It writes to no log.
//
// Serve registers the handler of an address; it returns at once, and the
// handler is served until ctx ends. An address has one handler: a second Serve
// is refused with [ErrTaken]. Request delivers e to the handler at e.To and
// waits for the answer or for ctx; where nobody serves e.To it returns
// [ErrNoAgent]. A handler's error reaches the asker with its text. Handlers
// run concurrently, one goroutine a request. Nothing is dropped.
type Bus interface {
	Request(ctx context.Context, e Envelope) (Envelope, error)
	Serve(ctx context.Context, a Address, h Handler) error
}

// Errors of a [Bus].
var (
	ErrNoAgent = errors.New("no agent serves this address")
	ErrTaken   = errors.New("another agent serves this address")
)
