package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// lock makes sure that one process writes to a store. It is an SQLite
// transaction that is never ended, in a file of its own: the one file lock
// that works alike on every system that the driver runs on. The system drops
// it when the process dies, however that happens, so it is never stale; and it
// does not keep others from reading.
type lock struct {
	db   *sql.DB
	conn *sql.Conn // in the transaction
}

// acquire takes the lock, or returns [ErrLocked].
func acquire(ctx context.Context, path string) (*lock, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644) // SQLite does not say why it cannot
	if err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	// Whoever only asks whether the store is written to, see [Written], looks for
	// a moment, and is waited for.
	db, err := sql.Open("sqlite", dsn(path, "_pragma=journal_mode(off)", "_pragma=busy_timeout(100)"))
	if err != nil {
		return nil, err
	}
	conn, err := db.Conn(ctx)
	if err == nil {
		if _, err = conn.ExecContext(ctx, `BEGIN EXCLUSIVE`); err == nil {
			return &lock{db, conn}, nil
		}
		conn.Close()
	}
	if code := (*sqlite.Error)(nil); errors.As(err, &code) && code.Code()&0xff == sqlite3.SQLITE_BUSY {
		err = ErrLocked
	} else {
		err = fmt.Errorf("lock file %s: %w", path, err)
	}
	return nil, errors.Join(err, db.Close())
}

func (l *lock) release() error { return errors.Join(l.conn.Close(), l.db.Close()) }
