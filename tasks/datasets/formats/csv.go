package formats

import (
	"context"
	"fmt"
	"strings"
)

// csvTable reads comma-separated values as RFC 4180 has them.
func csvTable() Reader { return separated("csv", ",", true, ".csv").reader() }

// tsvTable reads tab-separated values. Quotes mean nothing in them.
func tsvTable() Reader { return separated("tsv", "\t", false, ".tsv", ".tab").reader() }

func separated(name, sep string, quoted bool, endings ...string) tableFormat {
	return tableFormat{
		name:    name,
		about:   fmt.Sprintf("a table with a header, or a directory with interactions%[1]s and items%[1]s", endings[0]),
		endings: endings,
		open: func(ctx context.Context, in *input) (table, error) {
			return openText(ctx, &delimited{in: in, sep: sep, quoted: quoted})
		},
	}
}

// textTable is a table of delimited text.
type textTable struct {
	*delimited
	row   []string
	at    map[string]int
	ahead bool // the first row was read ahead: there is no header
}

// openText reads the header of a table. Where columns are mapped by number,
// there is none.
func openText(ctx context.Context, d *delimited) (*textTable, error) {
	t := &textTable{delimited: d, at: make(map[string]int)}
	if err := d.header(ctx); err != nil {
		return nil, err
	}
	for _, column := range d.in.feed.opts.Columns {
		t.ahead = t.ahead || strings.HasPrefix(column, "#")
	}
	if t.ahead {
		t.row = d.columns
		d.columns = make([]string, len(t.row))
		for i := range d.columns {
			d.columns[i] = fmt.Sprintf("#%d", i+1)
		}
		d.in.note("read without a header, since columns are given by number")
	}
	for i, name := range d.columns {
		if _, ok := t.at[name]; ok {
			return nil, d.in.fail(d.in.row, "each column once", "two columns "+name)
		}
		t.at[name] = i
	}
	return t, nil
}

func (t *textTable) names() []string { return t.columns }

func (t *textTable) next(ctx context.Context) (err error) {
	if t.ahead {
		t.ahead = false
		t.in.Rows++
		return nil
	}
	t.row, err = t.delimited.next(ctx)
	return err
}

func (t *textTable) cell(column string) []string {
	i, ok := t.at[column]
	if !ok || t.row[i] == "" {
		return nil
	}
	return t.row[i : i+1]
}
