package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"slices"

	"github.com/mars-rec/mars/message"
)

// Finding is one thing that is not as it was written.
type Finding struct {
	Run  string     `json:"run,omitempty"` // empty: the store as a whole
	ID   message.ID `json:"id,omitempty"`  // empty: the run as a whole
	What string     `json:"what"`
	// Lost: it concerns the mark alone. Acknowledged commits are missing, or
	// may be; what is there is sound as far as this finding goes.
	Lost bool `json:"lost,omitempty"`
}

// String is the finding in one line.
func (f Finding) String() string {
	switch {
	case f.Run == "":
		return f.What
	case f.ID == "":
		return fmt.Sprintf("run %s: %s", f.Run, f.What)
	}
	return fmt.Sprintf("run %s, message %s: %s", f.Run, f.ID, f.What)
}

// Report is what [Verify] found and how much it looked at.
type Report struct {
	Commits  int       `json:"commits"`
	Runs     int       `json:"runs"`
	Messages int       `json:"messages"`
	Scores   int       `json:"scores"`
	Findings []Finding `json:"findings"`
}

// maxFindings bounds a report of a file that is damaged all over.
const maxFindings = 1000

// Verify checks everything that can be checked of the store at path: that
// SQLite finds the file consistent and the schema is ours, that the journal's
// chain is whole and reaches the mark, that each run, each message and each
// score is what the journal says, and that each done run has the log that was
// sealed. It changes nothing. What is wrong with the store is a finding; an
// error says that the store could not be looked at.
func Verify(ctx context.Context, path string) (Report, error) {
	path, err := resolve(path)
	if err != nil {
		return Report{}, err
	}
	v := &verifier{Report: Report{Findings: []Finding{}}, path: path, runs: map[string]*state{}, ids: map[int64]string{}}
	err = v.verify(ctx)
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	if err != nil {
		return Report{}, fmt.Errorf("verify %s: %w", path, err)
	}
	return v.Report, nil
}

// state is what the journal says of a run.
type state struct {
	facts int64  // that have rows of their own, if it has not ended
	chain string // hash of the last of them
	hash  string // of the run's row
	// scores has the hashes of the run's scores by name and version.
	scores map[string]string
}

type verifier struct {
	Report
	path    string
	db      *sql.Conn
	library *library
	meta    string
	runs    map[string]*state
	order   []string            // of the runs in the journal
	facts   map[int64][]factRow // of runs at work, by their number
	ids     map[int64]string    // of those of them that have a row, by its number
}

func (v *verifier) found(run string, id message.ID, format string, args ...any) {
	if len(v.Findings) == maxFindings {
		v.Findings = append(v.Findings, Finding{What: fmt.Sprintf("there are more findings: the first %d are listed", maxFindings)})
	}
	if len(v.Findings) < maxFindings {
		v.Findings = append(v.Findings, Finding{Run: run, ID: id, What: fmt.Sprintf(format, args...)})
	}
}

func (v *verifier) verify(ctx context.Context) error {
	file, err := os.Stat(v.path)
	if err != nil {
		return err
	}
	if _, err := os.Stat(v.path + ".mark"); errors.Is(err, os.ErrNotExist) { // what has a mark was a run store
		if file.Size() == 0 {
			return fmt.Errorf("%w: it is empty", ErrNotAStore)
		}
		if err := recognise(v.path); err != nil && !errors.Is(err, ErrDamaged) {
			return err
		}
	}
	// The mark first: a writer at work may renew it while we look.
	marked, markErr := readMark(v.path + ".mark")
	pool, _, err := openReaders(ctx, v.path)
	if err != nil {
		v.found("", "", "the database cannot be opened: %v", err)
		return nil
	}
	defer pool.Close()
	if v.db, err = pool.Conn(ctx); err != nil {
		v.found("", "", "the database cannot be opened: %v", err)
		return nil
	}
	defer v.db.Close()
	if err := checkSchema(ctx, v.db); errors.Is(err, errEarlier) {
		return err
	}
	z, err := newZip()
	if err != nil {
		return err
	}
	defer z.close()
	v.library = newLibrary(v.db, z)
	if _, err := v.db.ExecContext(ctx, `BEGIN`); err != nil {
		v.found("", "", "the database cannot be read: %v", err)
		return nil
	}
	for _, check := range []struct {
		what string
		run  func(context.Context) error
	}{
		{"the file", v.integrity},
		{"the schema", v.schema},
		{"the journal", v.journal},
		{"the mark", func(ctx context.Context) error { return v.mark(ctx, marked, markErr) }},
		{"the manifest", v.manifest},
		{"the shared bodies", v.bodies},
		{"the runs", v.allRuns},
		{"the scores", v.allScores},
	} {
		// A check that cannot be made is a finding, and the others go on: what
		// is left of a damaged store is worth knowing.
		if err := check.run(ctx); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			v.found("", "", "%s: %v", check.what, err)
		}
	}
	return nil
}

