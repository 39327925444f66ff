package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/mars-rec/mars/internal/atomicfile"
	"github.com/mars-rec/mars/message"
)

// mark is the high-water mark: the last commit that was acknowledged, in a
// small file outside of the database. What the database has lost, it cannot
// itself tell.
type mark struct {
	Version int    `json:"version"`
	Commit  int64  `json:"commit"`
	Head    string `json:"head"` // hash of the commit and of all before it
	Sum     string `json:"sum"`  // SHA-256 of the mark with an empty sum
}

func (m mark) sum() string {
	m.Sum = ""
	b, err := message.Marshal(m)
	if err != nil { // numbers and strings always have JSON
		return err.Error()
	}
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

// writeMark replaces the mark by one for the commit. When it returns nil the
// new mark is on the disk; whatever happens, the old one or the new one is.
func writeMark(path string, commit int64, head string, failpoint func(string) error) error {
	m := mark{Version: 1, Commit: commit, Head: head}
	m.Sum = m.sum()
	b, err := message.Marshal(m)
	if err != nil {
		return err
	}
	tmp := path + ".tmp"
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(append(b, '\n'))
	if err == nil {
		err = failpoint("mark sync")
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := failpoint("mark rename"); err != nil {
		return err
	}
	if err := os.Rename(tmp, path); err != nil {
		return err
	}
	return atomicfile.SyncDir(filepath.Dir(path))
}

// readMark reads the mark; a missing one is fs.ErrNotExist.
func readMark(path string) (mark, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return mark{}, err
	}
	var m mark
	if err := json.Unmarshal(b, &m); err != nil || m.Sum != m.sum() {
		return mark{}, fmt.Errorf("%w: %s is not what was written", ErrDamaged, filepath.Base(path))
	}
	whole, err := message.Marshal(m)
	if err != nil || string(b) != string(whole)+"\n" {
		return mark{}, fmt.Errorf("%w: %s is not what was written", ErrDamaged, filepath.Base(path))
	}
	return m, nil
}

// checkMark reads the mark and compares it with the journal.
func checkMark(ctx context.Context, db querier, path string) error {
	m, err := readMark(path)
	return compareMark(ctx, db, path, m, err)
}

// compareMark compares a mark, or the error of reading it, with the journal.
// The journal may be ahead of it, by commits that nobody was told of.
func compareMark(ctx context.Context, db querier, path string, m mark, err error) error {
	var last int64
	if err := db.QueryRowContext(ctx, `SELECT coalesce(max(number), 0) FROM journal`).Scan(&last); err != nil {
		return err
	}
	if errors.Is(err, fs.ErrNotExist) {
		if last <= 1 { // a store that was only just made
			return nil
		}
		return fmt.Errorf("%w, perhaps: there are %d, but %s, which names the last acknowledged one, is not there", ErrLost, last, filepath.Base(path))
	}
	if err != nil {
		return err
	}
	if m.Commit > last {
		return fmt.Errorf("%w: %s names commit %d as acknowledged, the last one here is %d", ErrLost, filepath.Base(path), m.Commit, last)
	}
	var head string
	err = db.QueryRowContext(ctx, `SELECT head FROM journal WHERE number = ?`, m.Commit).Scan(&head)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if head != m.Head {
		return fmt.Errorf("%w: commit %d is not the one that %s names", ErrLost, m.Commit, filepath.Base(path))
	}
	return nil
}

// querier is what reads: a database or one connection of it.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}
