package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/message/rawjson"
	"github.com/mars-rec/mars/trajectories"
)

// Summary is a run as a list shows it. The counts are those of the run's log
// when it ended; while it is at work only Messages counts, its facts.
type Summary struct {
	trajectories.Run
	trajectories.Counts
	Scores []trajectories.Score `json:"scores,omitempty"` // by scorer and version
}

// page is how many rows a reader takes at once: it never holds the database
// while its caller works.
const page = 512

// Runs yields all runs in the order of their tasks. Each page of it is a read
// of its own, so that a long walk does not keep the writer's log from being
// moved into the database.
func (s *Store) Runs(ctx context.Context) iter.Seq2[Summary, error] {
	return func(yield func(Summary, error) bool) {
		for rows, err := range s.pages(ctx) {
			var all []Summary
			if err == nil {
				all, err = s.summaries(ctx, rows)
			}
			if err != nil {
				yield(Summary{}, err)
				return
			}
			for _, sum := range all {
				if !yield(sum, nil) {
					return
				}
			}
		}
	}
}

// pages yields the rows of all runs, in the order of their tasks.
func (s *Store) pages(ctx context.Context) iter.Seq2[[]runRow, error] {
	return func(yield func([]runRow, error) bool) {
		for after := int64(0); ; {
			rows, err := readRuns(ctx, s.readers, `WHERE number > ? ORDER BY number LIMIT ?`, after, page)
			if err != nil || len(rows) > 0 {
				if !yield(rows, err) || err != nil {
					return
				}
			}
			if len(rows) < page {
				return
			}
			after = rows[len(rows)-1].number
		}
	}
}

// rows yields the rows of all runs one by one.
func (s *Store) rows(ctx context.Context) iter.Seq2[runRow, error] {
	return func(yield func(runRow, error) bool) {
		for rows, err := range s.pages(ctx) {
			if err != nil {
				yield(runRow{}, err)
				return
			}
			for _, row := range rows {
				if !yield(row, nil) {
					return
				}
			}
		}
	}
}

// Run returns one run; where there is none it is [ErrNoRun].
func (s *Store) Run(ctx context.Context, id string) (Summary, error) {
	row, err := s.find(ctx, id)
	if err != nil {
		return Summary{}, err
	}
	all, err := s.summaries(ctx, []runRow{row})
	if err != nil {
		return Summary{}, err
	}
	return all[0], nil
}

