package store

import (
	"cmp"
	"context"
	"errors"

	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/trajectories"
)

// lookahead is how many runs are read at once when they are begun in their order.
const lookahead = 64

// ahead has the rows of runs that are likely to be begun next, as they are in the
// database: nobody else writes to it, and what this process has begun is not kept.
type ahead struct {
	last int64 // the number of the run that was last asked for
	rows map[string]runRow
	// facts has those of the runs among them that were at work.
	facts   map[int64][]factRow
	damaged error // of the facts as a whole
}

// row finds the row of the task's run, or makes a pending one. Of a run that was at
// work it also returns the facts that are recorded, and the hash of the last one.
func (s *Store) row(ctx context.Context, id string, task tasks.Task) (row runRow, facts []stored, chain []byte, err error) {
	if row, err = pending(s.next, id, task); err != nil {
		return row, nil, nil, err
	}
	chain = chainStart(id)
	found, err := s.look(ctx, id)
	switch {
	case errors.Is(err, ErrNoRun):
		return row, nil, chain, nil
	case err != nil:
		return row, nil, nil, err
	case found.task != row.task:
		return row, nil, nil, otherTask(id)
	case found.status != trajectories.Running:
		return found, nil, chain, nil
	}
	if of, read := s.ahead.facts[found.number]; read {
		delete(s.ahead.facts, found.number)
		facts, chain, err = openFacts(id, of)
		return found, facts, chain, cmp.Or(err, s.ahead.damaged)
	}
	facts, chain, err = readFacts(ctx, s.readers, found)
	return found, facts, chain, err
}

// look finds the row of a run, and reads those behind it if runs seem to be begun
// in the order of their numbers.
func (s *Store) look(ctx context.Context, id string) (runRow, error) {
	row, read := s.ahead.rows[id]
	if read {
		delete(s.ahead.rows, id)
		s.ahead.last = row.number
		return row, nil
	}
	row, err := s.find(ctx, id)
	if err != nil {
		return row, err
	}
	last := s.ahead.last
	if s.ahead.last = row.number; row.number < last-lookahead || row.number > last+lookahead {
		return row, nil
	}
	return row, s.readAhead(ctx, row.number)
}

// readAhead reads the rows of runs behind the one with that number.
func (s *Store) readAhead(ctx context.Context, number int64) error {
	rows, err := readRuns(ctx, s.readers, `WHERE number > ? ORDER BY number LIMIT ?`, number, lookahead)
	if err != nil {
		return nil //nolint:nilerr // whoever asks for the one that cannot be read is told
	}
	a := ahead{last: s.ahead.last, rows: map[string]runRow{}}
	atWork := map[int64]bool{}
	for _, row := range rows {
		if s.live[row.id] != nil {
			continue // what is queued of it is not here
		}
		a.rows[row.id] = row
		if row.status == trajectories.Running {
			atWork[row.number] = true
		}
	}
	if len(atWork) > 0 {
		a.facts, a.damaged = factsOf(ctx, s.readers, func(run int64) bool { return atWork[run] })
		for run := range atWork {
			a.facts[run] = a.facts[run] // also of those that have none
		}
	}
	s.ahead = a
	return nil
}
