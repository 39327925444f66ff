// Package ledger lets a batch write its runs to a run store, and go on with those
// that are there: it stands between the orchestrator, which knows no store, and the
// store, which knows no orchestrator.
//
//	orchestrator.Batch ── Ledger ──> ledger.New(st)           runs of tasks
//	                                 ledger.Fork(st, ...)     one run, whose first part is another's
package ledger

import (
	"context"
	"errors"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/orchestrator"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/trajectories"
	"github.com/mars-rec/mars/trajectories/store"
)

// New returns the ledger of a run store. A run that is done there is skipped; one
// that was interrupted or has failed goes on from the facts that were recorded.
// Tasks that nobody has begun when a batch is stopped are in the store only if they
// were put there before, by [store.Store.Add].
func New(st *store.Store) orchestrator.Ledger { return runs{st} }

type runs struct{ store *store.Store }

// Begin implements [orchestrator.Ledger].
func (l runs) Begin(ctx context.Context, run string, task tasks.Task) (orchestrator.Entry, error) {
	return begin(ctx, l.store, run, task)
}

// begin opens the run of that id.
func begin(ctx context.Context, st *store.Store, run string, task tasks.Task) (orchestrator.Entry, error) {
	r, err := st.BeginAs(ctx, run, task)
	if errors.Is(err, store.ErrDone) {
		return nil, orchestrator.ErrDone
	}
	if err != nil {
		return nil, err
	}
	return entry{r}, nil
}

type entry struct{ *store.Run }

// Seal implements [orchestrator.Entry].
func (e entry) Seal(ctx context.Context, r orchestrator.Result) error {
	return e.Run.Seal(ctx, r.Ranking)
}

// Fork returns the ledger of one run that continues another one from a message on:
// what the other has before it is taken from there, and must be said again byte for
// byte; see [trajectories.Fork]. The run goes by the id given, whatever id the batch
// has for the task.
func Fork(st *store.Store, run string, from *trajectories.Trajectory, at message.ID) orchestrator.Ledger {
	return fork{st, run, from, at}
}

type fork struct {
	store *store.Store
	run   string
	from  *trajectories.Trajectory
	at    message.ID
}

// Begin implements [orchestrator.Ledger].
func (l fork) Begin(ctx context.Context, _ string, task tasks.Task) (orchestrator.Entry, error) {
	e, err := begin(ctx, l.store, l.run, task)
	if err != nil {
		return nil, err
	}
	known := trajectories.Fork(l.from, l.at)
	return forked{Entry: e, known: known, log: known.Log(e)}, nil
}

// forked is a run whose first part is known from another, and of whose rest an
// earlier try may have recorded something.
type forked struct {
	orchestrator.Entry
	known *trajectories.Record
	log   message.Log
}

// Append implements [message.Log].
func (e forked) Append(ctx context.Context, m message.Envelope) error { return e.log.Append(ctx, m) }

// Recall implements the agents' record.
func (e forked) Recall(id message.ID, digest string) (message.Envelope, bool, error) {
	fact, ok, err := e.known.Recall(id, digest)
	if ok || err != nil {
		return fact, ok, err
	}
	return e.Entry.Recall(id, digest)
}
