package formats

import (
	"path/filepath"
	"slices"
	"strings"
)

// recBole reads RecBole's atomic files: tab-separated, without quotes, a type
// behind each column's name in the header:
//
//	name.inter   user_id:token  item_id:token  rating:float  timestamp:float
//	name.item    item_id:token  movie_title:token_seq  release_year:token  class:token_seq
//	name.user    user_id:token  ...
//
// A token_seq is a text or a list: a title is taken whole, categories are split
// at commas or else at spaces. Columns and their times may be mapped as for
// plain tables. Files name.train.inter, name.valid.inter and name.test.inter are
// read together.
func recBole() Reader {
	return layout{
		name:  "recbole",
		about: "RecBole atomic files: name.inter, with name.item and name.user beside it",
		plain: true,
		detect: func(d folder) string {
			events, err := recBoleEvents(d)
			if err != nil || !strings.Contains(d.head(events[0]), ":token\t") {
				return ""
			}
			return events[0] + " has a header with types"
		},
		parts: func(d folder, opts Options) ([]part, error) {
			events, err := recBoleEvents(d)
			if err != nil {
				return nil, err
			}
			name := recBoleName(events[0])
			parts := []part{
				{name: name + ".item", read: tableRows(openRecBole, itemTable)},
				{name: name + ".user", read: tableRows(openRecBole, userTable)},
			}
			read := tableRows(openRecBole, eventTable(!d.has(name+".item")))
			for _, e := range events {
				parts = append(parts, part{name: e, read: read, clock: clock{layout: opts.TimeLayout}})
			}
			return parts, nil
		},
	}.reader()
}

// recBoleEvents returns the folder's .inter files: one, or the parts of a split.
func recBoleEvents(d folder) ([]string, error) {
	if d.given != "" {
		if filepath.Ext(d.given) != ".inter" {
			return nil, d.missing("a file name.inter")
		}
		return []string{d.given}, nil
	}
	found := d.match(func(plain string) bool { return filepath.Ext(plain) == ".inter" })
	if len(found) == 0 {
		return nil, d.missing("a file name.inter")
	}
	for _, plain := range found {
		if len(found) > 1 && (recBoleName(plain) != recBoleName(found[0]) || recBoleName(plain)+".inter" == plain) {
			return nil, &Error{File: d.path, Want: "one data set (name its .inter file as the path)", Got: strings.Join(found, ", ")}
		}
	}
	return found, nil
}

// recBoleName is the data set's name: what stands before .inter, or before the
// name of a part of a split.
func recBoleName(plain string) string {
	name := strings.TrimSuffix(plain, ".inter")
	for _, part := range []string{".train", ".valid", ".test"} {
		name = strings.TrimSuffix(name, part)
	}
	return name
}

// recBoleTable is a table whose lists are written with spaces between.
type recBoleTable struct {
	*textTable
	lists map[string]bool // columns of type token_seq that are lists
}

func openRecBole(in *input) (table, error) {
	t, err := openText(in, dialect{sep: "\t"})
	if err != nil {
		return nil, err
	}
	b := recBoleTable{t, make(map[string]bool)}
	for i, column := range t.columns {
		name, kind, typed := strings.Cut(column, ":")
		if !typed || !slices.Contains([]string{"token", "token_seq", "float", "float_seq"}, kind) {
			return nil, in.failRow("columns as name:type, of type token, token_seq, float or float_seq", show(column))
		}
		t.columns[i] = name
		list := slices.Contains(aliases["categories"], name) || slices.Contains(aliases["creators"], name) ||
			name == in.feed.opts.Columns["categories"] || name == in.feed.opts.Columns["creators"]
		b.lists[name] = list && kind == "token_seq"
	}
	return b, nil
}

func (t recBoleTable) cell(column string) []string {
	values := t.textTable.cell(column)
	if len(values) == 1 && t.lists[column] && !strings.ContainsAny(values[0], ",|;[") {
		return strings.Fields(values[0])
	}
	return values
}
