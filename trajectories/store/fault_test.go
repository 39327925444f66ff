package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/trajectories"
)

// TestFailedWriteBreaksTheStore fails each kind of write and sync at each of
// its first occurrences: what was not acknowledged may be there or not, what
// was is there, and nothing more is taken.
func TestFailedWriteBreaksTheStore(t *testing.T) {
	for _, point := range []string{"begin", "write", "commit", "mark", "mark sync"} {
		for nth := 2; nth < 9; nth++ {
			t.Run(fmt.Sprintf("%s %d", point, nth), func(t *testing.T) { failAt(t, point, nth) })
		}
	}
}

func failAt(t *testing.T, point string, nth int) {
	path := filepath.Join(t.TempDir(), "run.db")
	disk := errors.New("no space left on device")
	count := 0
	cfg := Config{Manifest: &trajectories.Manifest{Team: "t"}, Step: true, failpoint: func(at string) error {
		if at == point {
			if count++; count == nth {
				return disk
			}
		}
		return nil
	}}
	s, err := Open(t.Context(), path, cfg)
	if err != nil {
		t.Fatal(err)
	}
	sealed := map[string]bool{}
	var facts []string
	var failed error
	for n := 0; failed == nil && n < 10; n++ {
		id := fmt.Sprint("t", n)
		failed = one(t.Context(), s, id, &facts)
		sealed[id] = failed == nil
	}
	if !errors.Is(failed, disk) || !errors.Is(failed, ErrBroken) {
		t.Fatalf("error is %v, want ErrBroken and its cause", failed)
	}
	if _, err := s.Begin(t.Context(), faultTask("t99")); !errors.Is(err, ErrBroken) {
		t.Errorf("a broken store begins a run: %v", err)
	}
	if err := s.PutScores(t.Context(), trajectories.Score{Run: "t0", Scorer: "x", Version: "1"}); err == nil {
		t.Error("a broken store keeps a score")
	}
	if err := s.Close(); !errors.Is(err, disk) {
		t.Errorf("close of a broken store: %v, want its cause", err)
	}

	report, err := Verify(t.Context(), path)
	if err != nil || len(report.Findings) > 0 {
		t.Errorf("findings %v, %v", report.Findings, err)
	}
	cfg.failpoint = nil
	if s, err = Open(t.Context(), path, cfg); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for id, done := range sealed {
		if sum, err := s.Run(t.Context(), id); done && (err != nil || sum.Status != trajectories.Done) {
			t.Errorf("run %s was acknowledged as done and is %q, %v", id, sum.Status, err)
		}
	}
	for _, id := range facts {
		if tr, err := s.Trajectory(t.Context(), id); err != nil || len(tr.Log) == 0 {
			t.Errorf("a fact of %s was acknowledged and is not there: %v", id, err)
		}
	}
}

func one(ctx context.Context, s *Store, id string, facts *[]string) error {
	r, err := s.Begin(ctx, faultTask(id))
	if err != nil {
		return err
	}
	for i := range 3 {
		e := message.Envelope{ID: message.Root.Child(i + 1), From: "a", Kind: "k", Body: json.RawMessage(`{}`)}
		if i == 1 {
			e.Meta.Digest = "model/1:x"
		}
		if err := r.Append(ctx, e); err != nil {
			return err
		}
		if e.Fact() {
			*facts = append(*facts, id)
		}
	}
	return r.Seal(ctx, []string{"a", "b"})
}

func faultTask(id string) tasks.Task {
	return tasks.Task{ID: id, User: "u", AsOf: time.Unix(1, 0).UTC(), Candidates: []string{"a", "b"}}
}
