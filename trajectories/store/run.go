package store

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/message/rawjson"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/trajectories"
)

var errEnded = errors.New("the run has ended")

// maxBody is the largest body that a store takes, in bytes.
const maxBody = 16 << 20

// Run is one run that is being written. It is the run's [message.Log] and its
// agents.Record, and safe for concurrent use. Exactly one of Seal and Fail
// ends it; a Run that is dropped instead counts as interrupted, and [Store.Begin]
// goes on with it. What is appended is not copied.
type Run struct {
	store  *Store
	record *trajectories.Record

	thread *thread

	mu    sync.Mutex
	row   runRow
	ended bool
	log   []message.Envelope  // sorted by ID
	seqs  []int64             // of each: its place among the facts, from 1; 0: it is none
	last  int64               // of the last fact
	facts map[message.ID]bool // recorded before; true once the run has said them again
}

// Begin opens the run of a task: a new one, or one that was interrupted or has
// failed, whose facts are then known. Of a run that is done it returns
// [ErrDone]. A run that is begun again is taken from whoever held it in this
// process.
func (s *Store) Begin(ctx context.Context, task tasks.Task) (*Run, error) {
	return s.BeginAs(ctx, task.ID, task)
}

// BeginAs is like [Store.Begin] for one of several runs of the same task,
// which go by ids of their own.
func (s *Store) BeginAs(ctx context.Context, id string, task tasks.Task) (*Run, error) {
	r, err := s.begin(ctx, id, task)
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", id, err)
	}
	return r, nil
}

func (s *Store) begin(ctx context.Context, id string, task tasks.Task) (*Run, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.writer == nil {
		return nil, errReadOnly
	}
	if before := s.live[id]; before != nil {
		if before.end() {
			s.writer.working.Add(-1)
		}
		done := make(chan error, 1)
		if err := s.writer.put(ctx, write{thread: before.thread, done: done}); err != nil {
			return nil, err
		}
		if err := wait(ctx, done); err != nil { // now what it had can be read
			return nil, err
		}
		delete(s.live, id)
	}
	row, recorded, chain, err := s.row(ctx, id, task)
	if err != nil {
		return nil, err
	}
	if row.status == trajectories.Done {
		return nil, ErrDone
	}
	r := &Run{store: s, row: row, thread: &thread{run: row.number, id: row.id, chain: chain}}
	r.log, r.seqs = s.room.log()
	w := write{thread: r.thread}
	if row.status == trajectories.Failed {
		if recorded, err = s.log(ctx, s.readers, row); err != nil {
			return nil, err
		}
		recorded = slices.DeleteFunc(recorded, func(m stored) bool { return !m.Fact() })
		slices.SortFunc(recorded, func(a, b stored) int { return cmp.Compare(a.seq, b.seq) })
		w.reopened = row.number // its facts are written anew
		r.thread.add(recorded...)
	}
	if err := r.know(recorded); err != nil {
		return nil, err
	}
	r.row.status, r.row.cause, r.row.log, r.row.attempts = trajectories.Running, "", "", r.row.attempts+1
	w.runs = []runRow{r.row}
	if err := s.writer.put(ctx, w); err != nil {
		return nil, err
	}
	if !r.row.there {
		s.next++
	}
	r.row.there = true
	s.live[id] = r
	s.writer.working.Add(1)
	return r, nil
}

// know makes the run one of which facts are recorded, in the order in which they
// came.
func (r *Run) know(facts []stored) error {
	known := &trajectories.Trajectory{}
	r.facts = make(map[message.ID]bool, len(facts))
	for _, m := range facts {
		at, again := r.find(m.ID)
		if again {
			return fmt.Errorf("message %s: %w: it is there twice", m.ID, ErrDamaged)
		}
		r.insert(at, m.Envelope, m.seq)
		r.facts[m.ID], r.last = false, m.seq
	}
	known.Log = slices.Clone(r.log)
	r.record = trajectories.Resume(known)
	return nil
}

