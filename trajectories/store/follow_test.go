package store_test

import (
	"slices"
	"testing"

	"github.com/mars-rec/mars/trajectories/store"
)

// TestSince follows a store that is written to: what is told once is told again
// only when it has changed.
func TestSince(t *testing.T) {
	p := path(t)
	s := create(t, p)
	reader, err := store.Open(t.Context(), p, store.Config{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	at := int64(0)
	told := func() (runs []string) {
		t.Helper()
		for {
			some, next, err := reader.Since(t.Context(), at)
			if err != nil {
				t.Fatal(err)
			}
			runs = append(runs, some...)
			if next == at {
				return runs
			}
			at = next
		}
	}
	if got := told(); len(got) != 0 {
		t.Errorf("an empty store: %v", got)
	}
	do(t, s, "t1")
	do(t, s, "t2")
	if got := told(); !slices.Equal(got, []string{"t1", "t2"}) {
		t.Errorf("two runs: %v", got)
	}
	r, err := s.Begin(t.Context(), task("t0"))
	if err != nil {
		t.Fatal(err)
	}
	do(t, s, "t3")
	if got := told(); !slices.Equal(got, []string{"t0", "t3"}) {
		t.Errorf("two more: %v", got)
	}
	fill(t, r, envelopes("t0"))
	if err := r.Seal(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if got := told(); !slices.Equal(got, []string{"t0"}) || s.Queued() != 0 {
		t.Errorf("one that has ended: %v, %d queued", got, s.Queued())
	}
}