func (v *verifier) integrity(ctx context.Context) error {
	rows, err := v.db.QueryContext(ctx, `PRAGMA integrity_check`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return err
		}
		if text != "ok" {
			v.found("", "", "SQLite: %s", text)
		}
	}
	return rows.Err()
}

func (v *verifier) schema(ctx context.Context) error {
	if err := checkSchema(ctx, v.db); err != nil {
		v.found("", "", "%v", err)
	}
	wrong, err := compareSchema(ctx, v.db)
	for _, what := range wrong {
		v.found("", "", "schema: %s", what)
	}
	return err
}

// journal follows the chain of commits and gathers what they say.
func (v *verifier) journal(ctx context.Context) error {
	rows, err := v.db.QueryContext(ctx, `SELECT number, events, head FROM journal ORDER BY number`)
	if err != nil {
		return err
	}
	defer rows.Close()
	last, want := "", int64(1)
	for rows.Next() {
		var number int64
		var events, hash string
		if err := rows.Scan(&number, &events, &hash); err != nil {
			return err
		}
		v.Commits++
		if number != want {
			v.found("", "", "commit %d is missing: the next one is %d", want, number)
		}
		if head(last, number, events) != hash {
			v.found("", "", "commit %d is not as it was written", number)
		}
		last, want = hash, number+1
		var list []event
		if err := json.Unmarshal([]byte(events), &list); err != nil {
			v.found("", "", "commit %d cannot be read: %v", number, err)
			continue
		}
		for _, e := range list {
			v.apply(e)
		}
	}
	return rows.Err()
}

func (v *verifier) apply(e event) {
	if e.Run == "" {
		v.meta = e.State
		return
	}
	s := v.runs[e.Run]
	if s == nil {
		s = &state{scores: map[string]string{}}
		v.runs[e.Run] = s
		v.order = append(v.order, e.Run)
	}
	switch {
	case e.Scorer != "":
		s.scores[e.Scorer] = e.State
		return
	case e.State != "":
		s.hash = e.State
	}
	if e.Chain != "" {
		s.facts, s.chain = e.Rows, e.Chain
	}
}

func (v *verifier) mark(ctx context.Context, m mark, markErr error) error {
	if markErr != nil && !errors.Is(markErr, fs.ErrNotExist) {
		v.found("", "", "%v", markErr)
		v.Findings[len(v.Findings)-1].Lost = true
		return nil
	}
	if err := compareMark(ctx, v.db, v.path+".mark", m, markErr); err != nil {
		if !errors.Is(err, ErrLost) {
			return err
		}
		v.found("", "", "%v", err)
		v.Findings[len(v.Findings)-1].Lost = true
	}
	return nil
}

func (v *verifier) manifest(ctx context.Context) error {
	rows, err := v.db.QueryContext(ctx, `SELECT key, value FROM meta`)
	if err != nil {
		return err
	}
	defer rows.Close()
	found := false
	for rows.Next() {
		var key, value string
		if err := rows.Scan(&key, &value); err != nil {
			return err
		}
		switch {
		case key != "manifest":
			v.found("", "", "the meta data has an entry %q that was not written", key)
		case metaState(value) != v.meta:
			v.found("", "", "the manifest is not as it was written")
		}
		found = found || key == "manifest"
	}
	if !found {
		v.found("", "", "the manifest is missing")
	}
	return rows.Err()
}

func (v *verifier) allScores(ctx context.Context) error {
	err := eachScore(ctx, v.db, 0, math.MaxInt64, func(r scoreRow, hash string) error {
		id, ok := v.ids[r.run]
		if !ok {
			return nil // told by strays
		}
		v.Scores++
		want := v.runs[id].scores
		if want[r.name()] != hash || r.digest() != hash {
			v.found(id, "", "the score %s is not as it was written", r.name())
		}
		delete(want, r.name())
		return nil
	})
	if err != nil {
		return err
	}
	for _, id := range v.order {
		for _, name := range slices.Sorted(maps.Keys(v.runs[id].scores)) {
			v.found(id, "", "the score %s is missing", name)
		}
	}
	return nil
}
