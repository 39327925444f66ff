package datasets

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"strings"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/mars-rec/mars/graph"
	"github.com/mars-rec/mars/tasks"
)

// schema of the catalog. Items and users are keyed by their external ids. A
// review's number is the row of the source that it came from; its two indexes
// answer "the latest of a user, or of an item, before T". The words of items
// are numbered in the order of item ids, so that ties in a search need no look
// at the ids.
const schema = `
CREATE TABLE items (
	id TEXT PRIMARY KEY,
	title TEXT NOT NULL,
	categories TEXT NOT NULL, -- JSON array
	creators TEXT NOT NULL,   -- JSON array
	year INTEGER NOT NULL,    -- 0: unknown
	text TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE users (
	id TEXT PRIMARY KEY,
	name TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE reviews (
	row INTEGER PRIMARY KEY,
	user TEXT NOT NULL,
	item TEXT NOT NULL,
	time INTEGER NOT NULL, -- Unix seconds
	rating REAL NOT NULL,  -- 0: none
	text TEXT NOT NULL
);
CREATE VIRTUAL TABLE words USING fts5 (
	id UNINDEXED, text,
	content = '', contentless_unindexed = 1, columnsize = 0,
	tokenize = 'unicode61 remove_diacritics 2'
);
`

// schemaDelta is what the catalog of what was appended has beside: pairs of
// which a review in the catalog is of a later event than one that was appended.
const schemaDelta = `
CREATE TABLE superseded (
	user TEXT NOT NULL,
	item TEXT NOT NULL,
	PRIMARY KEY (user, item)
) WITHOUT ROWID;
`

// indexes are made when all reviews are in: sorted runs instead of inserts at
// random places.
const indexes = `
CREATE INDEX IF NOT EXISTS reviews_of_user ON reviews (user, time DESC, item);
CREATE INDEX IF NOT EXISTS reviews_of_item ON reviews (item, time DESC, user);
INSERT INTO words (words) VALUES ('optimize');
`

// catalogWriter fills the catalog of a data set that is being made, in one
// transaction. The file is worth nothing until finish has returned, so nothing
// is paid for safety before.
type catalogWriter struct {
	db    *sql.DB
	tx    *sql.Tx
	items int

	putItem, putWords, putUser, putReview *sql.Stmt

	content hash.Hash
	rows    *json.Encoder
}

// newCatalogWriter starts a catalog at a path where no file is.
func newCatalogWriter(ctx context.Context, path string) (*catalogWriter, error) {
	return openCatalogWriter(ctx, path, schema)
}

// openCatalogWriter writes to the file at a path after it has executed what
// makes its tables.
func openCatalogWriter(ctx context.Context, path, tables string) (*catalogWriter, error) {
	db, err := sql.Open("sqlite", fileURI(path, "_pragma=journal_mode(OFF)", "_pragma=synchronous(OFF)",
		"_pragma=locking_mode(EXCLUSIVE)", "_pragma=page_size(8192)", "_pragma=cache_size(-65536)"))
	if err != nil {
		return nil, fmt.Errorf("catalog: %w", err)
	}
	db.SetMaxOpenConns(1)
	w := &catalogWriter{db: db, content: sha256.New()}
	w.rows = json.NewEncoder(w.content)
	w.rows.SetEscapeHTML(false)
	if err := w.begin(ctx, tables); err != nil {
		db.Close()
		return nil, fmt.Errorf("catalog: %w", err)
	}
	return w, nil
}

func (w *catalogWriter) begin(ctx context.Context, tables string) error {
	if _, err := w.db.ExecContext(ctx, tables); err != nil {
		return err
	}
	err := w.db.QueryRowContext(ctx, `SELECT count(*) FROM items`).Scan(&w.items)
	if err != nil {
		return err
	}
	// The transaction outlives the context, so that a cancelled import is told
	// as that and not as a statement that was closed under it.
	if w.tx, err = w.db.BeginTx(context.WithoutCancel(ctx), nil); err != nil {
		return err
	}
	for _, p := range []struct {
		stmt **sql.Stmt
		text string
	}{
		{&w.putItem, `INSERT INTO items (id, title, categories, creators, year, text) VALUES (?, ?, ?, ?, ?, ?)`},
		{&w.putWords, `INSERT INTO words (rowid, id, text) VALUES (?, ?, ?)`},
		{&w.putUser, `INSERT INTO users (id, name) VALUES (?, ?)`},
		{&w.putReview, `INSERT INTO reviews (row, user, item, time, rating, text) VALUES (?, ?, ?, ?, ?, ?)`},
	} {
		if *p.stmt, err = w.tx.PrepareContext(ctx, p.text); err != nil {
			return err
		}
	}
	return nil
}

