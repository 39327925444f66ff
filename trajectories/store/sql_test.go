package store_test

import (
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mars-rec/mars/trajectories"
	"github.com/mars-rec/mars/trajectories/store"
)

// asked is a store of two runs that are done, one that has failed and one that
// is at work.
func asked(t *testing.T) (*store.Store, string) {
	t.Helper()
	p := path(t)
	s := create(t, p)
	do(t, s, "t1")
	do(t, s, "t2")
	for _, id := range []string{"t3", "t4"} {
		r, err := s.Begin(t.Context(), task(id))
		if err != nil {
			t.Fatal(err)
		}
		fill(t, r, envelopes(id)[:6])
		if id == "t3" {
			if err := r.Fail(t.Context(), errors.New("out of ink")); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := s.PutScores(t.Context(), trajectories.Score{Run: "t2", Scorer: "paper", Version: "1", Value: .5, Parts: map[string]float64{"hit": 1}}); err != nil {
		t.Fatal(err)
	}
	return s, p
}

var questions = []struct {
	query, want string
	file        bool // whether any program can ask the file itself
}{
	{`SELECT run, user, scenario, as_of, status, top_item, messages, calls, tools, input_tokens, models FROM runs ORDER BY run`,
		`t1 ut1 classic 2020-01-02T03:04:05Z done i2 8 2 1 300 ["builtin"]; t2 ut2 classic 2020-01-02T03:04:05Z done i2 8 2 1 300 ["builtin"]; ` +
			`t3 ut3 classic 2020-01-02T03:04:05Z failed <nil> 6 1 1 100 ["builtin"]; t4 ut4 classic 2020-01-02T03:04:05Z running <nil> 0 0 0 0 []`, true},
	{`SELECT run, rank, item FROM items WHERE run = 't2' ORDER BY rank`, `t2 1 i2; t2 2 i1; t2 3 i3`, true},
	{`SELECT run, scorer, version, value, parts FROM scores`, `t2 paper 1 0.5 {"hit":1}`, true},
	{`SELECT run, id, kind, sender, time, seconds, model, input_tokens, attempts, cached FROM messages WHERE fact AND run = 't1' ORDER BY id`,
		`t1 1.1.3 reply planner 2026-05-06T07:08:09.123456789Z 0.012345678 builtin 100 1 0; t1 1.1.4 result planner 2026-05-06T07:08:09.123456789Z 0.001 <nil> <nil> <nil> 0; t1 1.1.5 reply planner 2026-05-06T07:08:09.123456789Z <nil> builtin 200 2 0`, false},
	{`SELECT id, recipient, refs, seq, fact FROM messages WHERE run = 't2' ORDER BY seq`,
		`1.1.3  ["1.1.1","1.1.2"] 1 1; 1.1.4  ["1.1.3"] 2 1; 1.1.5  ["1.1.1","1.1.2","1.1.3","1.1.4"] 3 1; 1 team [] 4 0; 1.1 planner ["1"] 5 0; 1.1.1  ["1.1"] 6 0; 1.1.2  ["1.1"] 7 0; 1.1.6 team ["1.1.5"] 8 0`, false},
	{`SELECT count(*), count(body), count(DISTINCT body) FROM messages WHERE kind = 'prompt'`, `6 6 4`, false},
	{`SELECT run, count(*), sum(fact) FROM messages GROUP BY run ORDER BY run`, `t1 8 3; t2 8 3; t3 6 2; t4 2 2`, false},
	{`SELECT run, id, agent, tool, arguments, value, error, seconds FROM calls ORDER BY run`,
		`t1 1.1.4 planner item_cf {"k": 20} {"evidence":["Readers of t1 also read Dune"]} <nil> 0.001; t2 1.1.4 planner item_cf {"k": 20} {"evidence":["Readers of t2 also read Dune"]} <nil> 0.001; ` +
			`t3 1.1.4 planner item_cf {"k": 20} {"evidence":["Readers of t3 also read Dune"]} <nil> 0.001; t4 1.1.4 planner item_cf {"k": 20} {"evidence":["Readers of t4 also read Dune"]} <nil> 0.001`, false},
	{`SELECT body ->> '$.content' FROM messages WHERE run = 't2' AND id = '1.1.5'`, `<nil>`, false},
	{`SELECT body ->> '$.message.content' FROM messages WHERE run = 't2' AND id = '1.1.5'`, `{"ranking":["c02","c01","c03"]}`, false},
	{`SELECT count(*) FROM messages WHERE run = 'none' OR id = '9.9'`, `0`, false},
	{`SELECT count(*) FROM messages WHERE run = 7`, `0`, false},
	{`SELECT count(*) FROM runs JOIN messages USING (run) WHERE messages.id = '1.1' AND status = 'done'`, `2`, false},
}

func TestSQL(t *testing.T) {
	s, p := asked(t)
	to := filepath.Join(t.TempDir(), "plain.db")
	for range 2 { // the second time in place of the first
		told := 0
		if err := s.Unpack(t.Context(), to, func() { told++ }); err != nil || told != 4 {
			t.Fatalf("unpacked, after %d runs: %v", told, err)
		}
	}
	within, err := s.SQL()
	if err != nil {
		t.Fatal(err)
	}
	defer within.Close()
	without, err := sql.Open("sqlite", p) // any program
	if err != nil {
		t.Fatal(err)
	}
	defer without.Close()
	unpacked, err := sql.Open("sqlite", to)
	if err != nil {
		t.Fatal(err)
	}
	defer unpacked.Close()
	for _, q := range questions {
		for name, db := range map[string]*sql.DB{"SQL": within, "the file": without, "the unpacked file": unpacked} {
			if name == "the file" && !q.file {
				continue
			}
			if got := query(t, db, q.query); got != q.want {
				t.Errorf("%s of %s\ngives %s\nwant  %s", q.query, name, got, q.want)
			}
		}
	}
	if got := query(t, without, `SELECT count(*) FROM body`); got != "1" {
		t.Errorf("%s bodies are shared, want 1: the prompt that all runs have", got)
	}
}

// TestSQLWritesNothing tries to.
func TestSQLWritesNothing(t *testing.T) {
	s, p := asked(t)
	db, err := s.SQL()
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, text := range []string{`DELETE FROM run`, `UPDATE run SET status = 'done'`, `DROP VIEW runs`, `CREATE TABLE x (y)`, `DELETE FROM messages`} {
		if _, err := db.ExecContext(t.Context(), text); err == nil {
			t.Errorf("%s is done", text)
		}
	}
	sound(t, p)
	if err := s.Unpack(t.Context(), p, func() {}); err == nil {
		t.Error("the store is unpacked over itself")
	}
	sound(t, p)
}

// TestSQLOfADamagedRun: a query that needs it fails, one that does not, not.
func TestSQLOfADamagedRun(t *testing.T) {
	s, p := asked(t)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	spoil(t, p, `UPDATE log SET size = size + 1 WHERE run = 1`)
	s, err := store.Open(t.Context(), p, store.Config{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	db, err := s.SQL()
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var n int
	if err := db.QueryRow(`SELECT count(*) FROM messages`).Scan(&n); err == nil || !strings.Contains(err.Error(), "run t1: the store is damaged") {
		t.Errorf("%d messages, %v: want an error that names t1", n, err)
	}
	if got := query(t, db, `SELECT count(*) FROM messages WHERE run = 't2'`); got != "8" {
		t.Errorf("t2 has %s messages, want 8", got)
	}
}

// spoil changes a store behind its back.
func spoil(t *testing.T, path, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(statement); err != nil {
		t.Fatal(err)
	}
}

func query(t *testing.T, db *sql.DB, text string) string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for rows.Next() {
		values := make([]any, len(columns))
		for i := range values {
			values[i] = new(any)
		}
		if err := rows.Scan(values...); err != nil {
			t.Fatal(err)
		}
		var line []string
		for _, v := range values {
			line = append(line, fmt.Sprint(*v.(*any)))
		}
		lines = append(lines, strings.Join(line, " "))
	}
	return strings.Join(lines, "; ")
}
