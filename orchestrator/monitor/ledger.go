package monitor

import (
	"context"
	"sync"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/orchestrator"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tools"
)

// Ledger tells of each fact that is fetched and appended to a log of the ledger:
// of models' replies and of tools' results. What a run recalls from its record is
// not told again.
func Ledger(l orchestrator.Ledger, o Observer) orchestrator.Ledger { return ledger{l, o} }

type ledger struct {
	next orchestrator.Ledger
	o    Observer
}

// Begin implements [orchestrator.Ledger].
func (l ledger) Begin(ctx context.Context, run string, task tasks.Task) (orchestrator.Entry, error) {
	e, err := l.next.Begin(ctx, run, task)
	if err != nil {
		return nil, err
	}
	return Entry(run, e, l.o), nil
}

// Entry is [Ledger] for one run, where its ledger is elsewhere.
func Entry(run string, e orchestrator.Entry, o Observer) orchestrator.Entry {
	return &entry{Entry: e, run: run, o: o, known: map[message.ID]bool{}}
}

type entry struct {
	orchestrator.Entry
	run string
	o   Observer

	mu    sync.Mutex
	known map[message.ID]bool // facts that were recalled or told
}

// Facts is how many facts there are to recall; where the entry does not say, there
// may be some.
func (e *entry) Facts() int {
	if counts, ok := e.Entry.(interface{ Facts() int }); ok {
		return counts.Facts()
	}
	return 1
}

// Recall implements agents.Record.
func (e *entry) Recall(id message.ID, digest string) (message.Envelope, bool, error) {
	fact, ok, err := e.Entry.Recall(id, digest)
	if ok {
		e.isNew(id)
	}
	return fact, ok, err
}

// Append implements [message.Log].
func (e *entry) Append(ctx context.Context, m message.Envelope) error {
	err := e.Entry.Append(ctx, m)
	if err != nil || !m.Fact() || !e.isNew(m.ID) {
		return err
	}
	out := Event{Run: e.run, Path: m.ID, Role: m.From, Took: m.Meta.Duration, Usage: m.Meta.Usage, Attempts: m.Meta.Attempts, Cached: m.Meta.Cached}
	switch m.Kind {
	case model.Output{}.Kind():
		out.Kind, out.Name = Replied, m.Meta.Model
	case tools.Result{}.Kind():
		result, bad := message.Decode[tools.Result](m)
		if bad != nil {
			return nil // whose it is cannot be told
		}
		out.Kind, out.Name, out.Refused = ToolCalled, result.Tool, result.Error != ""
	default:
		return nil // the answer of an agent in another process
	}
	e.o.Observe(out)
	return nil
}

// isNew reports whether a fact is seen for the first time.
func (e *entry) isNew(id message.ID) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.known[id] {
		return false
	}
	e.known[id] = true
	return true
}
