package store

import (
	"context"
	"errors"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/trajectories"
)

// allRuns checks each run on its own, so that one that cannot be read does not
// hide the others.
func (v *verifier) allRuns(ctx context.Context) error {
	numbers, err := v.numbers(ctx)
	if err != nil {
		return err
	}
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
	return v.strays(ctx)
}

func (v *verifier) numbers(ctx context.Context) ([]int64, error) {
	rows, err := v.db.QueryContext(ctx, `SELECT number FROM run ORDER BY number`)
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
	var log []message.Envelope
	chain, seq, derived := chainStart(r.id), int64(0), false
	err = eachEnvelope(ctx, v.db, number, func(e envelopeRow) error {
		v.Messages++
		id := message.ID(e.id)
		if seq++; e.seq != seq {
			v.found(r.id, id, "%d messages before it are missing", e.seq-seq)
			seq = e.seq
		}
		if string(e.chained(chain)) != string(e.hash) {
			v.found(r.id, id, "it is not as it was written, or not what was written behind the one before it")
		}
		if e.fact && derived {
			v.found(r.id, id, "a fact stands behind what followed from facts")
		}
		derived = derived || !e.fact
		chain = e.hash
		env, err := e.envelope()
		if err != nil {
			v.found(r.id, id, "it cannot be read: %v", err)
			return nil
		}
		log = append(log, env)
		return nil
	})
	if err != nil {
		return r.id, err
	}
	if seq != want.rows || (want.chain != "" && short(chain) != want.chain) {
		v.found(r.id, "", "it has %d messages, the journal says %d and how they end", seq, want.rows)
	}
	if r.digest() != want.hash {
		v.found(r.id, "", "its row is an older or another one than the journal says")
	}
	if r.status == trajectories.Done && trajectories.Seal(log) != r.seal {
		v.found(r.id, "", "its log is not the one that was sealed")
	}
	return r.id, nil
}

// strays looks for messages of runs that do not exist.
func (v *verifier) strays(ctx context.Context) error {
	var n int
	err := v.db.QueryRowContext(ctx, `SELECT count(*) FROM envelope WHERE run NOT IN (SELECT number FROM run)`).Scan(&n)
	if err == nil && n > 0 {
		v.found("", "", "%d messages belong to runs that are not there", n)
	}
	if err != nil {
		return err
	}
	err = v.db.QueryRowContext(ctx, `SELECT count(*) FROM score WHERE run NOT IN (SELECT number FROM run)`).Scan(&n)
	if err == nil && n > 0 {
		v.found("", "", "%d scores belong to runs that are not there", n)
	}
	return err
}
