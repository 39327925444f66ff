package store

import (
	"context"
	"crypto/sha256"
	"errors"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/message/rawjson"
)

const (
	insertEnvelope = `INSERT INTO envelope (run, id, seq, kind, sender, recipient, refs, meta, fact, body, shared, hash)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	insertBody = `INSERT INTO body (number, text) VALUES (?, ?)`
	replaceRun = `INSERT OR REPLACE INTO run (number, id, task, status, attempts, cause, ranking, seal,
		messages, calls, tools, input_tokens, output_tokens, cached_tokens, models, hash)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	replaceScore = `INSERT OR REPLACE INTO score (run, scorer, version, value, parts, note, hash) VALUES (?, ?, ?, ?, ?, ?, ?)`
	trimRun      = `DELETE FROM envelope WHERE run = ? AND seq > ?`
	insertCommit = `INSERT INTO journal (number, events, head) VALUES (?, ?, ?)`
)

// sharable is the length from which on a body that is no fact is stored in the
// table of bodies, so that others can share it.
const sharable = 256

// commit writes a batch in one transaction. After an error nothing is known of
// what is on the disk.
func (w *writer) commit(batch []write) (err error) {
	ctx := context.Background() // the writer's own: a caller that gives up takes nobody's work with it
	if err := w.fail("begin"); err != nil {
		return err
	}
	if _, err := w.conn.ExecContext(ctx, `BEGIN IMMEDIATE`); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_, rollback := w.conn.ExecContext(ctx, `ROLLBACK`)
			err = errors.Join(err, rollback)
		}
	}()
	t := &transaction{writer: w, ctx: ctx, at: map[event]int{}}
	for _, work := range batch {
		if err := t.apply(work); err != nil {
			return err
		}
	}
	events, err := message.Marshal(t.events)
	if err != nil {
		return err
	}
	number := w.number + 1
	next := head(w.head, number, string(events))
	if err := t.exec(insertCommit, number, string(events), next); err != nil {
		return err
	}
	if err := w.fail("commit"); err != nil {
		return err
	}
	if _, err := w.conn.ExecContext(ctx, `COMMIT`); err != nil {
		return err
	}
	w.number, w.head = number, next
	return nil
}

// transaction is one commit in the making.
type transaction struct {
	*writer
	ctx    context.Context
	events []event
	at     map[event]int // where the event of a run or a score is, by its names alone
}

func (t *transaction) exec(query string, args ...any) error {
	stmt := t.prepared[query]
	if stmt == nil {
		var err error
		if stmt, err = t.conn.PrepareContext(t.ctx, query); err != nil {
			return err
		}
		t.prepared[query] = stmt
	}
	_, err := stmt.ExecContext(t.ctx, args...)
	return err
}

// touch returns the event of a run or of one of its scores.
func (t *transaction) touch(run, scorer string) *event {
	key := event{Run: run, Scorer: scorer}
	i, ok := t.at[key]
	if !ok {
		i = len(t.events)
		t.at[key] = i
		t.events = append(t.events, key)
	}
	return &t.events[i]
}

func (t *transaction) apply(work write) error {
	if err := t.fail("write"); err != nil {
		return err
	}
	if work.trim != nil {
		if err := t.exec(trimRun, work.trim.run, work.trim.rows); err != nil {
			return err
		}
		e := t.touch(work.run, "")
		e.Rows, e.Chain = work.trim.rows, short(work.trim.chain)
	}
	for _, row := range work.envelopes {
		body, shared, err := t.body(row)
		if err != nil {
			return err
		}
		if err := t.exec(insertEnvelope, row.run, row.id, row.seq, row.kind, row.sender, row.recipient, row.refs, row.meta, row.fact, body, shared, row.hash); err != nil {
			return err
		}
		e := t.touch(work.run, "")
		e.Rows, e.Chain = row.seq, short(row.hash)
	}
	for _, r := range work.runs {
		state := r.digest()
		if err := t.exec(replaceRun, r.number, r.id, r.task, string(r.status), r.attempts, r.cause, r.ranking, r.seal,
			r.messages, r.calls, r.tools, r.inputTokens, r.outputTokens, r.cachedTokens, r.models, state); err != nil {
			return err
		}
		t.touch(r.id, "").State = state
	}
	for i, r := range work.scores {
		state := r.digest()
		if err := t.exec(replaceScore, r.run, r.scorer, r.version, r.value, r.parts, r.note, state); err != nil {
			return err
		}
		t.touch(work.scored[i], r.name()).State = state
	}
	return nil
}

// body stores a body that may repeat once, and returns either the body or the
// number of where it is.
func (t *transaction) body(row envelopeRow) (body, shared any, err error) {
	if row.fact || len(row.body) < sharable {
		return row.body, nil, nil
	}
	key := sha256.Sum256(rawjson.Bytes(row.body))
	if number, ok := t.shared[key]; ok {
		return nil, number, nil
	}
	if err := t.exec(insertBody, t.bodies+1, row.body); err != nil {
		return nil, nil, err
	}
	t.bodies++
	if len(t.shared) >= maxShared {
		clear(t.shared)
	}
	t.shared[key] = t.bodies
	return nil, t.bodies, nil
}
