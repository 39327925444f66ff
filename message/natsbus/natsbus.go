// Package natsbus is the bus over NATS: agents in other processes, on other
// machines, in other languages.
//
//	asker ── request ──> mars.agents.<address> ──> the agent that serves it
//	      <── working ──   (at once, then every few seconds)
//	      <── answer ───   or what went wrong
//
// A request is one NATS message whose payload is the envelope as JSON. Its
// answer is one message to the request's reply subject:
//
//	payload                         header Mars-Status
//	the answer's envelope           (none)
//	what went wrong, as text        error
//	nothing                         no-agent: it serves no longer
//	nothing                         working: more is to come; Mars-Every says
//	                                within what time, such as 5s
//
// An agent in another language needs to do no more than answer with
// {"kind":"analysis","body":{...}}: an ID, From, To and Refs that are missing are
// those of the first thing said in answer. One that never says "working" is
// waited for until the asker's context ends; one that does, and then falls
// silent for three times its interval, is gone, and the request is an error.
//
// When the asker's context ends it sends a message with the header Mars-Cancel,
// the reply subject of the request, to the same address.
//
// NATS as such delivers at most once, so a request is never repeated by the bus:
// the agent may have done the work, and its answer may have cost money. The run
// fails, and goes on from its record when it is made again.
package natsbus

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/mars-rec/mars/message"
)

const (
	statusHeader = "Mars-Status"
	everyHeader  = "Mars-Every"
	cancelHeader = "Mars-Cancel"
	probeHeader  = "Mars-Probe"

	statusError   = "error"
	statusNoAgent = "no-agent"
	statusWorking = "working"

	queue = "agent"
)

// ErrSilent says that an agent that was at work has not been heard of for too
// long: it, or the way to it, is gone.
var ErrSilent = errors.New("the agent has fallen silent")

// Config says how a bus uses NATS. The zero value is ready to use.
type Config struct {
	Prefix string        // of all subjects; "": mars.agents
	Every  time.Duration // how often an agent at work says so; 0: 5 s
}

// Bus is a [message.Bus] over a NATS connection.
//
// That an address has one handler is certain within a Bus. Across processes a
// second Serve is refused if the first is heard; of two that start at the same
// moment both may serve, and then each request goes to one of them.
type Bus struct {
	nc  *nats.Conn
	cfg Config

	mu     sync.Mutex
	served map[message.Address]*service
	wg     sync.WaitGroup
}

// New returns a bus over a connection, which stays the caller's to close.
func New(nc *nats.Conn, cfg Config) *Bus {
	if cfg.Prefix == "" {
		cfg.Prefix = "mars.agents"
	}
	if cfg.Every <= 0 {
		cfg.Every = 5 * time.Second
	}
	return &Bus{nc: nc, cfg: cfg, served: map[message.Address]*service{}}
}

// Wait returns when no handler is at work; it is for after the contexts that
// were given to Serve have ended.
func (b *Bus) Wait() { b.wg.Wait() }

// Subject is where the agent of an address listens: the prefix and the address,
// a slash as a dot; other characters that a subject cannot have are %XX.
func (c Config) Subject(a message.Address) string {
	var s strings.Builder
	for i, r := range []byte(a) {
		switch {
		case r == '/' && i > 0 && i < len(a)-1 && a[i-1] != '/':
			s.WriteByte('.')
		case r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '-' || r == '_':
			s.WriteByte(r)
		default:
			s.WriteString("%" + hex.EncodeToString([]byte{r}))
		}
	}
	prefix := c.Prefix
	if prefix == "" {
		prefix = "mars.agents"
	}
	return prefix + "." + s.String()
}

// Request implements [message.Bus].
func (b *Bus) Request(ctx context.Context, e message.Envelope) (message.Envelope, error) {
	answer, err := b.request(ctx, e)
	if err != nil {
		return message.Envelope{}, fmt.Errorf("request %s to %s: %w", e.ID, e.To, err)
	}
	return answer, nil
}

func (b *Bus) request(ctx context.Context, e message.Envelope) (message.Envelope, error) {
	var none message.Envelope
	if err := ctx.Err(); err != nil {
		return none, err
	}
	payload, err := message.Marshal(e)
	if err != nil {
		return none, err
	}
	inbox := b.nc.NewInbox()
	sub, err := b.nc.SubscribeSync(inbox)
	if err != nil {
		return none, err
	}
	defer sub.Unsubscribe() //nolint:errcheck // it ends with the connection too
	subject := b.cfg.Subject(e.To)
	if err := b.nc.PublishRequest(subject, inbox, payload); err != nil {
		return none, err
	}
	every := time.Duration(0)
	for {
		m, err := next(ctx, sub, 3*every)
		switch {
		case ctx.Err() != nil:
			cancel := nats.NewMsg(subject)
			cancel.Header.Set(cancelHeader, inbox)
			return none, errors.Join(ctx.Err(), b.nc.PublishMsg(cancel))
		case errors.Is(err, nats.ErrNoResponders):
			return none, message.ErrNoAgent
		case err != nil:
			return none, err
		}
		switch m.Header.Get(statusHeader) {
		case statusWorking:
			if every, err = time.ParseDuration(m.Header.Get(everyHeader)); err != nil || every <= 0 {
				return none, fmt.Errorf("the header %s is %q: want a time such as 5s", everyHeader, m.Header.Get(everyHeader))
			}
		case statusNoAgent:
			return none, message.ErrNoAgent
		case statusError:
			return none, errors.New(string(m.Data))
		default:
			return read(e, m.Data)
		}
	}
}

// next waits for a message: until the context ends or, if patience is not 0, for
// so long.
func next(ctx context.Context, sub *nats.Subscription, patience time.Duration) (*nats.Msg, error) {
	if patience == 0 {
		return sub.NextMsgWithContext(ctx)
	}
	within, cancel := context.WithTimeoutCause(ctx, patience, ErrSilent)
	defer cancel()
	m, err := sub.NextMsgWithContext(within)
	if err != nil && within.Err() != nil {
		err = context.Cause(within)
	}
	return m, err
}

// read makes an envelope of an answer's payload.
func read(question message.Envelope, payload []byte) (message.Envelope, error) {
	var a message.Envelope
	if err := json.Unmarshal(payload, &a); err != nil {
		return a, fmt.Errorf("the answer is no envelope: %w", err)
	}
	if a.Kind == "" || len(a.Body) == 0 {
		return a, errors.New("the answer is no envelope: it has no kind or no body")
	}
	if a.ID == "" {
		a.ID = question.ID.Child(1)
	}
	if a.From == "" {
		a.From, a.To = question.To, question.From
	}
	if len(a.Refs) == 0 {
		a.Refs = []message.ID{question.ID}
	}
	return a, nil
}
