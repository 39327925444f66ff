package store

import (
	"context"
	"errors"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/trajectories"
)

const (
	insertFacts = `INSERT INTO fact (place, message, hash) VALUES (?, ?, x'')`
	dropFacts   = `DELETE FROM fact WHERE place = ?`
	replaceLog  = `INSERT OR REPLACE INTO log (run, size, packed) VALUES (?, ?, ?)`
	dropLog     = `DELETE FROM log WHERE run = ?`
	insertBody  = `INSERT INTO body (number, size, packed, hash) VALUES (?, ?, ?, ?)`
	insertRun   = `INSERT INTO run (number, id, task, status, attempts, cause, ranking, seal,
		messages, calls, tools, input_tokens, output_tokens, cached_tokens, models, log, hash)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	beginRun  = `UPDATE run SET status = ?, attempts = ?, cause = ?, log = ?, hash = ? WHERE number = ?`
	updateRun = `UPDATE run SET status = ?, attempts = ?, cause = ?, ranking = ?, seal = ?, messages = ?, calls = ?, tools = ?,
		input_tokens = ?, output_tokens = ?, cached_tokens = ?, models = ?, log = ?, hash = ? WHERE number = ?`
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
	t := &transaction{writer: w, ctx: ctx, events: w.events[:0], at: w.at}
	defer func() {
		w.events = t.events
		clear(w.at)
	}()
	for _, work := range batch {
		if work.log != nil {
			work.thread.ends = true
		}
	}
	w.facts = w.facts[:0]
	for _, work := range batch {
		if err := t.apply(work); err != nil {
			return err
		}
	}
	if len(w.facts) > 0 {
		if err := t.exec(insertFacts, t.place(), w.facts); err != nil {
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

// place is where the facts of this commit stand.
func (t *transaction) place() int64 { return -(t.number + 1) }

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
	if work.thread != nil {
		if err := t.take(work.thread); err != nil {
			return err
		}
	}
	if l := work.log; l != nil {
		for _, place := range t.held.free(l.run) {
			if err := t.exec(dropFacts, place); err != nil {
				return err
			}
		}
		if err := t.exec(replaceLog, l.run, l.size, l.packed); err != nil {
			return err
		}
	}
	for _, r := range work.runs {
		if err := t.put(r); err != nil {
			return err
		}
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

// take writes down the facts of a run that it has not written before, unless the
// run's log is written with them.
func (t *transaction) take(from *thread) error {
	facts := from.take(t.room)
	defer func() {
		clear(facts)
		t.room = facts
	}()
	if from.ends || len(facts) == 0 {
		return nil
	}
	for _, m := range facts {
		var err error
		if t.text, err = appendMessage(t.text[:0], &m.Envelope, m.seq, 0, t.meta); err != nil {
			return err
		}
		row := factRow{run: from.run, seq: m.seq, message: t.text}
		row.hash = row.chained(from.chain)
		t.facts = appendFact(t.facts, row)
		from.chain = row.hash
	}
	e := t.touch(from.id, "")
	e.Rows, e.Chain = facts[len(facts)-1].seq, short(from.chain)
	t.held.add(from.run, t.place())
	return nil
}

// put writes the row of a run: what of it can change, if it is there.
func (t *transaction) put(r runRow) error {
	state := r.digest()
	t.touch(r.id, "").State = state
	if r.there && r.status == trajectories.Running { // see begin
		return t.exec(beginRun, string(r.status), r.attempts, r.cause, r.log, state, r.number)
	}
	if r.there {
		return t.exec(updateRun, string(r.status), r.attempts, r.cause, r.ranking, r.seal, r.messages, r.calls, r.tools,
			r.inputTokens, r.outputTokens, r.cachedTokens, r.models, r.log, state, r.number)
	}
	return t.exec(insertRun, r.number, r.id, r.task, string(r.status), r.attempts, r.cause, r.ranking, r.seal,
		r.messages, r.calls, r.tools, r.inputTokens, r.outputTokens, r.cachedTokens, r.models, r.log, state)
}
