package formats

import (
	"encoding/json"
	"io"
	"maps"
	"slices"
)

// jsonTable reads JSON lines: each an object whose fields are the columns.
func jsonTable() Reader {
	return tableFormat{
		name:    "jsonl",
		about:   "JSON lines, or a directory with interactions.jsonl and items.jsonl",
		endings: []string{".jsonl", ".ndjson", ".json"},
		open:    openJSON,
	}.reader()
}

// objectTable is a table of JSON objects.
type objectTable struct {
	in     *input
	fields map[string]json.RawMessage
	ahead  bool // the first row was read ahead, for the columns' names
}

func openJSON(in *input) (table, error) {
	t := &objectTable{in: in}
	if err := t.next(); err == io.EOF {
		return nil, in.fail(0, "rows", "none")
	} else if err != nil {
		return nil, err
	}
	t.ahead = true
	return t, nil
}

func (t *objectTable) names() []string { return slices.Sorted(maps.Keys(t.fields)) }

func (t *objectTable) next() error {
	if t.ahead {
		t.ahead = false
		return nil
	}
	line, err := t.in.rowLine()
	if err != nil {
		return err
	}
	t.in.Rows++
	clear(t.fields)
	return t.in.decode(line, &t.fields)
}

// cell takes an object inside a cell for no value.
func (t *objectTable) cell(column string) []string {
	var values texts
	if json.Unmarshal(t.fields[column], &values) != nil {
		return nil
	}
	return values
}
