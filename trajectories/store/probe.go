package store

import (
	"context"
	"database/sql"
	"errors"
	"os"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Written reports whether a process is writing to the store at path now: one that
// has it open for writing holds its lock, also between two runs. The lock is not
// taken to find out, only read past.
func Written(ctx context.Context, path string) (bool, error) {
	path, err := resolve(path)
	if err != nil {
		return false, err
	}
	path += ".lock"
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return false, nil // nobody ever did, or it is a copy
	} else if err != nil {
		return false, err
	}
	db, err := sql.Open("sqlite", dsn(path, "mode=ro"))
	if err != nil {
		return false, err
	}
	defer db.Close() // it was only read
	var n int
	err = db.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_schema`).Scan(&n)
	if code := (*sqlite.Error)(nil); errors.As(err, &code) && code.Code()&0xff == sqlite3.SQLITE_BUSY {
		return true, nil
	}
	return false, err
}