// Count returns the number of runs by status.
func (s *Store) Count(ctx context.Context) (map[trajectories.Status]int, error) {
	rows, err := s.readers.QueryContext(ctx, `SELECT status, count(*) FROM run GROUP BY status`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	counts := map[trajectories.Status]int{}
	for rows.Next() {
		var status trajectories.Status
		var n int
		if err := rows.Scan(&status, &n); err != nil {
			return nil, err
		}
		counts[status] = n
	}
	return counts, rows.Err()
}

// Scorers returns the scorers that have scored any run, each as name/version,
// sorted.
func (s *Store) Scorers(ctx context.Context) ([]string, error) {
	rows, err := s.readers.QueryContext(ctx, `SELECT DISTINCT scorer || '/' || version FROM score ORDER BY 1`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var names []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, rows.Err()
}

// Trajectory returns a run with its log. A run that is not done has the log as
// far as it is written: its facts, and after a failure what else was said.
// What is not as it was written is [ErrDamaged], with the ID of the message.
func (s *Store) Trajectory(ctx context.Context, id string) (*trajectories.Trajectory, error) {
	row, err := s.find(ctx, id)
	if err != nil {
		return nil, err
	}
	return s.trajectory(ctx, row)
}

func (s *Store) trajectory(ctx context.Context, row runRow) (*trajectories.Trajectory, error) {
	row, log, err := s.said(ctx, row)
	if err != nil {
		return nil, err
	}
	t := &trajectories.Trajectory{Log: make([]message.Envelope, len(log))}
	for i, m := range log {
		t.Log[i] = m.Envelope
	}
	t.Run, err = s.run(row)
	return t, err
}

// said reads the log of a run, and its row as it was at that moment.
func (s *Store) said(ctx context.Context, row runRow) (_ runRow, log []stored, err error) {
	id := row.id
	if ended(row.status) {
		log, err = s.log(ctx, s.readers, row)
	} else {
		row, log, err = s.unfinished(ctx, row.number)
	}
	if err != nil {
		err = fmt.Errorf("run %s: %w", id, err)
	}
	return row, log, err
}

// unfinished reads a run that may end meanwhile, as it is at one moment.
func (s *Store) unfinished(ctx context.Context, number int64) (row runRow, log []stored, err error) {
	tx, err := s.readers.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return row, nil, err
	}
	defer tx.Rollback() //nolint:errcheck // nothing was written
	rows, err := readRuns(ctx, tx, `WHERE number = ?`, number)
	if err != nil {
		return row, nil, err
	}
	if len(rows) == 0 {
		return row, nil, ErrNoRun
	}
	log, err = s.log(ctx, tx, rows[0])
	return rows[0], log, err
}

// ended reports whether a run has its log in one row.
func ended(status trajectories.Status) bool {
	return status == trajectories.Done || status == trajectories.Failed
}

// log reads what a run has said, sorted, and checks that it is what was
// written.
func (s *Store) log(ctx context.Context, db querier, row runRow) ([]stored, error) {
	if !ended(row.status) {
		log, _, err := readFacts(ctx, db, row)
		slices.SortFunc(log, func(a, b stored) int { return a.ID.Compare(b.ID) })
		return log, err
	}
	l, err := readLog(ctx, db, row.number)
	if err != nil {
		return nil, err
	}
	if err := l.check(row); err != nil {
		return nil, err
	}
	return s.library.open(ctx, l, row.messages)
}

func (s *Store) find(ctx context.Context, id string) (runRow, error) {
	rows, err := readRuns(ctx, s.readers, `WHERE id = ?`, id)
	if err != nil {
		return runRow{}, err
	}
	if len(rows) == 0 {
		return runRow{}, fmt.Errorf("%w %q", ErrNoRun, id)
	}
	return rows[0], nil
}

// run is what a row says of its run.
func (s *Store) run(row runRow) (trajectories.Run, error) {
	run := trajectories.Run{ID: row.id, Status: row.status, Attempts: row.attempts, Cause: row.cause, Seal: row.seal, Manifest: s.manifest}
	err := errors.Join(message.Unmarshal(rawjson.Bytes(row.task), &run.Task), message.Unmarshal(rawjson.Bytes(row.ranking), (*ranking)(&run.Ranking)))
	if err != nil {
		return run, fmt.Errorf("run %s: %w: %w", row.id, ErrDamaged, err)
	}
	return run, nil
}

// ranking is the items of a run's answer, best first.
type ranking []string

// ReadJSON implements [message.ReadsJSON].
func (items *ranking) ReadJSON(r *rawjson.Reader) { *items = rawjson.ReadStrings[string](r) }

// summaries makes what lists show of rows that follow one another.
func (s *Store) summaries(ctx context.Context, rows []runRow) ([]Summary, error) {
	all := make([]Summary, len(rows))
	at := map[int64]*Summary{}
	var facts map[int64]int
	if slices.ContainsFunc(rows, func(r runRow) bool { return r.status == trajectories.Running }) {
		var err error
		if facts, err = countFacts(ctx, s.readers); err != nil {
			return nil, err
		}
	}
	for i, row := range rows {
		run, err := s.run(row)
		if err != nil {
			return nil, err
		}
		all[i] = Summary{Run: run, Counts: trajectories.Counts{Messages: row.messages, Calls: row.calls, Tools: row.tools,
			Usage: message.Usage{InputTokens: row.inputTokens, OutputTokens: row.outputTokens, CachedTokens: row.cachedTokens}}}
		if row.status == trajectories.Running {
			all[i].Messages = facts[row.number]
		}
		if err := json.Unmarshal([]byte(row.models), &all[i].Models); err != nil {
			return nil, fmt.Errorf("run %s: %w: %w", row.id, ErrDamaged, err)
		}
		at[row.number] = &all[i]
	}
	err := eachScore(ctx, s.readers, rows[0].number, rows[len(rows)-1].number, func(r scoreRow, hash string) error {
		sum := at[r.run]
		if sum == nil {
			return fmt.Errorf("score %s: %w: its run is not there", r.name(), ErrDamaged)
		}
		score, err := r.score(sum.ID)
		if err == nil && r.digest() != hash {
			err = errors.New("it is not as it was written")
		}
		if err != nil {
			return fmt.Errorf("run %s: score %s: %w: %w", sum.ID, r.name(), ErrDamaged, err)
		}
		sum.Scores = append(sum.Scores, score)
		return nil
	})
	return all, err
}

// readRuns reads rows of runs and checks their hashes.
func readRuns(ctx context.Context, db querier, where string, args ...any) ([]runRow, error) {
	rows, err := db.QueryContext(ctx, `SELECT number, id, task, status, attempts, cause, ranking, seal,
		messages, calls, tools, input_tokens, output_tokens, cached_tokens, models, log, hash FROM run `+where, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []runRow
	for rows.Next() {
		var r runRow
		var hash string
		if err := rows.Scan(&r.number, &r.id, &r.task, &r.status, &r.attempts, &r.cause, &r.ranking, &r.seal,
			&r.messages, &r.calls, &r.tools, &r.inputTokens, &r.outputTokens, &r.cachedTokens, &r.models, &r.log, &hash); err != nil {
			return nil, err
		}
		r.there = true
		if r.digest() != hash {
			return nil, fmt.Errorf("run %s: %w: its row is not as it was written", r.id, ErrDamaged)
		}
		out = append(out, r)
	}
	return out, rows.Err()
}

var errNoLog = fmt.Errorf("%w: its log is missing", ErrDamaged)

// readLog reads the log of a run that has ended.
func readLog(ctx context.Context, db querier, run int64) (logRow, error) {
	l := logRow{run: run}
	err := db.QueryRowContext(ctx, `SELECT size, packed FROM log WHERE run = ?`, run).Scan(&l.size, &l.packed)
	if errors.Is(err, sql.ErrNoRows) {
		return l, errNoLog
	}
	return l, err
}

// readLogs reads the logs of runs that have ended, of those whose numbers lie
// between two.
func readLogs(ctx context.Context, db querier, first, last int64) (map[int64]logRow, error) {
	rows, err := db.QueryContext(ctx, `SELECT run, size, packed FROM log WHERE run BETWEEN ? AND ?`, first, last)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	logs := map[int64]logRow{}
	for rows.Next() {
		var l logRow
		if err := rows.Scan(&l.run, &l.size, &l.packed); err != nil {
			return nil, err
		}
		logs[l.run] = l
	}
	return logs, rows.Err()
}
