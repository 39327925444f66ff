package formats

import (
	"context"
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
	cells  map[string][]string
	ahead  bool // the first row was read ahead, for the columns' names
}

func openJSON(ctx context.Context, in *input) (table, error) {
	t := &objectTable{in: in, cells: make(map[string][]string)}
	if err := t.next(ctx); err != nil && err != io.EOF {
		return nil, err
	} else if err == io.EOF {
		return nil, in.fail(0, "rows", "none")
	}
	t.ahead = true
	return t, nil
}

func (t *objectTable) names() []string { return slices.Sorted(maps.Keys(t.fields)) }

func (t *objectTable) next(ctx context.Context) error {
	if t.ahead {
		t.ahead = false
		return nil
	}
	line, err := jsonLine(ctx, t.in)
	if err != nil {
		return err
	}
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
