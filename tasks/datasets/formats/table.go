package formats

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mars-rec/mars/tasks"
)

// table is one file of rows with named columns, whatever its format.
type table interface {
	// names returns the columns' names, of the first row where there is no header.
	names() []string

	// next goes to the next row, or returns io.EOF.
	next() error

	// cell returns the values in a column of the row: none where it is empty or
	// there is no such column, several where it holds a list.
	cell(column string) []string
}

// aliases are the names under which a role's column is looked for, in this
// order and without regard to case, where no column is mapped to it.
var aliases = map[string][]string{
	"user":       {"user_id", "userId", "user", "uid", "reviewerID", "customer_id", "visitorid"},
	"item":       {"item_id", "itemId", "item", "iid", "movieId", "movie_id", "book_id", "business_id", "parent_asin", "asin", "product_id"},
	"rating":     {"rating", "stars", "score", "overall"},
	"time":       {"timestamp", "time", "ts", "unixReviewTime", "date", "datetime", "created_at"},
	"review":     {"review", "review_text", "reviewText", "text"},
	"title":      {"title", "name", "movie_title", "item_name", "product_title"},
	"categories": {"categories", "category", "genres", "genre", "class", "tags"},
	"creators":   {"creators", "creator", "authors", "author", "brand", "store", "director", "artist"},
	"year":       {"year", "release_year", "publication_year", "published"},
	"text":       {"description", "text", "overview", "plot"},
	"name":       {"name", "user_name", "username"},
}

// mapping says which column of one table plays which role.
type mapping map[string]string

// roles finds the columns of roles in a table; those that are needed must be
// there, and so must those that were mapped by hand.
func (in *input) roles(t table, need []string, more ...string) (mapping, error) {
	columns, m := t.names(), make(mapping)
	for i, role := range append(slices.Clone(need), more...) {
		wanted := aliases[role]
		mapped, byHand := in.feed.opts.Columns[role]
		if byHand {
			wanted = []string{mapped}
		}
		if found := find(columns, wanted); found != "" {
			m[role] = found
		}
		if m[role] == "" && (byHand || i < len(need)) {
			found := "the columns " + shorten(strings.Join(columns, ", "), 200)
			if len(columns) == 1 && strings.ContainsAny(columns[0], ";|\t") {
				found = fmt.Sprintf("the one column %q: the file's columns stand apart by another character than its name says", shorten(columns[0], 200))
			}
			err := in.fail(1, fmt.Sprintf("a column for the %s, by the name of %s", role, strings.Join(wanted, ", ")), found)
			if e := (*Error)(nil); errors.As(err, &e) {
				e.Role = role
			}
			return nil, err
		}
	}
	return m, nil
}

// find returns the first of the names that a column has, as the table spells it;
// "" if none has.
func find(columns, names []string) string {
	for _, name := range names {
		if at := slices.IndexFunc(columns, func(c string) bool { return strings.EqualFold(c, name) }); at >= 0 {
			return columns[at]
		}
	}
	return ""
}

func (m mapping) text(t table, role string) string { return strings.Join(m.list(t, role), " ") }

func (m mapping) list(t table, role string) []string {
	if column, ok := m[role]; ok {
		return t.cell(column)
	}
	return nil
}

// item reads the row as an item.
func (m mapping) item(t table) tasks.Item {
	return tasks.Item{
		ID: m.text(t, "item"), Title: m.text(t, "title"), Text: m.text(t, "text"), Year: parseYear(m.text(t, "year")),
		Categories: splitNames(m.list(t, "categories")), Creators: splitNames(m.list(t, "creators")),
	}
}

// splitNames splits a cell that holds several names, at the first of | ; and ,
// that stands in it. A list, and one written as ['a', 'b'], is split already.
func splitNames(cell []string) []string {
	if len(cell) != 1 {
		return cell
	}
	s := strings.TrimSpace(cell[0])
	if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
		return quotedNames(s[1 : len(s)-1])
	}
	for _, sep := range []string{"|", ";", ","} {
		if strings.Contains(s, sep) {
			return strings.Split(s, sep)
		}
	}
	return []string{s}
}

// quotedNames splits at commas outside of quotes, single or double.
func quotedNames(s string) []string {
	var names []string
	var quote, start = byte(0), 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quote == 0 && (c == '\'' || c == '"'):
			quote = c
		case quote == c:
			quote = 0
		case quote == 0 && c == ',':
			names = append(names, s[start:i])
			start = i + 1
		}
	}
	names = append(names, s[start:])
	for i, n := range names {
		names[i] = strings.Trim(n, ` '"`)
	}
	return names
}

