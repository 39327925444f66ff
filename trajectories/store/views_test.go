package store_test

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"github.com/mars-rec/mars/trajectories"
)

// TestViewsAreReadableByAnyProgram reads them with nothing but the driver.
func TestViewsAreReadableByAnyProgram(t *testing.T) {
	p := path(t)
	s := create(t, p)
	do(t, s, "t1")
	do(t, s, "t2")
	if err := s.PutScores(t.Context(), trajectories.Score{Run: "t2", Scorer: "paper", Version: "1", Value: .5, Parts: map[string]float64{"hit": 1}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", p)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, c := range []struct{ query, want string }{
		{`SELECT run, user, scenario, as_of, status, top_item, messages, calls, tools, input_tokens, models FROM runs ORDER BY run`,
			`t1 ut1 classic 2020-01-02T03:04:05Z done i2 8 2 1 300 ["builtin"]; t2 ut2 classic 2020-01-02T03:04:05Z done i2 8 2 1 300 ["builtin"]`},
		{`SELECT run, id, kind, sender, time, seconds, model, input_tokens FROM messages WHERE fact AND run = 't1' ORDER BY id`,
			`t1 1.1.3 reply planner 2026-05-06T07:08:09.123456789Z 0.012345678 builtin 100; t1 1.1.4 result planner 2026-05-06T07:08:09.123456789Z 0.001 <nil> <nil>; t1 1.1.5 reply planner 2026-05-06T07:08:09.123456789Z <nil> builtin 200`},
		{`SELECT count(*), count(body), count(DISTINCT body) FROM messages WHERE kind = 'prompt'`, `4 4 3`},
		{`SELECT run, id, agent, tool, arguments, value, error FROM calls ORDER BY run`,
			`t1 1.1.4 planner item_cf {"k": 20} {"evidence":["Readers of t1 also read Dune"]} <nil>; t2 1.1.4 planner item_cf {"k": 20} {"evidence":["Readers of t2 also read Dune"]} <nil>`},
		{`SELECT run, rank, item FROM items WHERE run = 't2' ORDER BY rank`, `t2 1 i2; t2 2 i1; t2 3 i3`},
		{`SELECT run, scorer, version, value, parts FROM scores`, `t2 paper 1 0.5 {"hit":1}`},
		{`SELECT count(*) FROM body`, `1`}, // the prompt that both share; the rest is short and stands in line
	} {
		if got := query(t, db, c.query); got != c.want {
			t.Errorf("%s\ngives %s\nwant  %s", c.query, got, c.want)
		}
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
