package stored

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// Memory is a file of texts by key: what a model wrote, so that it is not paid
// for again, whatever happens to the evidence that it was written for. It is
// safe for concurrent use; what was put is there after a crash of the program.
type Memory struct{ db *sql.DB }

// OpenMemory opens the file, or makes it.
func OpenMemory(ctx context.Context, path string) (*Memory, error) {
	db, err := sql.Open("sqlite", fileURI(path, "_pragma=journal_mode(WAL)", "_pragma=synchronous(NORMAL)", "_pragma=busy_timeout(10000)"))
	if err != nil {
		return nil, fmt.Errorf("texts %s: %w", path, err)
	}
	if _, err := db.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS texts (key TEXT PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID`); err != nil {
		return nil, errors.Join(fmt.Errorf("texts %s: %w", path, err), db.Close())
	}
	return &Memory{db}, nil
}

// Get returns the text of a key, and whether there is one.
func (m *Memory) Get(ctx context.Context, key string) (text string, ok bool, err error) {
	err = m.db.QueryRowContext(ctx, `SELECT text FROM texts WHERE key = ?`, key).Scan(&text)
	if errors.Is(err, sql.ErrNoRows) {
		return "", false, nil
	}
	return text, err == nil, err
}

// Put keeps a text. A key that has one keeps it.
func (m *Memory) Put(ctx context.Context, key, text string) error {
	_, err := m.db.ExecContext(ctx, `INSERT INTO texts (key, text) VALUES (?, ?) ON CONFLICT DO NOTHING`, key, text)
	return err
}

// Close closes the file.
func (m *Memory) Close() error { return m.db.Close() }