// tableFormat is a format of plain tables. A path is a file of interactions,
// with columns of the item's title and so on if it has them, or a directory:
//
//	interactions.csv   user_id,item_id,rating,timestamp,review
//	items.csv          item_id,title,categories,creators,year,description   (may be absent)
//	users.csv          user_id,name                                         (may be absent)
type tableFormat struct {
	name, about string
	endings     []string // of file names, the first in messages
	magic       string   // first bytes; "" for text
	open        func(*input) (table, error)
}

func (t tableFormat) reader() Reader {
	return layout{name: t.name, about: t.about, plain: true, detect: t.detect, parts: t.parts}.reader()
}

// file returns the plain name of a directory's table, "" if it has none.
func (t tableFormat) file(d folder, base string) string {
	for _, end := range t.endings {
		if d.has(base + end) {
			return base + end
		}
	}
	return ""
}

// events returns the plain name of the table of interactions, "" if there is
// none.
func (t tableFormat) events(d folder) string {
	if d.given != "" {
		return d.given
	}
	return t.file(d, "interactions")
}

func (t tableFormat) detect(d folder) string {
	name := t.events(d)
	if !slices.Contains(t.endings, filepath.Ext(name)) || foreign([]byte(d.head(name))) != foreign([]byte(t.magic)) {
		return ""
	}
	return name + " ends in " + filepath.Ext(name)
}

func (t tableFormat) parts(d folder, opts Options) ([]part, error) {
	events := t.events(d)
	if events == "" {
		return nil, d.lacks("interactions" + t.endings[0])
	}
	items, users := "", ""
	if d.given == "" {
		items, users = t.file(d, "items"), t.file(d, "users")
	}
	return []part{
		{name: items, read: tableRows(t.open, itemTable)},
		{name: users, read: tableRows(t.open, userTable)},
		{name: events, read: tableRows(t.open, eventTable(items == "")), clock: clock{layout: opts.TimeLayout}},
	}, nil
}

// tableRows returns what opens a table and reads its rows in the way of use.
func tableRows(open func(*input) (table, error), use tableUse) func(context.Context, *input) error {
	return func(ctx context.Context, in *input) error {
		rows, err := open(in)
		if err != nil {
			return err
		}
		do, err := use(in, rows)
		if err != nil {
			return err
		}
		return each(ctx, rows, do)
	}
}

// each calls do on every row.
func each(ctx context.Context, rows table, do func() error) error {
	for {
		err := rows.next()
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = do()
		}
		if err != nil {
			return err
		}
	}
}

// tableUse finds the columns of a table, and returns what is done with a row.
type tableUse func(*input, table) (do func() error, err error)

// itemTable is a table of items.
func itemTable(in *input, rows table) (func() error, error) {
	m, err := in.roles(rows, []string{"item"}, "title", "categories", "creators", "year", "text")
	return func() error { return in.item(m.item(rows)) }, err
}

// userTable is a table of users.
func userTable(in *input, rows table) (func() error, error) {
	m, err := in.roles(rows, []string{"user"}, "name")
	return func() error {
		return in.user(tasks.User{ID: m.text(rows, "user"), Name: m.text(rows, "name")})
	}, err
}

// eventTable is a table of interactions. One that is alone may say something of
// items too, where it has a column of their titles.
func eventTable(alone bool) tableUse {
	return func(in *input, rows table) (func() error, error) {
		more := []string{"rating", "review"}
		titled := alone && in.titled(rows.names())
		if titled {
			more = append(more, "title", "categories", "creators", "year")
			if _, ok := in.feed.opts.Columns["text"]; ok {
				more = append(more, "text")
			}
		}
		m, err := in.roles(rows, []string{"user", "item", "time"}, more...)
		described := make(map[string]bool)
		return func() error {
			id := m.text(rows, "item")
			if titled && validID(id) && !described[id] {
				described[id] = true
				if err := in.item(m.item(rows)); err != nil {
					return err
				}
			}
			return in.interaction(event{
				user: m.text(rows, "user"), item: id, rating: m.text(rows, "rating"),
				time: m.text(rows, "time"), review: m.text(rows, "review"),
			})
		}, err
	}
}

// titled reports whether a table of interactions has a column of the items'
// titles, mapped by hand or found by its name, and notes which. Beside reviews a
// name alone does not do: it might be the title of the review.
func (in *input) titled(columns []string) bool {
	by := in.feed.opts.Columns
	if _, byHand := by["title"]; byHand {
		return true
	}
	title := find(columns, aliases["title"])
	for _, column := range by {
		if strings.EqualFold(column, title) {
			title = "" // it plays another role
		}
	}
	_, reviewed := by["review"]
	switch {
	case title == "":
		in.note("items have no titles: none are beside it, and no column is mapped to title")
	case reviewed || find(columns, aliases["review"]) != "":
		in.note("items have no titles: none are beside it, and the column %s may have those of the reviews: it is not mapped to title", title)
	default:
		in.note("items have their titles from the column %s", title)
		return true
	}
	return false
}
