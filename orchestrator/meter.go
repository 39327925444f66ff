package orchestrator

import (
	"context"
	"sync"

	"github.com/mars-rec/mars/message"
)

// Meter is an [Entry] that counts what its run fetches from outside on its way
// into the log.
type Meter struct {
	Entry
	mu       sync.Mutex
	recalled map[message.ID]bool
	counted  map[message.ID]bool
	calls    int
	usage    message.Usage
	free     Free
}

// facts is about how many a run has.
const facts = 24

// NewMeter returns a meter before an entry.
func NewMeter(e Entry) *Meter {
	return &Meter{Entry: e, counted: make(map[message.ID]bool, facts)}
}

// Count adds what was counted to an event.
func (m *Meter) Count(e *Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e.Calls += m.calls
	e.Usage.Add(&m.usage)
	e.Free.add(m.free)
}

// Recall implements [agents.Record].
func (m *Meter) Recall(id message.ID, digest string) (message.Envelope, bool, error) {
	e, ok, err := m.Entry.Recall(id, digest)
	if ok {
		m.mu.Lock()
		if m.recalled == nil {
			m.recalled = map[message.ID]bool{}
		}
		m.recalled[id] = true
		m.mu.Unlock()
	}
	return e, ok, err
}

// Append implements [message.Log].
func (m *Meter) Append(ctx context.Context, e message.Envelope) error {
	if e.Fact() {
		m.count(e)
	}
	return m.Entry.Append(ctx, e)
}

func (m *Meter) count(e message.Envelope) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.counted[e.ID] {
		return // the same again
	}
	m.counted[e.ID] = true
	switch asked := e.Meta.Model != ""; { // of a model, not of a tool
	case m.recalled[e.ID] && asked:
		m.free.Replayed++
		m.free.Recalled.Add(e.Meta.Usage)
	case m.recalled[e.ID]:
	case e.Meta.Cached:
		m.free.Cached++
		m.free.CachedUsage.Add(e.Meta.Usage)
	default:
		m.calls++
		m.usage.Add(e.Meta.Usage)
	}
}
