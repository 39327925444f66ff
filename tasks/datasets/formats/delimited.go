package formats

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
)

// delimited reads rows of fields with a separator between them.
type delimited struct {
	in      *input
	sep     string
	quoted  bool     // fields may be quoted, as RFC 4180 has it; sep is then one byte
	columns []string // names, from the header or the format's documentation
	fields  []string
}

// header reads the first row as the columns' names.
func (d *delimited) header(ctx context.Context) error {
	fields, err := d.scan(ctx)
	if err == io.EOF {
		return d.in.fail(0, "a header", "an empty file")
	}
	if err != nil {
		return err
	}
	d.columns = slices.Clone(fields)
	return nil
}

// index returns the places of columns by name.
func (d *delimited) index(names ...string) ([]int, error) {
	at := make([]int, len(names))
	for i, name := range names {
		at[i] = slices.Index(d.columns, name)
		if at[i] < 0 {
			return nil, d.in.fail(d.in.row, "a column "+name, "the columns "+shorten(strings.Join(d.columns, ", "), 200))
		}
	}
	return at, nil
}

// next returns the fields of the next row, as many as there are columns, or
// io.EOF. The slice is valid until the next call; its strings stay. Blank lines
// are passed over.
func (d *delimited) next(ctx context.Context) ([]string, error) {
	fields, err := d.scan(ctx)
	if err != nil {
		return nil, err
	}
	d.in.Rows++
	if len(fields) != len(d.columns) {
		return nil, d.in.failRow(fmt.Sprintf("%d fields (%s)", len(d.columns), shorten(strings.Join(d.columns, ", "), 100)),
			fmt.Sprintf("%d", len(fields)))
	}
	return fields, nil
}

func (d *delimited) scan(ctx context.Context) ([]string, error) {
	line, err := d.in.next(ctx)
	for err == nil && len(line) == 0 {
		line, err = d.in.next(ctx)
	}
	if err != nil {
		return nil, err
	}
	d.in.row = d.in.line
	d.fields = d.fields[:0]
	if d.quoted {
		return d.quotedFields(ctx, string(line))
	}
	rest := string(line)
	for {
		field, after, more := strings.Cut(rest, d.sep)
		d.fields = append(d.fields, field)
		if !more {
			return d.fields, nil
		}
		rest = after
	}
}

// quotedFields splits a row in which fields may be quoted. A quoted field may
// contain separators, quotes (doubled) and line ends, so that the row goes on
// in the lines that follow.
func (d *delimited) quotedFields(ctx context.Context, rest string) ([]string, error) {
	for {
		if !strings.HasPrefix(rest, `"`) {
			field, after, more := strings.Cut(rest, d.sep)
			if strings.Contains(field, `"`) {
				return nil, d.in.fail(d.in.line, "quotes around a whole field, doubled inside", show(field))
			}
			d.fields = append(d.fields, field)
			if !more {
				return d.fields, nil
			}
			rest = after
			continue
		}
		field, after, err := d.quotedField(ctx, rest[1:])
		if err != nil {
			return nil, err
		}
		d.fields = append(d.fields, field)
		if after == "" {
			return d.fields, nil
		}
		var more bool
		if rest, more = strings.CutPrefix(after, d.sep); !more {
			return nil, d.in.fail(d.in.line, "a separator or the line's end after a closing quote", show(after))
		}
	}
}

// quotedField returns what stands up to the closing quote, and what follows it
// on its line.
func (d *delimited) quotedField(ctx context.Context, rest string) (field, after string, err error) {
	var b strings.Builder
	for {
		text, tail, closed := strings.Cut(rest, `"`)
		b.WriteString(text)
		if closed {
			if !strings.HasPrefix(tail, `"`) {
				return b.String(), tail, nil
			}
			b.WriteByte('"')
			rest = tail[1:]
			continue
		}
		line, err := d.in.next(ctx)
		if err != nil {
			return "", "", d.unclosed(err)
		}
		if b.Len()+len(line) > maxLine {
			return "", "", d.in.failRow(fmt.Sprintf("rows of at most %d bytes", maxLine), "a longer one (an unclosed quote?)")
		}
		b.WriteByte('\n')
		rest = string(line)
	}
}

// unclosed is the error of a file that ends inside a quoted field.
func (d *delimited) unclosed(err error) error {
	if err != io.EOF {
		return err
	}
	return d.in.failRow("a closing quote", "the end of the file")
}
