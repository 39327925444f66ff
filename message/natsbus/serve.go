package natsbus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/mars-rec/mars/message"
)

// service is a handler that is served.
type service struct {
	bus     *Bus
	ctx     context.Context //nolint:containedctx // its end is the end of the service
	handler message.Handler
	left    chan struct{} // closed when the server has been told that it ended

	mu     sync.Mutex
	atWork map[string]context.CancelFunc // by reply subject
}

// Serve implements [message.Bus].
func (b *Bus) Serve(ctx context.Context, a message.Address, h message.Handler) error {
	if err := b.serve(ctx, a, h); err != nil {
		return fmt.Errorf("serve %s: %w", a, err)
	}
	return nil
}

func (b *Bus) serve(ctx context.Context, a message.Address, h message.Handler) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s := &service{bus: b, ctx: ctx, handler: h, left: make(chan struct{}), atWork: map[string]context.CancelFunc{}}
	if err := b.claim(ctx, a, s); err != nil {
		return err
	}
	subject := b.cfg.Subject(a)
	sub, err := b.subscribe(ctx, subject, s)
	if err != nil {
		b.release(a, s)
		close(s.left)
		return err
	}
	b.wg.Add(1)
	context.AfterFunc(ctx, func() {
		defer b.wg.Done()
		defer close(s.left)
		// What the server has sent already is still answered: with no-agent.
		_ = sub.Drain() // an error: the connection is closed
		b.release(a, s)
	})
	return nil
}

// subscribe listens at the subject, unless another process is heard there.
func (b *Bus) subscribe(ctx context.Context, subject string, s *service) (*nats.Subscription, error) {
	probe := nats.NewMsg(subject)
	probe.Header.Set(probeHeader, "?")
	within, cancel := context.WithTimeout(ctx, b.cfg.Every)
	defer cancel()
	m, err := b.nc.RequestMsgWithContext(within, probe)
	switch {
	case err == nil && m.Header.Get(statusHeader) != statusNoAgent:
		return nil, message.ErrTaken
	case err != nil && !errors.Is(err, nats.ErrNoResponders):
		return nil, err
	}
	sub, err := b.nc.QueueSubscribe(subject, queue, s.receive)
	if err != nil {
		return nil, err
	}
	if err := sub.SetPendingLimits(-1, -1); err != nil { // nothing is dropped
		return nil, errors.Join(err, sub.Unsubscribe())
	}
	if err := b.nc.FlushWithContext(within); err != nil { // from here on it is reached
		return nil, errors.Join(err, sub.Unsubscribe())
	}
	return sub, nil
}

// claim takes an address within the bus. Of one whose service has ended it waits
// until the server knows, or the old one would still get requests.
func (b *Bus) claim(ctx context.Context, a message.Address, s *service) error {
	for {
		b.mu.Lock()
		before := b.served[a]
		if before == nil {
			b.served[a] = s
			b.mu.Unlock()
			return nil
		}
		b.mu.Unlock()
		if before.ctx.Err() == nil {
			return message.ErrTaken
		}
		select {
		case <-before.left:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (b *Bus) release(a message.Address, s *service) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.served[a] == s {
		delete(b.served, a)
	}
}

// receive gets what comes to the address, one message after another.
func (s *service) receive(m *nats.Msg) {
	if id := m.Header.Get(cancelHeader); id != "" {
		s.mu.Lock()
		defer s.mu.Unlock()
		if cancel := s.atWork[id]; cancel != nil {
			cancel()
		}
		return
	}
	if s.ctx.Err() != nil {
		respond(m, statusNoAgent, nil)
		return
	}
	if m.Header.Get(probeHeader) != "" {
		respond(m, statusWorking, nil)
		return
	}
	ctx, cancel := context.WithCancel(s.ctx)
	s.mu.Lock()
	s.atWork[m.Reply] = cancel
	s.mu.Unlock()
	s.bus.wg.Go(func() {
		defer func() {
			cancel()
			s.mu.Lock()
			delete(s.atWork, m.Reply)
			s.mu.Unlock()
		}()
		s.answer(ctx, m)
	})
}

// answer lets the handler work, and says meanwhile that it does.
func (s *service) answer(ctx context.Context, m *nats.Msg) {
	working, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(s.bus.cfg.Every)
		defer tick.Stop()
		for {
			respond(m, statusWorking, func(h nats.Header) { h.Set(everyHeader, s.bus.cfg.Every.String()) })
			select {
			case <-working.Done():
				return
			case <-tick.C:
			}
		}
	})
	payload, err := s.handle(ctx, m.Data)
	stop()
	wg.Wait() // so that the answer is the last that is sent
	if err == nil && int64(len(payload)) > s.bus.nc.MaxPayload() {
		err = fmt.Errorf("the answer has %d bytes, and the server's max_payload is %d", len(payload), s.bus.nc.MaxPayload())
	}
	if err != nil {
		fail := nats.NewMsg(m.Reply)
		fail.Header.Set(statusHeader, statusError)
		fail.Data = []byte(err.Error())
		_ = m.RespondMsg(fail) // without a connection the asker finds us silent
		return
	}
	_ = m.Respond(payload)
}

func (s *service) handle(ctx context.Context, payload []byte) ([]byte, error) {
	var question message.Envelope
	if err := json.Unmarshal(payload, &question); err != nil {
		return nil, fmt.Errorf("the question is no envelope: %w", err)
	}
	answer, err := s.handler(ctx, question)
	if err != nil {
		return nil, err
	}
	return message.Marshal(answer)
}

// respond answers with a status alone.
func respond(m *nats.Msg, status string, more func(nats.Header)) {
	r := nats.NewMsg(m.Reply)
	r.Header.Set(statusHeader, status)
	if more != nil {
		more(r.Header)
	}
	_ = m.RespondMsg(r) // without a connection the asker finds us silent
}
