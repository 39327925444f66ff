package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/mars-rec/mars/internal/atomicfile"
)

// plain are the tables of an unpacked store, by the names of what they show.
var plain = []struct{ name, columns string }{
	{"runs", `(
	run TEXT PRIMARY KEY, dataset TEXT, user TEXT, scenario TEXT, as_of TEXT, candidates TEXT,
	status TEXT, attempts INTEGER, cause TEXT, ranking TEXT, top_item TEXT,
	messages INTEGER, calls INTEGER, tools INTEGER, input_tokens INTEGER, output_tokens INTEGER, cached_tokens INTEGER,
	models TEXT, seal TEXT
)`},
	{"items", `(run TEXT, rank INTEGER, item TEXT, PRIMARY KEY (run, rank))`},
	{"scores", `(run TEXT, scorer TEXT, version TEXT, value REAL, parts TEXT, note TEXT, PRIMARY KEY (run, scorer, version))`},
	{"messages", messagesColumns},
	{"calls", `(run TEXT, id TEXT, agent TEXT, tool TEXT, arguments TEXT, value TEXT, error TEXT, seconds REAL)`},
}

// Unpack writes what [Store.SQL] shows to the file at to, in place of one that
// is there: an ordinary SQLite database with five tables, for programs that
// read a store without this one. It calls told after every run. Runs that end
// while it works may be further in messages than in runs.
func (s *Store) Unpack(ctx context.Context, to string, told func()) error {
	if err := s.unpack(ctx, to, told); err != nil {
		return fmt.Errorf("unpack run store %s to %s: %w", s.path, to, err)
	}
	return nil
}

func (s *Store) unpack(ctx context.Context, to string, told func()) (err error) {
	if to, err = resolve(to); err != nil {
		return err
	}
	if to == s.path {
		return errors.New("that is the store itself")
	}
	tmp := to + ".tmp"
	if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	defer os.Remove(tmp) //nolint:errcheck // after the rename there is none
	db, err := s.tables(`PRAGMA query_only = 0`)
	if err != nil {
		return err
	}
	defer db.Close()
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := s.fillPlain(ctx, conn, tmp, told); err != nil {
		return err
	}
	if err := errors.Join(conn.Close(), db.Close(), syncFile(tmp)); err != nil {
		return err
	}
	if err := os.Rename(tmp, to); err != nil {
		return err
	}
	return atomicfile.SyncDir(filepath.Dir(to))
}

// fillPlain makes the tables in the file at path and fills them, run by run.
func (s *Store) fillPlain(ctx context.Context, conn *sql.Conn, path string, told func()) error {
	do := func(query string, args ...any) error {
		_, err := conn.ExecContext(ctx, query, args...)
		return err
	}
	if err := do(`ATTACH ? AS plain`, path); err != nil {
		return err
	}
	// Half of a file is of no use to anyone: there is nothing to protect.
	for _, pragma := range []string{`journal_mode = OFF`, `synchronous = OFF`} {
		if err := do(`PRAGMA plain.` + pragma); err != nil {
			return err
		}
	}
	if err := do(`BEGIN`); err != nil {
		return err
	}
	for _, t := range plain {
		if err := do(`CREATE TABLE plain.` + t.name + ` ` + t.columns); err != nil {
			return err
		}
	}
	for _, t := range plain[:3] {
		if err := do(`INSERT INTO plain.` + t.name + ` SELECT * FROM main.` + t.name); err != nil {
			return err
		}
	}
	for row, err := range s.rows(ctx) {
		if err != nil {
			return err
		}
		for _, t := range plain[3:] {
			if err := do(`INSERT INTO plain.`+t.name+` SELECT * FROM temp.`+t.name+` WHERE run = ?`, row.id); err != nil {
				return err
			}
		}
		told()
	}
	for _, t := range plain[3:] {
		if err := do(`CREATE UNIQUE INDEX plain.` + t.name + `_of_run ON ` + t.name + ` (run, id)`); err != nil {
			return err
		}
	}
	return do(`COMMIT`)
}