// review adds the text of a row. Rows ascend.
func (w *catalogWriter) review(row int, in graph.Interaction, text string) error {
	if _, err := w.putReview.Exec(row, in.User, in.Item, in.Time, in.Rating, text); err != nil {
		return fmt.Errorf("catalog: review of %s by %s: %w", in.Item, in.User, err)
	}
	return nil
}

// dropReviews removes the reviews of rows that turned out to be later events
// of their pair.
func (w *catalogWriter) dropReviews(ctx context.Context, rows []int) error {
	drop, err := w.tx.PrepareContext(ctx, `DELETE FROM reviews WHERE row = ?`)
	if err != nil {
		return fmt.Errorf("catalog: %w", err)
	}
	defer drop.Close()
	for _, row := range rows {
		if _, err := drop.ExecContext(ctx, row); err != nil {
			return fmt.Errorf("catalog: drop review %d: %w", row, err)
		}
	}
	return nil
}

// supersede drops the reviews of a pair that were there before a row: the event
// of that row is earlier.
func (w *catalogWriter) supersede(ctx context.Context, user, item string, row int) error {
	if _, err := w.tx.ExecContext(ctx, `INSERT OR IGNORE INTO superseded (user, item) VALUES (?, ?)`, user, item); err != nil {
		return fmt.Errorf("catalog: supersede review of %s by %s: %w", item, user, err)
	}
	if _, err := w.tx.ExecContext(ctx, `DELETE FROM reviews WHERE user = ? AND item = ? AND row < ?`, user, item, row); err != nil {
		return fmt.Errorf("catalog: supersede review of %s by %s: %w", item, user, err)
	}
	return nil
}

// item adds an item and its words. Ids ascend.
func (w *catalogWriter) item(item tasks.Item) error {
	w.items++
	categories, creators := list(item.Categories), list(item.Creators)
	if _, err := w.putItem.Exec(item.ID, item.Title, categories, creators, item.Year, item.Text); err != nil {
		return fmt.Errorf("catalog: item %s: %w", item.ID, err)
	}
	words := []string{item.Title, strings.Join(item.Categories, "\n"), strings.Join(item.Creators, "\n"), item.Text}
	if _, err := w.putWords.Exec(w.items, item.ID, strings.Join(words, "\n")); err != nil {
		return fmt.Errorf("catalog: words of item %s: %w", item.ID, err)
	}
	return w.hashed("item", item)
}

// user adds a user. Ids ascend, and come after all items.
func (w *catalogWriter) user(user tasks.User) error {
	if _, err := w.putUser.Exec(user.ID, user.Name); err != nil {
		return fmt.Errorf("catalog: user %s: %w", user.ID, err)
	}
	return w.hashed("user", user)
}

// hashed takes a row into the hash of the content.
func (w *catalogWriter) hashed(table string, row any) error {
	if err := w.rows.Encode([]any{table, row}); err != nil {
		return fmt.Errorf("catalog: %w", err)
	}
	return nil
}

// finish ends the catalog. It returns the number of its reviews from a row on,
// and the hash of the content that was written, of reviews those.
func (w *catalogWriter) finish(ctx context.Context, from int) (reviews int, content string, err error) {
	if reviews, err = w.hashReviews(ctx, from); err != nil {
		return 0, "", fmt.Errorf("catalog: %w", err)
	}
	if _, err := w.tx.ExecContext(ctx, indexes); err != nil {
		return 0, "", fmt.Errorf("catalog: indexes: %w", err)
	}
	if err := w.tx.Commit(); err != nil {
		return 0, "", fmt.Errorf("catalog: %w", err)
	}
	if err := w.db.Close(); err != nil {
		return 0, "", fmt.Errorf("catalog: %w", err)
	}
	return reviews, hex.EncodeToString(w.content.Sum(nil)), nil
}

func (w *catalogWriter) hashReviews(ctx context.Context, from int) (int, error) {
	rows, err := w.tx.QueryContext(ctx, `SELECT user, item, time, rating, text FROM reviews WHERE row >= ? ORDER BY row`, from)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	n := 0
	for rows.Next() {
		r, err := scanReview(rows)
		if err != nil {
			return 0, err
		}
		if err := w.hashed("review", r); err != nil {
			return 0, err
		}
		n++
	}
	return n, rows.Err()
}

// abandon gives the catalog up. After finish it does nothing.
func (w *catalogWriter) abandon() {
	// With the journal off a rollback leaves the file undefined; it is removed
	// with its directory.
	_ = w.tx.Rollback()
	_ = w.db.Close()
}

// list writes a list of strings as a JSON array.
func list(values []string) string {
	if len(values) == 0 {
		return "[]"
	}
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(values) // strings always encode
	return strings.TrimSuffix(b.String(), "\n")
}
