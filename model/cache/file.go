package cache

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strconv"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

const (
	applicationID = 0x4d415243 // "MARC", in the header of the file
	version       = 1
	fresh         = 1000 // replies kept since a use that is not noted again
)

// file is a shelf in SQLite.
type file struct {
	db        *sql.DB
	limit     int64
	onFailure func(error)
}

// Open opens the file of a cache, or makes it.
func Open(ctx context.Context, path string, cfg Config) (*Cache, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("cache %s: %w", path, err)
	}
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(abs),
		RawQuery: "_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)&_txlock=immediate"}
	db, err := sql.Open("sqlite", u.String())
	if err != nil {
		return nil, fmt.Errorf("cache %s: %w", path, err)
	}
	db.SetMaxOpenConns(4)
	if err := prepare(ctx, db); err != nil {
		return nil, errors.Join(fmt.Errorf("cache %s: %w", path, err), db.Close())
	}
	f := &file{db: db}
	c := New(f, cfg)
	f.limit, f.onFailure = c.cfg.Limit, c.cfg.OnFailure
	return c, nil
}

// prepare makes an empty file a cache, and refuses any other that is none.
func prepare(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after a commit there is nothing to undo
	var id, made, tables int
	if err := errors.Join(
		tx.QueryRowContext(ctx, "PRAGMA application_id").Scan(&id),
		tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&made),
		tx.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema").Scan(&tables),
	); err != nil {
		return err
	}
	switch {
	case tables == 0 && id == 0:
		for _, statement := range []string{
			"PRAGMA application_id = " + strconv.Itoa(applicationID),
			"PRAGMA user_version = " + strconv.Itoa(version),
			`CREATE TABLE reply (
				key  BLOB PRIMARY KEY,
				body TEXT NOT NULL,
				hash BLOB NOT NULL,
				size INTEGER NOT NULL,
				used INTEGER NOT NULL
			) STRICT, WITHOUT ROWID`,
			"CREATE INDEX used ON reply (used, size)",
			"CREATE TABLE total (size INTEGER NOT NULL, used INTEGER NOT NULL) STRICT",
			"INSERT INTO total VALUES (0, 0)",
		} {
			if _, err := tx.ExecContext(ctx, statement); err != nil {
				return err
			}
		}
	case id != applicationID || made != version:
		return fmt.Errorf("not a cache of version %d", version)
	}
	return tx.Commit()
}

// Get implements [Shelf].
func (f *file) Get(ctx context.Context, k Key) ([]byte, error) {
	var body string
	var hash []byte
	var age int64 // in replies that were kept since
	err := f.db.QueryRowContext(ctx, "SELECT body, hash, (SELECT used FROM total) - used FROM reply WHERE key = ?", k[:]).Scan(&body, &hash, &age)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if age > fresh {
		if _, err := f.db.ExecContext(ctx, "UPDATE reply SET used = (SELECT used FROM total) WHERE key = ?", k[:]); err != nil && ctx.Err() == nil {
			f.onFailure(fmt.Errorf("cache: note the use: %w", err))
		}
	}
	return append(hash, body...), nil
}

// Put implements [Shelf]. It drops what was used longest ago where it gets too much.
func (f *file) Put(ctx context.Context, k Key, sealed []byte) error {
	sum, body := sealed[:sha256.Size], string(sealed[sha256.Size:])
	return f.change(ctx, func(tx *sql.Tx) error {
		r, err := tx.ExecContext(ctx, `INSERT INTO reply SELECT ?, ?, ?, ?, used + 1 FROM total WHERE true ON CONFLICT DO NOTHING`, k[:], body, sum, len(body))
		if err != nil {
			return err
		}
		if n, err := r.RowsAffected(); n == 0 || err != nil {
			return err // another process was first
		}
		if _, err := tx.ExecContext(ctx, "UPDATE total SET size = size + ?, used = used + 1", len(body)); err != nil {
			return err
		}
		return f.trim(ctx, tx)
	})
}

// trim drops the replies that were used longest ago, until the rest fits.
func (f *file) trim(ctx context.Context, tx *sql.Tx) error {
	for {
		var size int64
		if err := tx.QueryRowContext(ctx, "SELECT size FROM total").Scan(&size); err != nil || size <= f.limit {
			return err
		}
		if err := forget(ctx, tx, "key = (SELECT key FROM reply ORDER BY used LIMIT 1)"); err != nil {
			return err
		}
	}
}

// drop takes a reply out.
func (f *file) drop(ctx context.Context, k Key) {
	if err := f.change(ctx, func(tx *sql.Tx) error { return forget(ctx, tx, "key = ?", k[:]) }); err != nil {
		f.onFailure(fmt.Errorf("cache: drop a damaged reply: %w", err))
	}
}

// forget deletes one reply; its size is taken off the total.
func forget(ctx context.Context, tx *sql.Tx, where string, args ...any) error {
	if _, err := tx.ExecContext(ctx, "UPDATE total SET size = size - coalesce((SELECT size FROM reply WHERE "+where+"), size)", args...); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, "DELETE FROM reply WHERE "+where, args...)
	return err
}

func (f *file) change(ctx context.Context, do func(*sql.Tx) error) error {
	tx, err := f.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after a commit there is nothing to undo
	if err := do(tx); err != nil {
		return err
	}
	return tx.Commit()
}
