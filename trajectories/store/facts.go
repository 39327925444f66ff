package store

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/mars-rec/mars/message"
)

// The facts of runs at work stand in the table fact, one row for all that one
// commit has of them. The place of the row is the number of the commit, with a
// minus, and its message is these one behind the other, with numbers and texts
// as [appendMessage] has them:
//
//	run seq message hash
//
// The row is there until every run that has a fact in it has ended. So it may
// have facts of runs that have ended; and of a run that had failed and is at work
// again those of then, which are all written again when it is begun: a fact that
// is its run's first begins anew. Rows of format 2 are one fact each, at places
// from 0 on.

// appendFact appends a fact to the row of its commit.
func appendFact(dst []byte, f factRow) []byte {
	dst = binary.AppendUvarint(dst, uint64(f.run))
	dst = binary.AppendUvarint(dst, uint64(f.seq))
	dst = appendText(dst, f.message)
	return appendText(dst, f.hash)
}

// eachFact visits the facts of all runs at work, those of each run in the order
// in which they were written, with the place of the row that has it. What is
// visited must be copied to be kept. A row that cannot be read is [ErrDamaged],
// told after the others.
func eachFact(ctx context.Context, db querier, visit func(f factRow, place int64) error) error {
	var damaged error
	for _, which := range []string{`>= 0 ORDER BY place`, `< 0 ORDER BY place DESC`} {
		rows, err := db.QueryContext(ctx, `SELECT place, message, hash FROM fact WHERE place `+which)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var at int64
			var f factRow
			if err := rows.Scan(&at, &f.message, &f.hash); err != nil {
				return err
			}
			if at >= 0 {
				f.run, f.seq = at/(maxFacts+1), at%(maxFacts+1)
				if err := visit(f, at); err != nil {
					return err
				}
				continue
			}
			u := newUnpacker(f.message, noBody)
			for u.more() {
				f := factRow{run: u.number(), seq: u.number(), message: u.bytes(), hash: u.bytes()}
				if u.err != nil {
					damaged = fmt.Errorf("%w: the facts of commit %d cannot be read", ErrDamaged, -at)
				} else if err := visit(f, at); err != nil {
					return err
				}
			}
		}
		if err := rows.Err(); err != nil {
			return err
		}
	}
	return damaged
}

// factsOf reads the facts of the runs at work that are wanted, by their number.
func factsOf(ctx context.Context, db querier, wanted func(run int64) bool) (map[int64][]factRow, error) {
	all := map[int64][]factRow{}
	err := eachFact(ctx, db, func(f factRow, _ int64) error {
		if !wanted(f.run) {
			return nil
		}
		if f.seq == 1 {
			all[f.run] = all[f.run][:0]
		}
		f.message, f.hash = bytes.Clone(f.message), bytes.Clone(f.hash)
		all[f.run] = append(all[f.run], f)
		return nil
	})
	return all, err
}

// countFacts counts the facts of each run at work.
func countFacts(ctx context.Context, db querier) (map[int64]int, error) {
	counts := map[int64]int{}
	err := eachFact(ctx, db, func(f factRow, _ int64) error {
		if f.seq == 1 {
			counts[f.run] = 0
		}
		counts[f.run]++
		return nil
	})
	return counts, err
}

// readFacts reads the facts of a run that has not ended, in the order in which
// they were written, and checks their hashes up to the first that is wrong.
// Chain is that of the last of them.
func readFacts(ctx context.Context, db querier, run runRow) (facts []stored, chain []byte, err error) {
	rows, damaged := factsOf(ctx, db, func(n int64) bool { return n == run.number })
	facts, chain, err = openFacts(run.id, rows[run.number])
	return facts, chain, cmp.Or(err, damaged)
}

// openFacts reads the rows of a run's facts and checks their hashes, up to the
// first that is wrong. Chain is that of the last of them.
func openFacts(id string, rows []factRow) (out []stored, chain []byte, err error) {
	out = make([]stored, 0, len(rows))
	chain = chainStart(id)
	for _, f := range rows {
		m, err := newUnpacker(f.message, noBody).message()
		switch {
		case !bytes.Equal(f.chained(chain), f.hash) || f.seq != int64(len(out))+1:
			return out, chain, fmt.Errorf("message %s: %w: it is not as it was written, or one before it is missing", m.ID, ErrDamaged)
		case err != nil:
			return out, chain, fmt.Errorf("message %s: %w", m.ID, err)
		}
		chain = f.hash
		out = append(out, m)
	}
	return out, chain, nil
}

// noBody is where no body is shared.
func noBody(number int64) (json.RawMessage, error) {
	return nil, fmt.Errorf("%w: it names a shared body, %d", ErrDamaged, number)
}

// held are the rows of facts that runs at work need.
type held struct {
	runs map[int64]int     // how many of them, by the place of the row
	rows map[int64][]int64 // the places of the rows, by the number of the run
}

// readHeld finds them in a store.
func readHeld(ctx context.Context, db querier) (held, error) {
	h := held{runs: map[int64]int{}, rows: map[int64][]int64{}}
	err := eachFact(ctx, db, func(f factRow, place int64) error {
		h.add(f.run, place)
		return nil
	})
	if err != nil && !errors.Is(err, ErrDamaged) { // of that hears who reads them
		return h, err
	}
	// Those of runs that have ended meanwhile are needed no more.
	numbers := make([]int64, 0, len(h.rows))
	for run := range h.rows {
		numbers = append(numbers, run)
	}
	slices.Sort(numbers)
	asked, err := message.Marshal(numbers)
	if err != nil {
		return h, err
	}
	rows, err := db.QueryContext(ctx, `SELECT number FROM run WHERE number IN (SELECT value FROM json_each(?)) AND status IN ('done', 'failed')`, string(asked))
	if err != nil {
		return h, err
	}
	defer rows.Close()
	for rows.Next() {
		var run int64
		if err := rows.Scan(&run); err != nil {
			return h, err
		}
		h.free(run)
	}
	return h, rows.Err()
}

// add says that the row at a place has a fact of a run.
func (h held) add(run, place int64) {
	if at := h.rows[run]; len(at) == 0 || at[len(at)-1] != place {
		h.rows[run] = append(at, place)
		h.runs[place]++
	}
}

// free says that a run has ended. It returns the places of the rows that nobody
// needs any more.
func (h held) free(run int64) (places []int64) {
	for _, place := range h.rows[run] {
		if h.runs[place]--; h.runs[place] == 0 {
			delete(h.runs, place)
			places = append(places, place)
		}
	}
	delete(h.rows, run)
	return places
}
