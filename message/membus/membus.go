// Package membus is the bus within one process, the default of every run: a
// request is a call of the handler in the asker's goroutine. Nothing is copied
// and nothing is queued, so a run costs what its agents cost.
package membus

import (
	"context"
	"fmt"
	"sync"

	"github.com/mars-rec/mars/message"
)

// Bus is a [message.Bus] within one process. The zero value is ready to use.
type Bus struct {
	mu       sync.RWMutex
	handlers map[message.Address]*handler
}

type handler struct{ call message.Handler }

// New returns an empty bus.
func New() *Bus { return &Bus{} }

// Serve implements [message.Bus].
func (b *Bus) Serve(ctx context.Context, a message.Address, h message.Handler) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, ok := b.handlers[a]; ok {
		return fmt.Errorf("serve %s: %w", a, message.ErrTaken)
	}
	if b.handlers == nil {
		b.handlers = map[message.Address]*handler{}
	}
	own := &handler{call: h}
	b.handlers[a] = own
	if ctx.Done() == nil { // it never ends
		return nil
	}
	context.AfterFunc(ctx, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.handlers[a] == own {
			delete(b.handlers, a)
		}
	})
	return nil
}

// Request implements [message.Bus].
func (b *Bus) Request(ctx context.Context, e message.Envelope) (message.Envelope, error) {
	if err := ctx.Err(); err != nil {
		return message.Envelope{}, err
	}
	b.mu.RLock()
	h := b.handlers[e.To]
	b.mu.RUnlock()
	if h == nil {
		return message.Envelope{}, fmt.Errorf("request %s to %s: %w", e.ID, e.To, message.ErrNoAgent)
	}
	return h.call(ctx, e)
}
