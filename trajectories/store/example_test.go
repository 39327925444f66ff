package store_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/trajectories"
	"github.com/mars-rec/mars/trajectories/store"
)

// A run is begun, written and sealed; then anyone can read and check it.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "run.db")

	s, err := store.Open(ctx, path, store.Config{Manifest: &trajectories.Manifest{Models: map[string]string{trajectories.Everyone: "builtin"}, Seed: 42}})
	if err != nil {
		panic(err)
	}
	run, err := s.Begin(ctx, tasks.Task{ID: "t1", User: "ann", AsOf: time.Unix(1_500_000_000, 0).UTC(), Candidates: []string{"dune", "solaris"}})
	if err != nil {
		panic(err)
	}
	// A log and a record: this is what agents write to and recall facts from.
	if err := run.Append(ctx, message.Envelope{ID: "1", From: "user", To: "team", Kind: "task", Body: json.RawMessage(`{"id":"t1"}`)}); err != nil {
		panic(err)
	}
	if err := run.Seal(ctx, []string{"solaris", "dune"}); err != nil {
		panic(err)
	}
	t, err := s.Trajectory(ctx, "t1")
	if err != nil {
		panic(err)
	}
	fmt.Println(t.Run.Status, t.Run.Ranking, len(t.Log))
	if err := s.Close(); err != nil {
		panic(err)
	}

	report, err := store.Verify(ctx, path)
	if err != nil {
		panic(err)
	}
	fmt.Println(report.Runs, report.Messages, report.Findings)
	// Output:
	// done [solaris dune] 1
	// 1 1 []
}
