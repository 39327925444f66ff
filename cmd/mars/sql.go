package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mars-rec/mars/message"
)

func sqlCommand(a *app) *cobra.Command {
	var comma bool
	c := &cobra.Command{
		Use:   "sql RUN.DB [QUERY]",
		Short: "Ask a run store in SQL",
		Long: strings.TrimSpace(`
Ask a run store in SQLite's SQL. It shows

  runs      one row a run: task, status, ranking, seal, counts of messages and tokens
  messages  one row a message: body, refs, model, tokens, seconds
  calls     one row a tool call: its arguments and its result
  items     one row a ranked item, rank 1 the best
  scores    one row a score

Without a QUERY their columns are listed; a QUERY of - is read from standard
input. The store may be written to meanwhile, and is not changed. Long values are
cut in the table that is printed; --csv and --json print them whole, the latter
one object a line.

Any program that reads SQLite finds runs, items and scores in the file itself;
for messages and calls, which are stored compressed, mars unpack makes a plain
file.`),
		Example: `  mars sql run.db "SELECT agent, tool, count(*), avg(seconds) FROM calls GROUP BY 1, 2"
  mars sql run.db "SELECT run, body ->> '$.message.content' FROM messages WHERE kind = 'reply' AND sender = 'ranker'" --csv
  mars sql run.db - --json < query.sql`,
		Args: between(1, "RUN.DB", "QUERY"),
		RunE: func(c *cobra.Command, args []string) error {
			query, most := columnsQuery, 0
			if len(args) == 2 {
				query, most = args[1], 80
			}
			if query == "-" {
				b, err := io.ReadAll(c.InOrStdin())
				if err != nil {
					return err
				}
				query = string(b)
			}
			return a.ask(c.Context(), args[0], query, comma, most)
		},
	}
	c.Flags().BoolVar(&comma, "csv", false, "print values whole, separated by commas, with a header")
	return c
}

// columnsQuery lists what there is to ask.
const columnsQuery = `
SELECT t.name AS "table", group_concat(c.name, ', ') AS columns
FROM (SELECT 1 AS place, 'runs' AS name UNION SELECT 2, 'messages' UNION SELECT 3, 'calls' UNION SELECT 4, 'items' UNION SELECT 5, 'scores') AS t,
	pragma_table_info(t.name) AS c
GROUP BY t.place ORDER BY t.place`

// ask prints what a query gives, row by row; of a value in a table at most as
// many characters as said, if that is not 0.
func (a *app) ask(ctx context.Context, path, query string, comma bool, most int) error {
	if err := single(query); err != nil {
		return err
	}
	st, err := openStore(ctx, path)
	if err != nil {
		return err
	}
	defer st.Close()
	db, err := st.SQL()
	if err != nil {
		return err
	}
	defer db.Close()
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return hinted(fmt.Errorf("%s: %w", path, err), "mars sql %s lists tables and columns", path)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	out := a.answers(columns, comma, most)
	for rows.Next() {
		values, pointers := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			pointers[i] = &values[i]
		}
		if err := rows.Scan(pointers...); err != nil {
			return err
		}
		if err := out.row(values); err != nil {
			return err
		}
	}
	return errors.Join(storeError(rows.Err()), out.flush())
}

// answer writes the rows of a query.
type answer struct {
	row   func(values []any) error
	flush func() error
}

// answers returns the form in which rows are printed.
func (a *app) answers(columns []string, comma bool, most int) answer {
	switch {
	case a.json:
		return answer{func(values []any) error { return a.printObject(columns, values) }, func() error { return nil }}
	case comma:
		w := csv.NewWriter(a.stdout)
		header := w.Write(columns)
		return answer{
			func(values []any) error {
				cells := make([]string, len(values))
				for i, v := range values {
					cells[i] = cell(v)
				}
				return w.Write(cells)
			},
			func() error { w.Flush(); return errors.Join(header, w.Error()) },
		}
	}
	w := &grid{w: a.stdout}
	w.row(columns...)
	const page = 500 // rows that are aligned together
	n := 0
	return answer{
		func(values []any) error {
			cells := make([]string, len(values))
			for i, v := range values {
				cells[i] = cutAt(oneLine(strings.ReplaceAll(cell(v), "\t", " ")), most)
			}
			w.row(cells...)
			if n++; n%page == 0 {
				return w.Flush()
			}
			return nil
		},
		w.Flush,
	}
}

// cutAt cuts text behind a number of characters, if that is not 0.
func cutAt(text string, most int) string {
	n := 0
	for i := range text {
		if n++; n > most && most > 0 {
			return text[:i] + "…"
		}
	}
	return text
}

// cell is a value as text; what is unknown is empty.
func cell(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case []byte:
		return fmt.Sprintf("%x", v)
	}
	return fmt.Sprint(v)
}

// printObject writes a row as an object, its members in the order of the
// columns.
func (a *app) printObject(columns []string, values []any) error {
	var b strings.Builder
	b.WriteByte('{')
	for i, name := range columns {
		if i > 0 {
			b.WriteByte(',')
		}
		key, err := message.Marshal(name)
		if err != nil {
			return err
		}
		v := values[i]
		if bytes, ok := v.([]byte); ok {
			v = fmt.Sprintf("%x", bytes)
		}
		value, err := message.Marshal(v)
		if err != nil {
			return fmt.Errorf("column %s: %w", name, err)
		}
		b.Write(key)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	_, err := fmt.Fprintln(a.stdout, printable(b.String()))
	return err
}
