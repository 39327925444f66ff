package datasets

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"strings"
	"unicode"

	"github.com/mars-rec/mars/tasks"
)

// Bounds of a search query; what is beyond them is not read.
const (
	maxQueryBytes = 4096
	maxQueryWords = 16
)

// Search implements [tasks.Catalog]. A word matches an item where it is a word
// of the title, the categories, the creators or the text, without regard to
// case and diacritics. The number of distinct query words that match ranks, not
// BM25: its weights are counted over the whole catalog, also over items that
// the viewer must not know of yet.
//
// The query has no syntax: what is not a letter or a digit separates words. Its
// first 16 distinct words count.
func (c *catalog) Search(ctx context.Context, query string) iter.Seq2[tasks.Item, error] {
	return func(yield func(tasks.Item, error) bool) {
		words := queryWords(query)
		found, err := c.matches(ctx, "main", "rowid", words)
		var late []match
		if err == nil && c.late {
			late, err = c.matches(ctx, "late", "id", words)
		}
		if err != nil {
			yield(tasks.Item{}, fmt.Errorf("catalog: search: %w", err))
			return
		}
		// Only numbers and late ids are held, and no connection while the caller works.
		for id, err := range c.merged(ctx, found, late) {
			var item tasks.Item
			if err == nil {
				item, _, err = c.Item(ctx, id)
			}
			if !yield(item, err) || err != nil {
				return
			}
		}
	}
}

// match is an item that has words of a query.
type match struct {
	number int64  // in the words of the catalog; numbers ascend as ids do
	id     string // of what was appended, instead of the number
	words  int
}

// matches returns the items that have any of the words, those with most of them
// first, ties by id. The column is what items are ordered by: rowid or id.
func (c *catalog) matches(ctx context.Context, schema, column string, words []string) ([]match, error) {
	if len(words) == 0 {
		return nil, nil
	}
	each := make([]string, len(words))
	args := make([]any, len(words))
	for i, w := range words {
		each[i] = `SELECT ` + column + ` AS item FROM ` + schema + `.words WHERE words MATCH ?`
		args[i] = `"` + w + `"`
	}
	rows, err := c.db.QueryContext(ctx, `SELECT item, count(*) FROM (`+strings.Join(each, ` UNION ALL `)+
		`) GROUP BY item ORDER BY count(*) DESC, item`, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var found []match
	for rows.Next() {
		var m match
		to := any(&m.number)
		if column == "id" {
			to = &m.id
		}
		if err := rows.Scan(to, &m.words); err != nil {
			return nil, err
		}
		found = append(found, m)
	}
	return found, rows.Err()
}

// merged yields the ids of both, in the order of matches.
func (c *catalog) merged(ctx context.Context, found, late []match) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for _, m := range found {
			if err := c.numbered.QueryRowContext(ctx, m.number).Scan(&m.id); err != nil {
				yield("", fmt.Errorf("catalog: search: %w", err))
				return
			}
			for len(late) > 0 && cmp.Or(cmp.Compare(m.words, late[0].words), cmp.Compare(late[0].id, m.id)) < 0 {
				if !yield(late[0].id, nil) {
					return
				}
				late = late[1:]
			}
			if !yield(m.id, nil) {
				return
			}
		}
		for _, m := range late {
			if !yield(m.id, nil) {
				return
			}
		}
	}
}

// queryWords returns the distinct words of a query, in lower case, in order.
// They hold letters, digits and their marks only, so none can be more than a
// word to FTS5.
func queryWords(query string) []string {
	if len(query) > maxQueryBytes {
		query = strings.ToValidUTF8(query[:maxQueryBytes], "")
	}
	separates := func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) && !unicode.IsMark(r) }
	var words []string
	seen := map[string]bool{}
	for _, w := range strings.FieldsFunc(strings.ToLower(query), separates) {
		if !seen[w] && len(words) < maxQueryWords {
			seen[w] = true
			words = append(words, w)
		}
	}
	return words
}
