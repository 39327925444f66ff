package store_test

import (
	"errors"
	"io/fs"
	"path/filepath"
	"testing"

	"github.com/mars-rec/mars/trajectories/store"
)

func TestBackupOfAStoreAtWork(t *testing.T) {
	p := path(t)
	s := create(t, p)
	do(t, s, "t1")
	r, err := s.Begin(t.Context(), task("t2"))
	if err != nil {
		t.Fatal(err)
	}
	fill(t, r, envelopes("t2"))
	do(t, s, "t3")
	to := filepath.Join(t.TempDir(), "copy.db")
	if err := s.Backup(t.Context(), to); err != nil {
		t.Fatal(err)
	}
	if err := r.Seal(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Backup(t.Context(), to); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a second backup to the same file: %v, want fs.ErrExist", err)
	}
	if report := sound(t, to); report.Runs != 3 || report.Messages != 19 {
		t.Errorf("the copy has %+v, want 3 runs and 19 messages: two whole, and three facts", report)
	}
	again := create(t, to) // the copy can be gone on with
	if r, err = again.Begin(t.Context(), task("t2")); err != nil {
		t.Fatal(err)
	}
	fill(t, r, envelopes("t2"))
	if err := r.Seal(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	sound(t, to)
}

func TestAcceptGoesOnWithWhatIsLeft(t *testing.T) {
	closed, crashed := made(t)
	crashed["-wal"] = crashed["-wal"][:len(crashed["-wal"])*3/4]
	p := crashed.restore(t)
	missing, err := store.Accept(t.Context(), p)
	if err != nil || len(missing) == 0 {
		t.Fatalf("accepted: %v, %v", missing, err)
	}
	sound(t, p)
	s := create(t, p)
	do(t, s, "t24") // which was lost
	sound(t, p)

	if missing, err := store.Accept(t.Context(), p); !errors.Is(err, store.ErrLocked) {
		t.Errorf("a store that is written to: %v, %v, want ErrLocked", missing, err)
	}
	closed[""][len(closed[""])/2] ^= 1
	closed[""] = closed[""][:len(closed[""])-8192]
	if missing, err := store.Accept(t.Context(), closed.restore(t)); !errors.Is(err, store.ErrDamaged) {
		t.Errorf("a damaged store: %v, %v, want ErrDamaged", missing, err)
	}
}