// find returns where the message of an ID is, or would be.
func (r *Run) find(id message.ID) (at int, there bool) {
	return slices.BinarySearchFunc(r.log, id, func(e message.Envelope, id message.ID) int { return e.ID.Compare(id) })
}

func (r *Run) insert(at int, e message.Envelope, seq int64) {
	r.log, r.seqs = slices.Insert(r.log, at, e), slices.Insert(r.seqs, at, seq)
}

// end makes the run refuse everything from now on. It reports whether it was at
// work.
func (r *Run) end() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	working := !r.ended
	r.ended = true
	return working
}

// Append implements [message.Log]. A fact is queued to be written, and with
// [Config.Step] waited for; other messages are kept until the run ends.
func (r *Run) Append(ctx context.Context, e message.Envelope) error {
	if err := check(e); err != nil {
		return fmt.Errorf("run %s: append %s: %w", r.row.id, e.ID, err)
	}
	done, err := r.append(ctx, e)
	if err == nil && done != nil {
		err = wait(ctx, done)
	}
	if err != nil {
		return fmt.Errorf("run %s: append %s: %w", r.row.id, e.ID, err)
	}
	return nil
}

func (r *Run) append(ctx context.Context, e message.Envelope) (done chan error, err error) {
	isNew, tell, err := r.keep(e)
	if !isNew || !e.Fact() {
		return nil, err
	}
	w := write{thread: r.thread}
	if r.store.cfg.Step {
		done = make(chan error, 1)
		w.done = done
	} else if !tell {
		return nil, r.store.writer.failure() // it will come to it, unless it has stopped
	}
	if err := r.store.writer.put(ctx, w); err != nil {
		r.thread.untold()
		return nil, err
	}
	return done, nil
}

// keep takes a message into the log, and a fact among those to be written. New
// says that it was not there.
func (r *Run) keep(e message.Envelope) (isNew, tell bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return false, false, errEnded
	}
	at, there := r.find(e.ID)
	if there {
		if !r.log[at].Equal(e) {
			return false, false, message.ErrConflict
		}
		if _, recorded := r.facts[e.ID]; recorded {
			r.facts[e.ID] = true
		}
		return false, false, nil
	}
	e = e.With(nil)
	if !e.Fact() {
		r.insert(at, e, 0)
		return true, false, nil
	}
	if r.last == maxFacts {
		return false, false, fmt.Errorf("a run has at most %d facts", maxFacts)
	}
	r.last++
	r.insert(at, e, r.last)
	return true, r.thread.add(stored{e, r.last}), nil
}

// check refuses what could not be read back.
func check(e message.Envelope) error {
	if _, err := message.ParseID(string(e.ID)); err != nil {
		return err
	}
	switch {
	case len(e.Body) > maxBody:
		return fmt.Errorf("the body has %d bytes: at most %d are stored", len(e.Body), maxBody)
	case !e.IsCompact() && !rawjson.Valid(e.Body) && !json.Valid(e.Body):
		return errors.New("the body is not JSON")
	case strings.IndexByte(string(e.Kind), 0) >= 0, strings.IndexByte(string(e.From), 0) >= 0, strings.IndexByte(string(e.To), 0) >= 0:
		return errors.New("kind and addresses cannot contain NUL")
	}
	return nil
}

// Recall returns the fact at id if it was recorded in an earlier try and
// answers the request with that digest; see [trajectories.Resume].
func (r *Run) Recall(id message.ID, digest string) (message.Envelope, bool, error) {
	return r.record.Recall(id, digest)
}

// Facts returns the number of facts that were known when the run was begun.
func (r *Run) Facts() int { return len(r.facts) }

