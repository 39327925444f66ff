package store_test

import (
	"path/filepath"
	"testing"

	"github.com/mars-rec/mars/trajectories"
	"github.com/mars-rec/mars/trajectories/store"
)

// TestWritten: whoever has a store open for writing is seen, and does not mind.
func TestWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.db")
	check := func(when string, want bool) {
		t.Helper()
		if got, err := store.Written(t.Context(), path); err != nil || got != want {
			t.Errorf("%s: %v, %v, want %v", when, got, err, want)
		}
	}
	check("before there is one", false)
	for range 2 {
		st, err := store.Open(t.Context(), path, store.Config{Manifest: &trajectories.Manifest{Team: "t"}})
		if err != nil {
			t.Fatal(err)
		}
		check("while it is open", true)
		check("once more", true)
		if err := st.Close(); err != nil {
			t.Fatal(err)
		}
		check("when it is closed", false)
	}
	st, err := store.Open(t.Context(), path, store.Config{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	check("while it is read", false)
}
