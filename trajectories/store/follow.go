package store

import (
	"context"
	"encoding/json"
	"fmt"
)

// Since returns the ids of the runs that were written to after the commit of that
// number, in the order in which they were last written to, and the number of the
// latest commit. 0 stands before the first. Of the many commits of a long store it
// reads those of one page at a time: ask again until the number is the one that
// was given.
func (s *Store) Since(ctx context.Context, commit int64) (runs []string, latest int64, err error) {
	rows, err := s.readers.QueryContext(ctx, `SELECT number, events FROM journal WHERE number > ? ORDER BY number LIMIT ?`, commit, page)
	if err != nil {
		return nil, commit, err
	}
	defer rows.Close()
	latest = commit
	last := map[string]int{}
	for rows.Next() {
		var text string
		if err := rows.Scan(&latest, &text); err != nil {
			return nil, commit, err
		}
		var events []event
		if err := json.Unmarshal([]byte(text), &events); err != nil {
			return nil, commit, fmt.Errorf("commit %d: %w: %w", latest, ErrDamaged, err)
		}
		for _, e := range events {
			if e.Run == "" {
				continue
			}
			if at, again := last[e.Run]; again {
				runs[at] = ""
			}
			last[e.Run] = len(runs)
			runs = append(runs, e.Run)
		}
	}
	kept := runs[:0]
	for _, run := range runs {
		if run != "" {
			kept = append(kept, run)
		}
	}
	return kept, latest, rows.Err()
}

// Queued is how many pieces of work wait to be written, in this process.
func (s *Store) Queued() int {
	if s.writer == nil {
		return 0
	}
	return len(s.writer.queue)
}
