package formats

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// csvTable reads comma-separated values as RFC 4180 has them.
func csvTable() Reader { return textFormat("csv", dialect{sep: ",", quoted: true}, ".csv") }

// tsvTable reads tab-separated values. Quotes mean nothing in them.
func tsvTable() Reader { return textFormat("tsv", dialect{sep: "\t"}, ".tsv", ".tab") }

func textFormat(name string, d dialect, endings ...string) Reader {
	return tableFormat{
		name:    name,
		about:   fmt.Sprintf("a table with a header, or a directory with interactions%[1]s and items%[1]s", endings[0]),
		endings: endings,
		open:    func(in *input) (table, error) { return openText(in, d) },
	}.reader()
}

// dialect is how a row of text is cut into fields.
type dialect struct {
	sep     string
	quoted  bool     // fields may be quoted, as RFC 4180 has it; sep is then one byte
	columns []string // where the file has no header
}

// textTable is a table of delimited text.
type textTable struct {
	in      *input
	columns []string
	fields  func() ([]string, error) // of the next row that is not blank; valid until the next call
	row     []string
	ahead   bool // the row was read already
}

// openText reads the header of a table. Where columns are mapped by number,
// there is none.
func openText(in *input, d dialect) (*textTable, error) {
	t := &textTable{in: in, columns: d.columns, fields: in.split(d.sep)}
	if d.quoted {
		t.fields = in.unquote(d.sep)
	}
	if t.columns == nil {
		if err := t.header(); err != nil {
			return nil, err
		}
	}
	for i, name := range t.columns {
		if slices.Contains(t.columns[:i], name) {
			return nil, in.fail(in.row, "each column once", "two columns "+name)
		}
	}
	return t, nil
}

func (t *textTable) header() error {
	first, err := t.fields()
	if err == io.EOF {
		return t.in.fail(0, "a header", "an empty file")
	}
	if err != nil {
		return err
	}
	t.columns = slices.Clone(first)
	for _, column := range t.in.feed.opts.Columns {
		t.ahead = t.ahead || strings.HasPrefix(column, "#")
	}
	if t.ahead {
		t.row = first
		for i := range t.columns {
			t.columns[i] = fmt.Sprintf("#%d", i+1)
		}
		t.in.note("read without a header, since columns are given by number")
	}
	return nil
}

// need reports the first column that the table lacks.
func (t *textTable) need(columns ...string) error {
	for _, name := range columns {
		if !slices.Contains(t.columns, name) {
			return t.in.fail(t.in.row, "a column "+name, "the columns "+shorten(strings.Join(t.columns, ", "), 200))
		}
	}
	return nil
}

func (t *textTable) names() []string { return t.columns }

func (t *textTable) next() (err error) {
	if t.ahead {
		t.ahead = false
	} else if t.row, err = t.fields(); err != nil {
		return err
	}
	t.in.Rows++
	if t.in.cut = t.in.open && t.in.line > 1; t.in.cut {
		t.in.note("line %d, the last, has no line end, as if the file were cut off: see that it is whole", t.in.line)
	}
	if len(t.row) != len(t.columns) {
		return t.in.failRow(fmt.Sprintf("%d fields (%s)", len(t.columns), shorten(strings.Join(t.columns, ", "), 100)),
			fmt.Sprint(len(t.row)))
	}
	return nil
}

func (t *textTable) cell(column string) []string {
	if value := t.value(column); value != "" {
		return []string{value}
	}
	return nil
}

// value returns the text in a column of the row; "" if there is no such column.
func (t *textTable) value(column string) string {
	if i := slices.Index(t.columns, column); i >= 0 {
		return t.row[i]
	}
	return ""
}

// split returns what cuts rows at a separator.
func (in *input) split(sep string) func() ([]string, error) {
	return func() ([]string, error) {
		line, err := in.rowLine()
		if err != nil {
			return nil, err
		}
		return strings.Split(string(line), sep), nil
	}
}

// unquote returns what cuts rows whose fields may be quoted, and then contain
// separators, quotes (doubled) and line ends.
func (in *input) unquote(sep string) func() ([]string, error) {
	lines := &lineReader{in: in}
	r := csv.NewReader(lines)
	r.Comma, r.FieldsPerRecord, r.ReuseRecord = rune(sep[0]), -1, true
	return func() ([]string, error) {
		lines.size = 0
		fields, err := r.Read()
		var broken *csv.ParseError
		switch {
		case !errors.As(err, &broken):
			return fields, err
		case lines.ended:
			return nil, in.failRow("a closing quote", "the end of the file")
		case errors.Is(err, csv.ErrBareQuote):
			return nil, in.fail(in.line, "quotes around a whole field, doubled inside", lines.show(broken.Column))
		}
		return nil, in.fail(in.line, "a separator or the line's end after a closing quote", lines.show(broken.Column))
	}
}

// lineReader hands the lines of an input on, one at a time and no sooner than
// they are asked for: so it is known on which line a row begins and ends, and
// how long it has become.
type lineReader struct {
	in    *input
	line  []byte // with its end
	rest  []byte // of the line, not handed on yet
	size  int    // of the row so far
	ended bool
}

func (l *lineReader) Read(p []byte) (int, error) {
	if len(l.rest) == 0 {
		line, err := l.in.next()
		if err != nil {
			l.ended = err == io.EOF
			return 0, err
		}
		if l.size == 0 {
			l.in.row = l.in.line
		}
		if l.size += len(line); l.size > 0 { // a row does not begin with blank lines
			l.size++
		}
		if l.size > maxLine {
			return 0, l.in.failRow(fmt.Sprintf("rows of at most %d bytes", maxLine), "a longer one (an unclosed quote?)")
		}
		l.line = append(append(l.line[:0], line...), '\n')
		l.rest = l.line
	}
	n := copy(p, l.rest)
	l.rest = l.rest[n:]
	return n, nil
}

// show quotes the line from a column on, counted from 1 in bytes.
func (l *lineReader) show(column int) string {
	return show(strings.TrimSuffix(string(l.line[min(column-1, len(l.line)):]), "\n"))
}