// Seal ends the run with its ranking, item ids best first. When it returns nil
// the run is done and durable. A fact that was recorded earlier and that the
// run has not asked for means that it took another way:
// [trajectories.ErrDiverged].
func (r *Run) Seal(ctx context.Context, ranking []string) error {
	text, err := message.Marshal(append([]string{}, ranking...))
	if err != nil {
		return err
	}
	return r.finish(ctx, func(log []message.Envelope) error {
		for _, e := range log {
			if again, recorded := r.facts[e.ID]; recorded && !again {
				return fmt.Errorf("%w: the fact recorded at %s was not asked for", trajectories.ErrDiverged, e.ID)
			}
		}
		r.row.status, r.row.ranking, r.row.seal = trajectories.Done, string(text), trajectories.Seal(log)
		return nil
	})
}

// Fail ends the run with the cause of its failure. Its facts stay known to
// whoever begins it again; when it returns nil the failure is durable.
func (r *Run) Fail(ctx context.Context, cause error) error {
	return r.finish(ctx, func([]message.Envelope) error {
		r.row.status, r.row.cause = trajectories.Failed, strings.ToValidUTF8(cause.Error(), "\uFFFD")
		return nil
	})
}

// finish writes what was kept, and the run's row as set leaves it.
func (r *Run) finish(ctx context.Context, set func(log []message.Envelope) error) error {
	err := r.write(ctx, set)
	if err != nil {
		return fmt.Errorf("run %s: %w", r.row.id, err)
	}
	r.store.mu.Lock()
	defer r.store.mu.Unlock()
	if r.store.live[r.row.id] == r {
		delete(r.store.live, r.row.id)
	}
	return nil
}

func (r *Run) write(ctx context.Context, set func(log []message.Envelope) error) error {
	done, packed, err := r.queue(ctx, set)
	if err != nil {
		return err
	}
	if err = wait(ctx, done); err == nil {
		r.store.room.putPacked(packed)
	}
	return err
}

// queue also returns what the writer has until it is done.
func (r *Run) queue(ctx context.Context, set func(log []message.Envelope) error) (done chan error, lent []byte, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return nil, nil, errEnded
	}
	if err := errors.Join(set(r.log), r.summarise(r.log)); err != nil {
		return nil, nil, err
	}
	packed, err := r.pack(ctx)
	if err != nil {
		return nil, nil, err
	}
	r.row.log = packed.digest(r.row.id)
	done = make(chan error, 1)
	w := r.store.writer
	w.working.Add(-1) // when the writer sees it, this run is none that may end
	if err := w.put(ctx, write{thread: r.thread, log: &packed, runs: []runRow{r.row}, done: done, patient: true}); err != nil {
		w.working.Add(1)
		return nil, nil, err
	}
	r.ended = true
	r.store.room.putLog(r.log, r.seqs)
	r.log, r.seqs = nil, nil
	return done, packed.packed, nil
}

// pack makes the row of the run's whole log.
func (r *Run) pack(ctx context.Context) (logRow, error) {
	shared, err := r.store.sharing.numbers(ctx, r.log, r.row.status == trajectories.Done)
	if err != nil {
		return logRow{}, err
	}
	p := r.store.room.packing()
	defer r.store.room.putPacking(p)
	b := p.text[:0]
	for i := range r.log {
		if b, err = appendMessage(b, &r.log[i], r.seqs[i], shared[i], p.meta); err != nil {
			return logRow{}, err
		}
		if len(b) > maxLog {
			return logRow{}, fmt.Errorf("the log has more than %d bytes, which is the most that is stored", maxLog)
		}
	}
	p.text = b
	p.block = r.store.zip.pack(p.block, b) // whose room is for the worst, too much for one that waits to be written
	return logRow{run: r.row.number, size: int64(len(b)), packed: append(r.store.room.packed(), p.block...)}, nil
}

// summarise keeps what lists of runs show.
func (r *Run) summarise(log []message.Envelope) error {
	c := trajectories.Count(log)
	r.row.messages, r.row.calls, r.row.tools = c.Messages, c.Calls, c.Tools
	r.row.inputTokens, r.row.outputTokens, r.row.cachedTokens = c.Usage.InputTokens, c.Usage.OutputTokens, c.Usage.CachedTokens
	models, err := message.Marshal(c.Models)
	r.row.models = string(models)
	return err
}
