package store

import (
	"bytes"
	"context"
	"errors"
	"slices"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/trajectories"
)

// allRuns checks each run on its own, so that one that cannot be read does not
// hide the others.
func (v *verifier) allRuns(ctx context.Context) error {
	numbers, err := v.numbers(ctx, "run")
	if err != nil {
		return err
	}
	facts, err := factsOf(ctx, v.db, func(int64) bool { return true })
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		v.found("", "", "%v", err)
	}
	v.facts = facts
	seen := map[string]bool{}
	for _, n := range numbers {
		id, err := v.run(ctx, n)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			v.found(id, "", "it cannot be read: %v", err)
		}
		seen[id] = true
		if v.runs[id] != nil {
			v.ids[n] = id
		}
		v.Runs++
	}
	for _, id := range v.order {
		if !seen[id] {
			v.found(id, "", "the run is missing")
		}
	}
	return v.strays(ctx, numbers)
}

func (v *verifier) numbers(ctx context.Context, table string) ([]int64, error) {
	rows, err := v.db.QueryContext(ctx, `SELECT number FROM `+table+` ORDER BY number`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var numbers []int64
	for rows.Next() {
		var n int64
		if err := rows.Scan(&n); err != nil {
			return nil, err
		}
		numbers = append(numbers, n)
	}
	return numbers, rows.Err()
}

// run checks one run and returns its id.
func (v *verifier) run(ctx context.Context, number int64) (string, error) {
	rows, err := readRuns(ctx, v.db, `WHERE number = ?`, number)
	if len(rows) == 0 {
		id := ""
		// What the row is called may still be readable.
		v.db.QueryRowContext(ctx, `SELECT id FROM run WHERE number = ?`, number).Scan(&id) //nolint:errcheck // then it has no name
		if errors.Is(err, ErrDamaged) {
			v.found(id, "", "its row is not as it was written")
			return id, nil
		}
		return id, err
	}
	r := rows[0]
	want := v.runs[r.id]
	if want == nil {
		v.found(r.id, "", "no commit made it")
		return r.id, nil
	}
	log, err := v.log(ctx, r, want)
	if err != nil {
		return r.id, err
	}
	if r.digest() != want.hash {
		v.found(r.id, "", "its row is an older or another one than the journal says")
	}
	if r.status == trajectories.Done && log != nil && trajectories.Seal(log) != r.seal {
		v.found(r.id, "", "its log is not the one that was sealed")
	}
	return r.id, nil
}

// log checks what a run has said, and returns what it is if it has ended; nil
// if that is not known.
func (v *verifier) log(ctx context.Context, r runRow, want *state) (log []message.Envelope, err error) {
	if !ended(r.status) {
		v.atWork(r, want)
		return nil, nil
	}
	row, err := readLog(ctx, v.db, r.number)
	if err != nil {
		return nil, err
	}
	if row.digest(r.id) != r.log {
		v.found(r.id, "", "its log is not as it was written")
		return nil, nil
	}
	log = []message.Envelope{}
	err = v.library.each(ctx, row, func(m stored, err error) error {
		v.Messages++
		if err != nil {
			v.found(r.id, m.ID, "it cannot be read: %v", err)
		}
		log = append(log, m.Envelope)
		return ctx.Err()
	})
	return log, err
}

// atWork checks the facts of a run that has not ended.
func (v *verifier) atWork(r runRow, want *state) {
	chain, seq := chainStart(r.id), int64(0)
	for _, f := range v.facts[r.number] {
		v.Messages++
		m, err := newUnpacker(f.message, noBody).message()
		if seq++; f.seq != seq {
			v.found(r.id, m.ID, "%d messages before it are missing", f.seq-seq)
			seq = f.seq
		}
		if !bytes.Equal(f.chained(chain), f.hash) {
			v.found(r.id, m.ID, "it is not as it was written, or not what was written behind the one before it")
		} else if err != nil {
			v.found(r.id, m.ID, "it cannot be read: %v", err)
		}
		chain = f.hash
	}
	if seq != want.facts || (want.chain != "" && short(chain) != want.chain) {
		v.found(r.id, "", "it has %d facts, the journal says %d and how they end", seq, want.facts)
	}
}

// bodies checks those that runs share.
func (v *verifier) bodies(ctx context.Context) error {
	numbers, err := v.numbers(ctx, "body")
	if err != nil {
		return err
	}
	for _, n := range numbers {
		if _, err := v.library.body(ctx, n); err != nil {
			v.found("", "", "the shared body %d: %v", n, err)
		}
	}
	return nil
}

// strays looks for what belongs to runs that do not exist.
func (v *verifier) strays(ctx context.Context, numbers []int64) error {
	lost := 0
	for run, facts := range v.facts {
		if _, known := slices.BinarySearch(numbers, run); !known {
			lost += len(facts)
		}
	}
	if lost > 0 {
		v.found("", "", "%d facts belong to runs that have none", lost)
	}
	for _, of := range []struct{ what, query string }{
		{"logs", `SELECT count(*) FROM log WHERE run NOT IN (SELECT number FROM run WHERE status IN ('done', 'failed'))`},
		{"scores", `SELECT count(*) FROM score WHERE run NOT IN (SELECT number FROM run)`},
	} {
		var n int
		if err := v.db.QueryRowContext(ctx, of.query).Scan(&n); err != nil {
			return err
		}
		if n > 0 {
			v.found("", "", "%d %s belong to runs that have none", n, of.what)
		}
	}
	return nil
}
