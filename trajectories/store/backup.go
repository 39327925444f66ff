package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/mars-rec/mars/internal/atomicfile"
)

// Backup writes a copy of the store to a new file at to, and a mark beside it.
// The copy is the state of one moment, also while the store is written to, and
// needs no log beside it. Copying the files of a store that is open, instead,
// loses what is in its log.
func (s *Store) Backup(ctx context.Context, to string) (err error) {
	if to, err = filepath.Abs(to); err != nil {
		return err
	}
	if _, err := os.Stat(to); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("backup: %s: %w", to, fs.ErrExist)
	}
	tmp := to + ".tmp"
	if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("backup: %w", err)
	}
	defer os.Remove(tmp) //nolint:errcheck // after the rename there is none
	// Not one of the readers: they cannot write, and this writes a file.
	w, _, err := openReaders(ctx, s.path)
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	defer w.Close()
	w.SetMaxOpenConns(1)
	if _, err := w.ExecContext(ctx, `PRAGMA query_only = 0`); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	if _, err := w.ExecContext(ctx, `VACUUM INTO ?`, tmp); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	if err := syncFile(tmp); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	if err := markCopy(ctx, tmp, to+".mark"); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	if err := os.Rename(tmp, to); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	return atomicfile.SyncDir(filepath.Dir(to))
}

func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// markCopy writes the mark of the database at path.
func markCopy(ctx context.Context, path, mark string) error {
	db, _, err := openReaders(ctx, path)
	if err != nil {
		return err
	}
	defer db.Close()
	var number int64
	var head string
	if err := db.QueryRowContext(ctx, `SELECT number, head FROM journal ORDER BY number DESC LIMIT 1`).Scan(&number, &head); err != nil {
		return err
	}
	return writeMark(mark, number, head)
}

// Accept sets the mark of a store that has lost acknowledged commits to what
// is left, so that it can be written to again: the runs that are missing are
// then simply not done. A store in which [Verify] finds anything else is
// refused, with the first finding. It returns what was missing.
func Accept(ctx context.Context, path string) ([]Finding, error) {
	path, err := resolve(path)
	if err != nil {
		return nil, err
	}
	l, err := acquire(ctx, path+".lock")
	if err != nil {
		return nil, fmt.Errorf("run store %s: %w", path, err)
	}
	defer l.release() //nolint:errcheck // nothing was written under it
	report, err := Verify(ctx, path)
	if err != nil {
		return nil, err
	}
	for _, f := range report.Findings {
		if !f.Lost {
			return nil, fmt.Errorf("run store %s: %w: %s", path, ErrDamaged, f)
		}
	}
	if len(report.Findings) == 0 {
		return nil, nil
	}
	return report.Findings, markCopy(ctx, path, path+".mark")
}
