package datasets

import (
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
		found, err := c.matches(ctx, queryWords(query))
		if err != nil {
			yield(tasks.Item{}, fmt.Errorf("catalog: search: %w", err))
			return
		}
		// Only numbers are held, and no connection while the caller works.
		for _, number := range found {
			var id string
			if err := c.numbered.QueryRowContext(ctx, number).Scan(&id); err != nil {
				yield(tasks.Item{}, fmt.Errorf("catalog: search: %w", err))
				return
			}
			item, _, err := c.Item(ctx, id)
			if !yield(item, err) || err != nil {
				return
			}
		}
	}
}

// matches returns the numbers of the items that have any of the words, those
// with most of them first, ties by number.
func (c *catalog) matches(ctx context.Context, words []string) ([]int64, error) {
	if len(words) == 0 {
		return nil, nil
	}
	each := make([]string, len(words))
	args := make([]any, len(words))
	for i, w := range words {
		each[i] = `SELECT rowid AS number FROM words WHERE words MATCH ?`
		args[i] = `"` + w + `"`
	}
	rows, err := c.db.QueryContext(ctx, `SELECT number FROM (`+strings.Join(each, ` UNION ALL `)+
		`) GROUP BY number ORDER BY count(*) DESC, number`, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var found []int64
	for rows.Next() {
		var number int64
		if err := rows.Scan(&number); err != nil {
			return nil, err
		}
		found = append(found, number)
	}
	return found, rows.Err()
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
