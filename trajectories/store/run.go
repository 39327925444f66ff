package store

import (
	"bytes"
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
// goes on with it.
type Run struct {
	store  *Store
	record *trajectories.Record

	mu    sync.Mutex
	row   runRow
	ended bool
	seq   int64  // of the last fact that is written or queued
	chain []byte // its hash
	at    map[message.ID]stored
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
		before.end()
		done := make(chan error, 1)
		if err := s.writer.put(ctx, write{done: done}); err != nil {
			return nil, err
		}
		if err := wait(ctx, done); err != nil { // now what it had queued can be read
			return nil, err
		}
		delete(s.live, id)
	}
	row, isNew, err := s.row(ctx, id, task)
	if err != nil {
		return nil, err
	}
	if row.status == trajectories.Done {
		return nil, ErrDone
	}
	r := &Run{store: s, row: row, chain: chainStart(row.id), at: map[message.ID]stored{}, facts: map[message.ID]bool{}}
	w := write{run: row.id}
	known := &trajectories.Trajectory{}
	if !isNew {
		log, err := s.log(ctx, s.readers, row)
		if err != nil {
			return nil, err
		}
		log = slices.DeleteFunc(log, func(m stored) bool { return !m.Fact() })
		slices.SortFunc(log, func(a, b stored) int { return cmp.Compare(a.seq, b.seq) })
		facts, err := r.link(log)
		if err != nil {
			return nil, err
		}
		for _, m := range log {
			r.at[m.ID], r.facts[m.ID] = m, false
			known.Log = append(known.Log, m.Envelope)
		}
		if row.log != "" { // its facts become rows again
			w.reopened, w.facts = row.number, facts
		}
		r.advance(facts)
	}
	trajectories.Sort(known.Log)
	r.record = trajectories.Resume(known)
	r.row.status, r.row.cause, r.row.log, r.row.attempts = trajectories.Running, "", "", r.row.attempts+1
	w.runs = []runRow{r.row}
	if err := s.writer.put(ctx, w); err != nil {
		return nil, err
	}
	if isNew {
		s.next++
	}
	s.live[id] = r
	return r, nil
}

// row finds the row of the task's run, or makes a pending one.
func (s *Store) row(ctx context.Context, id string, task tasks.Task) (row runRow, isNew bool, err error) {
	if row, err = pending(s.next, id, task); err != nil {
		return row, false, err
	}
	stored, err := s.find(ctx, id)
	switch {
	case errors.Is(err, ErrNoRun):
		return row, true, nil
	case err != nil:
		return row, false, err
	case stored.task != row.task:
		return row, false, otherTask(id)
	}
	return stored, false, nil
}

// end makes the run refuse everything from now on.
func (r *Run) end() {
	r.mu.Lock()
	r.ended = true
	r.mu.Unlock()
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
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return nil, errEnded
	}
	if have, ok := r.at[e.ID]; ok {
		if !have.Equal(e) {
			return nil, message.ErrConflict
		}
		if _, recorded := r.facts[e.ID]; recorded {
			r.facts[e.ID] = true
		}
		return nil, nil
	}
	e.Body, e.Refs = bytes.Clone(e.Body), slices.Clone(e.Refs)
	m := stored{Envelope: e.With(nil)}
	if e.Fact() {
		if r.seq == maxFacts {
			return nil, fmt.Errorf("a run has at most %d facts", maxFacts)
		}
		m.seq = r.seq + 1
		w := write{run: r.row.id}
		if w.facts, err = r.link([]stored{m}); err != nil {
			return nil, err
		}
		if r.store.cfg.Step {
			done = make(chan error, 1)
			w.done = done
		}
		// Under the run's lock, so that rows are queued in the order of their chain.
		if err := r.store.writer.put(ctx, w); err != nil {
			return nil, err
		}
		r.advance(w.facts)
	}
	r.at[e.ID] = m
	return done, nil
}

// check refuses what could not be read back.
func check(e message.Envelope) error {
	if _, err := message.ParseID(string(e.ID)); err != nil {
		return err
	}
	switch {
	case len(e.Body) > maxBody:
		return fmt.Errorf("the body has %d bytes: at most %d are stored", len(e.Body), maxBody)
	case !rawjson.Valid(e.Body) && !json.Valid(e.Body):
		return errors.New("the body is not JSON")
	case strings.ContainsRune(string(e.Kind)+string(e.From)+string(e.To), 0):
		return errors.New("kind and addresses cannot contain NUL")
	}
	return nil
}

// link makes rows of facts that follow the run's last one.
func (r *Run) link(facts []stored) ([]factRow, error) {
	rows := make([]factRow, len(facts))
	chain := r.chain
	for i, m := range facts {
		text, err := appendMessage(make([]byte, 0, len(m.Body)+512), m, 0)
		if err != nil {
			return nil, err
		}
		rows[i] = factRow{run: r.row.number, seq: m.seq, message: text}
		rows[i].hash = rows[i].chained(chain)
		chain = rows[i].hash
	}
	return rows, nil
}

// advance goes on behind facts that are written or queued.
func (r *Run) advance(facts []factRow) {
	if len(facts) > 0 {
		last := facts[len(facts)-1]
		r.seq, r.chain = last.seq, last.hash
	}
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
	done, err := r.queue(ctx, set)
	if err != nil {
		return err
	}
	return wait(ctx, done)
}

func (r *Run) queue(ctx context.Context, set func(log []message.Envelope) error) (done chan error, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return nil, errEnded
	}
	log := make([]message.Envelope, 0, len(r.at))
	for _, m := range r.at {
		log = append(log, m.Envelope)
	}
	trajectories.Sort(log)
	if err := errors.Join(set(log), r.summarise(log)); err != nil {
		return nil, err
	}
	packed, err := r.pack(ctx, log)
	if err != nil {
		return nil, err
	}
	r.row.log = packed.digest(r.row.id)
	done = make(chan error, 1)
	if err := r.store.writer.put(ctx, write{run: r.row.id, log: &packed, runs: []runRow{r.row}, done: done}); err != nil {
		return nil, err
	}
	r.ended = true
	return done, nil
}

// pack makes the row of the run's whole log, which is sorted.
func (r *Run) pack(ctx context.Context, log []message.Envelope) (logRow, error) {
	shared, err := r.store.sharing.numbers(ctx, log, r.row.status == trajectories.Done)
	if err != nil {
		return logRow{}, err
	}
	size := 0
	for i, e := range log {
		if size += 512; shared[i] == 0 {
			size += len(e.Body)
		}
	}
	b := make([]byte, 0, size)
	for i, e := range log {
		if b, err = appendMessage(b, r.at[e.ID], shared[i]); err != nil {
			return logRow{}, err
		}
		if len(b) > maxLog {
			return logRow{}, fmt.Errorf("the log has more than %d bytes, which is the most that is stored", maxLog)
		}
	}
	return logRow{run: r.row.number, size: int64(len(b)), packed: r.store.zip.pack(b)}, nil
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
