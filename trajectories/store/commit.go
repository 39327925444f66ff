package store

import (
	"context"
	"errors"

	"github.com/mars-rec/mars/message"
)

const (
	insertFact = `INSERT INTO fact (place, message, hash) VALUES (?, ?, ?)`
	dropFacts  = `DELETE FROM fact WHERE place BETWEEN ? AND ?`
	replaceLog = `INSERT OR REPLACE INTO log (run, size, packed) VALUES (?, ?, ?)`
	dropLog    = `DELETE FROM log WHERE run = ?`
	insertBody = `INSERT INTO body (number, size, packed, hash) VALUES (?, ?, ?, ?)`
	replaceRun = `INSERT OR REPLACE INTO run (number, id, task, status, attempts, cause, ranking, seal,
		messages, calls, tools, input_tokens, output_tokens, cached_tokens, models, log, hash)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	replaceScore = `INSERT OR REPLACE INTO score (run, scorer, version, value, parts, note, hash) VALUES (?, ?, ?, ?, ?, ?, ?)`
	insertCommit = `INSERT INTO journal (number, events, head) VALUES (?, ?, ?)`
)

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
	t := &transaction{writer: w, ctx: ctx, at: map[event]int{}, ends: map[string]bool{}}
	for _, work := range batch {
		if work.log != nil {
			t.ends[work.run] = true
		}
	}
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
	at     map[event]int   // where the event of a run or a score is, by its names alone
	ends   map[string]bool // the runs whose logs are in it: their facts need no rows any more
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
	if work.body != nil {
		if err := t.exec(insertBody, work.body.number, work.body.size, work.body.packed, work.body.digest()); err != nil {
			return err
		}
	}
	if work.reopened != 0 {
		if err := t.exec(dropLog, work.reopened); err != nil {
			return err
		}
	}
	for _, row := range work.facts {
		if t.ends[work.run] {
			break
		}
		if err := t.exec(insertFact, row.place(), row.message, row.hash); err != nil {
			return err
		}
		e := t.touch(work.run, "")
		e.Rows, e.Chain = row.seq, short(row.hash)
	}
	if l := work.log; l != nil {
		if err := t.exec(dropFacts, place(l.run, 0), place(l.run, maxFacts)); err != nil {
			return err
		}
		if err := t.exec(replaceLog, l.run, l.size, l.packed); err != nil {
			return err
		}
	}
	for _, r := range work.runs {
		state := r.digest()
		if err := t.exec(replaceRun, r.number, r.id, r.task, string(r.status), r.attempts, r.cause, r.ranking, r.seal,
			r.messages, r.calls, r.tools, r.inputTokens, r.outputTokens, r.cachedTokens, r.models, r.log, state); err != nil {
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
