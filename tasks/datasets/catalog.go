package datasets

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/mars-rec/mars/tasks"
)

// maxReviews is the most reviews that one query returns.
const maxReviews = 1000

// catalog reads the SQLite file of a data set. It implements [tasks.Catalog]
// and is safe for concurrent use.
type catalog struct {
	db    *sql.DB
	late  bool // there is what was appended
	items memo[tasks.Item]
	lines memo[string] // of items, made inert

	item, user, numbered   *sql.Stmt // numbered: the id of the item with a number in the words
	ofUser, ofItem, ofBoth *sql.Stmt
}

// openCatalog opens the file read-only, together with what was appended to it if
// late is not "". They may be removed or replaced while they are open, not
// written to.
func openCatalog(path, late string) (*catalog, error) {
	db, err := openFiles(path, late)
	if err != nil {
		return nil, fmt.Errorf("catalog: %w", err)
	}
	c := &catalog{db: db, late: late != ""}
	text := queries(c.late)
	for _, p := range []struct {
		stmt **sql.Stmt
		text string
	}{
		{&c.item, text.item}, {&c.user, text.user}, {&c.numbered, text.numbered},
		{&c.ofUser, text.ofUser}, {&c.ofItem, text.ofItem}, {&c.ofBoth, text.ofBoth},
	} {
		if *p.stmt, err = db.Prepare(p.text); err != nil {
			db.Close()
			return nil, fmt.Errorf("catalog: %w", err)
		}
	}
	return c, nil
}

// Item implements [tasks.Catalog].
func (c *catalog) Item(ctx context.Context, id string) (tasks.Item, bool, error) {
	if item, ok := c.items.get(id); ok {
		return item, true, nil
	}
	item := tasks.Item{ID: id}
	var categories, creators string
	err := c.item.QueryRowContext(ctx, id).Scan(&item.Title, &categories, &creators, &item.Year, &item.Text)
	if errors.Is(err, sql.ErrNoRows) {
		return tasks.Item{}, false, nil
	}
	if err != nil {
		return tasks.Item{}, false, fmt.Errorf("catalog: item %s: %w", id, err)
	}
	if err := errors.Join(json.Unmarshal([]byte(categories), &item.Categories), json.Unmarshal([]byte(creators), &item.Creators)); err != nil {
		return tasks.Item{}, false, fmt.Errorf("catalog: item %s: %w", id, err)
	}
	c.items.put(id, item, weight(item))
	return item, true, nil
}

// KeptLine implements [tasks.LineKeeper].
func (c *catalog) KeptLine(id string) (string, bool) { return c.lines.get(id) }

// KeepLine implements [tasks.LineKeeper].
func (c *catalog) KeepLine(id, line string) { c.lines.put(id, line, 64+len(id)+len(line)) }

// User implements [tasks.Catalog].
func (c *catalog) User(ctx context.Context, id string) (tasks.User, bool, error) {
	user := tasks.User{ID: id}
	err := c.user.QueryRowContext(ctx, id).Scan(&user.Name)
	if errors.Is(err, sql.ErrNoRows) {
		return tasks.User{}, false, nil
	}
	if err != nil {
		return tasks.User{}, false, fmt.Errorf("catalog: user %s: %w", id, err)
	}
	return user, true, nil
}

// Reviews implements [tasks.Catalog]: at most 1,000, the latest first;
// those of the same second in the order of the other side's id.
func (c *catalog) Reviews(ctx context.Context, q tasks.ReviewQuery) ([]tasks.Review, error) {
	limit := q.Limit
	if limit <= 0 || limit > maxReviews {
		limit = maxReviews
	}
	// Source times are cut to whole seconds, so a review of the second in which
	// Before lies may be later than it: Unix rounds down, which hides it.
	before := q.Before.Unix()
	var rows *sql.Rows
	var err error
	switch {
	case q.User != "" && q.Item != "":
		rows, err = c.ofBoth.QueryContext(ctx, q.User, q.Item, before, limit)
	case q.User != "":
		rows, err = c.ofUser.QueryContext(ctx, q.User, before, limit)
	case q.Item != "":
		rows, err = c.ofItem.QueryContext(ctx, q.Item, before, limit)
	default:
		return nil, errors.New("catalog: a query for reviews needs a user or an item")
	}
	if err != nil {
		return nil, fmt.Errorf("catalog: reviews: %w", err)
	}
	defer rows.Close()
	var reviews []tasks.Review
	for rows.Next() {
		r, err := scanReview(rows)
		if err != nil {
			return nil, fmt.Errorf("catalog: reviews: %w", err)
		}
		reviews = append(reviews, r)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("catalog: reviews: %w", err)
	}
	return reviews, nil
}

// scanReview reads the columns user, item, time, rating and text.
func scanReview(rows *sql.Rows) (tasks.Review, error) {
	var r tasks.Review
	var seconds int64
	if err := rows.Scan(&r.User, &r.Item, &seconds, &r.Rating, &r.Text); err != nil {
		return tasks.Review{}, err
	}
	r.Time = time.Unix(seconds, 0).UTC()
	return r, nil
}

func (c *catalog) close() error { return c.db.Close() }

// fileURI names a file for SQLite, whatever characters its path has.
func fileURI(path string, options ...string) string {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: strings.Join(options, "&")}
	return u.String()
}
