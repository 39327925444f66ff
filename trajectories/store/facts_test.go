package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/trajectories"
)

// said is the nth fact of a run.
func said(n int) message.Envelope {
	return message.Envelope{ID: message.Root.Child(n), From: "a", Kind: "k", Body: json.RawMessage(fmt.Sprintf(`{"n":%d}`, n)),
		Meta: message.Meta{Digest: "model/1:x", Time: time.Unix(int64(n), 0).UTC()}}
}

// TestFactsOfRunsAtWork begins, tells, ends and begins runs again in any order,
// in processes that end: whoever reads a run at work finds its facts, and nothing
// is left of them when no run is at work.
func TestFactsOfRunsAtWork(t *testing.T) {
	dir, count := t.TempDir(), 0
	rapid.Check(t, func(rt *rapid.T) {
		count++
		path := filepath.Join(dir, fmt.Sprint(count, ".db"))
		cfg := Config{Manifest: &trajectories.Manifest{Team: "t"}, Step: rapid.Bool().Draw(rt, "step")}
		open := func() *Store {
			s, err := Open(t.Context(), path, cfg)
			if err != nil {
				rt.Fatal(err)
			}
			return s
		}
		s := open()
		told := map[string]int{} // facts of each run
		done := map[string]bool{}
		live := map[string]*Run{}
		begin := func(id string) *Run {
			r, err := s.Begin(t.Context(), faultTask(id))
			if err != nil || r.Facts() != told[id] {
				rt.Fatalf("run %s knows %d facts of %d: %v", id, r.Facts(), told[id], err)
			}
			for n := range told[id] { // said again, as a run does
				if err := r.Append(t.Context(), said(n+1)); err != nil {
					rt.Fatal(err)
				}
			}
			live[id] = r
			return r
		}
		end := func(id string, r *Run, fail bool) {
			var err error
			if fail {
				err = r.Fail(t.Context(), errors.New("no"))
			} else {
				err = r.Seal(t.Context(), []string{"a"})
				done[id] = true
			}
			if err != nil {
				rt.Fatal(err)
			}
			delete(live, id)
		}
		for range rapid.IntRange(1, 25).Draw(rt, "steps") {
			id := rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(rt, "run")
			r := live[id]
			switch what := rapid.IntRange(0, 15).Draw(rt, "what"); {
			case done[id]:
			case what == 15:
				if err := s.Close(); err != nil {
					rt.Fatal(err)
				}
				s = open()
				clear(live)
			case r == nil:
				begin(id)
			case what < 10:
				told[id]++
				if err := r.Append(t.Context(), said(told[id])); err != nil {
					rt.Fatal(err)
				}
			default:
				end(id, r, what < 12)
			}
		}
		if err := s.Close(); err != nil {
			rt.Fatal(err)
		}
		report, err := Verify(t.Context(), path)
		if err != nil || len(report.Findings) > 0 {
			rt.Fatal(report.Findings, err)
		}
		s = open()
		for id, n := range told {
			tr, err := s.Trajectory(t.Context(), id)
			if err != nil || len(tr.Log) != n {
				rt.Fatalf("run %s has %d facts of %d: %v", id, len(tr.Log), n, err)
			}
			if sum, err := s.Run(t.Context(), id); err != nil || sum.Messages != n {
				rt.Fatalf("run %s is listed with %d messages of %d: %v", id, sum.Messages, n, err)
			}
		}
		for _, id := range []string{"a", "b", "c", "d"} {
			if !done[id] {
				end(id, begin(id), rapid.Bool().Draw(rt, "fail"))
			}
		}
		var left int
		if err := s.readers.QueryRowContext(t.Context(), `SELECT count(*) FROM fact`).Scan(&left); err != nil || left > 0 {
			rt.Fatalf("%d rows of facts are left: %v", left, err)
		}
		if err := s.Close(); err != nil {
			rt.Fatal(err)
		}
	})
}

// TestFactsOfFormat2 goes on with a run whose facts have a row each.
func TestFactsOfFormat2(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.db")
	cfg := Config{Manifest: &trajectories.Manifest{Team: "t"}, Step: true}
	s, err := Open(t.Context(), path, cfg)
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Begin(t.Context(), faultTask("a"))
	if err != nil {
		t.Fatal(err)
	}
	for n := range 3 {
		if err := r.Append(t.Context(), said(n+1)); err != nil {
			t.Fatal(err)
		}
	}
	facts, err := factsOf(t.Context(), s.readers, func(int64) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	do := func(query string, args ...any) {
		t.Helper()
		if _, err := s.writer.conn.ExecContext(t.Context(), query, args...); err != nil {
			t.Fatal(err)
		}
	}
	do(`DELETE FROM fact`)
	for _, f := range facts[r.row.number] {
		do(`INSERT INTO fact VALUES (?, ?, ?)`, place(f.run, f.seq), f.message, f.hash)
	}
	do(`PRAGMA user_version = 2`)
	s.Close()

	report, err := Verify(t.Context(), path)
	if err != nil || len(report.Findings) > 0 || report.Messages != 3 {
		t.Fatalf("%+v, %v", report, err)
	}
	if s, err = Open(t.Context(), path, cfg); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	tr, err := s.Trajectory(t.Context(), "a")
	if err != nil || len(tr.Log) != 3 {
		t.Fatalf("%d facts, %v", len(tr.Log), err)
	}
	if r, err = s.Begin(t.Context(), faultTask("a")); err != nil || r.Facts() != 3 {
		t.Fatalf("%d facts are known, %v", r.Facts(), err)
	}
	for n := range 4 {
		if err := r.Append(t.Context(), said(n+1)); err != nil {
			t.Fatal(err)
		}
	}
	if report, err = Verify(t.Context(), path); err != nil || len(report.Findings) > 0 || report.Messages != 4 {
		t.Fatalf("%+v, %v", report, err)
	}
	if err := r.Seal(t.Context(), []string{"a"}); err != nil {
		t.Fatal(err)
	}
	var left, version int
	if err := s.readers.QueryRowContext(t.Context(), `SELECT count(*) FROM fact`).Scan(&left); err != nil || left > 0 {
		t.Errorf("%d rows of facts are left: %v", left, err)
	}
	if err := s.readers.QueryRowContext(t.Context(), `PRAGMA user_version`).Scan(&version); err != nil || version != schemaVersion {
		t.Errorf("its format is %d, %v: an earlier program would miss facts", version, err)
	}
}

// TestMarks reads the later of two marks, whichever half has it, and the one of a
// file of version 1.
func TestMarks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.db.mark")
	m, err := createMarks(path, 7, "seven")
	if err != nil {
		t.Fatal(err)
	}
	for commit := int64(8); commit < 12; commit++ {
		if err := m.renew(commit, fmt.Sprint("head ", commit), func(string) error { return nil }); err != nil {
			t.Fatal(err)
		}
		got, err := readMark(path)
		if err != nil || got.Commit != commit || got.Head != fmt.Sprint("head ", commit) {
			t.Errorf("after commit %d the mark is %+v, %v", commit, got, err)
		}
	}
	if err := m.close(); err != nil {
		t.Fatal(err)
	}
	first := mark{Version: 1, Commit: 3, Head: "three"}
	first.Sum = first.sum()
	line, err := message.Marshal(first)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := parseMarks(append(line, '\n')); err != nil || got != first {
		t.Errorf("a mark of version 1 is %+v, %v", got, err)
	}
	for n := range line {
		if got, err := parseMarks(slices.Concat(line[:n], []byte{'\n'})); err == nil {
			t.Errorf("the first %d bytes of it are %+v", n, got)
		}
	}
}
