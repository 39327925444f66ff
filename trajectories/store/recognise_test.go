package store_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/mars-rec/mars/trajectories/store"
)

// TestForeignFilesAreLeftAlone opens for writing what is no run store: it is
// refused, and nothing is made beside it.
func TestForeignFilesAreLeftAlone(t *testing.T) {
	for name, c := range map[string]struct {
		make func(path string) error
		want string
	}{
		"tasks.jsonl": {func(path string) error {
			return os.WriteFile(path, []byte(strings.Repeat(`{"id":"t1"}`+"\n", 50)), 0o600)
		}, "no SQLite database"},
		"cut.db": {func(path string) error { return os.WriteFile(path, []byte("SQLite format 3\x00\x10"), 0o600) }, "ends after 17 bytes"},
		"catalog.db": {func(path string) error {
			db, err := sql.Open("sqlite", path)
			if err != nil {
				return err
			}
			defer db.Close()
			_, err = db.Exec(`CREATE TABLE items (id TEXT)`)
			return err
		}, "another kind of SQLite database"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), name)
			if err := c.make(path); err != nil {
				t.Fatal(err)
			}
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			m := manifest
			if _, err := store.Open(t.Context(), path, store.Config{Manifest: &m}); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v, want %q", err, c.want)
			}
			entries, err := os.ReadDir(filepath.Dir(path))
			if err != nil {
				t.Fatal(err)
			}
			after, err := os.ReadFile(path)
			if err != nil || len(entries) != 1 || string(after) != string(before) {
				t.Errorf("the folder has %v, the file changed: %v", entries, string(after) != string(before))
			}
		})
	}
	if _, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "no", "run.db"), store.Config{Manifest: &manifest}); err == nil || !strings.Contains(err.Error(), "no such file or directory") {
		t.Errorf("a folder that is not there: %v", err)
	}
}

// TestKilledWhileItWasMade: SQLite writes its first page before the tables are
// made. What a process leaves that dies between the two becomes a store.
func TestKilledWhileItWasMade(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.db")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(`PRAGMA journal_mode = WAL`); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(path); err != nil || len(b) == 0 {
		t.Fatalf("the first page is not there: %d bytes, %v", len(b), err)
	}
	s := create(t, path)
	do(t, s, "t1")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	sound(t, path)
}
