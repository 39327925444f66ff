package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
	Version int    `json:"version"` // 2; of a file with one mark 1
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

// slot is the room of one mark in the file, in bytes: a sector, which a disk
// writes as a whole or not at all. The file has two, each a line that ends with
// spaces; they are written in turn, so that the mark before is there whatever
// becomes of the new one. Earlier programs wrote one line, and a new file for each.
const slot = 512

// marks is the open file of the marks of a store that is written to.
type marks struct {
	file   *os.File
	commit int64 // the one that is marked
	next   int64 // where the next mark goes: 0, or slot
}

// line is the mark as it stands in the file.
func (m mark) line() ([]byte, error) {
	m.Version, m.Sum = 2, ""
	m.Sum = m.sum()
	b, err := message.Marshal(m)
	if err == nil && len(b) >= slot {
		err = fmt.Errorf("the mark has %d bytes", len(b))
	}
	if err != nil {
		return nil, err
	}
	line := bytes.Repeat([]byte(" "), slot)
	copy(line, b)
	line[slot-1] = '\n'
	return line, nil
}

// writeMark puts a file with a mark in place of one that is there.
func writeMark(path string, commit int64, head string) error {
	line, err := mark{Commit: commit, Head: head}.line()
	if err != nil {
		return err
	}
	return atomicfile.Write(path, func(w io.Writer) error {
		_, err := w.Write(append(line, line...))
		return err
	})
}

// createMarks puts a new file in place, and leaves it open.
func createMarks(path string, commit int64, head string) (*marks, error) {
	if err := writeMark(path, commit, head); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	return &marks{file: f, commit: commit}, nil
}

// renew marks another commit. When it returns nil the new mark is on the disk;
// whatever happens, the old one or the new one is.
func (m *marks) renew(commit int64, head string, failpoint func(string) error) error {
	line, err := mark{Commit: commit, Head: head}.line()
	if err != nil {
		return err
	}
	if _, err := m.file.WriteAt(line, m.next); err != nil {
		return err
	}
	if err := failpoint("mark sync"); err != nil {
		return err
	}
	if err := syncData(m.file); err != nil {
		return err
	}
	m.commit, m.next = commit, slot-m.next
	return nil
}

func (m *marks) close() error { return m.file.Close() }

// readMark reads the later mark of a file; a missing file is fs.ErrNotExist.
func readMark(path string) (m mark, err error) {
	for range 3 { // a writer at work may be in the middle of one
		var b []byte
		if b, err = os.ReadFile(path); err != nil {
			return mark{}, err
		}
		if m, err = parseMarks(b); err == nil {
			return m, nil
		}
	}
	return mark{}, fmt.Errorf("%w: %s is not what was written", ErrDamaged, filepath.Base(path))
}

func parseMarks(b []byte) (mark, error) {
	if len(b) != 2*slot {
		return parseMark(b, 1)
	}
	first, err := parseMark(b[:slot], 2)
	if err != nil {
		return mark{}, err
	}
	second, err := parseMark(b[slot:], 2)
	if second.Commit > first.Commit {
		return second, err
	}
	return first, err
}

// parseMark reads one mark. Of version 1 it is a line without spaces behind it.
func parseMark(line []byte, version int) (mark, error) {
	var m mark
	text, ended := bytes.CutSuffix(line, []byte("\n"))
	if version > 1 {
		text = bytes.TrimRight(text, " ")
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return m, err
	}
	whole, err := message.Marshal(m)
	if err != nil {
		return m, err
	}
	if !ended || m.Version != version || m.Sum != m.sum() || !bytes.Equal(text, whole) {
		return m, ErrDamaged
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
