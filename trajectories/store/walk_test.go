package store_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/trajectories"
	"github.com/mars-rec/mars/trajectories/store"
)

// TestWalk has each run worked on beside others, and gets the results in the
// order of the tasks; it ends at the first error, and leaves nothing at work.
func TestWalk(t *testing.T) {
	s := create(t, path(t))
	var want []string
	for i := range 20 {
		id := fmt.Sprint("t", i)
		do(t, s, id)
		want = append(want, id)
	}
	if err := s.Add(t.Context(), task("pending")); err != nil {
		t.Fatal(err)
	}
	var working atomic.Int64
	id := func(_ context.Context, tr *trajectories.Trajectory) (string, error) {
		working.Add(1)
		defer working.Add(-1)
		runtime.Gosched()
		return tr.Run.ID, nil
	}
	for _, atOnce := range []int{1, 3, 64} {
		var got []string
		for id, err := range store.Walk(t.Context(), s, atOnce, id) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, id)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%d at once: %q, want %q", atOnce, got, want)
		}
	}
	for range store.Walk(t.Context(), s, 8, id) {
		break
	}
	if n := working.Load(); n != 0 {
		t.Errorf("%d are at work after the walk", n)
	}
	bad := errors.New("bad")
	var got []string
	var last error
	for id, err := range store.Walk(t.Context(), s, 8, func(ctx context.Context, tr *trajectories.Trajectory) (string, error) {
		if tr.Run.ID == "t5" {
			return "", bad
		}
		return tr.Run.ID, nil
	}) {
		if last = err; err == nil {
			got = append(got, id)
		}
	}
	if !errors.Is(last, bad) || !slices.Equal(got, want[:5]) {
		t.Errorf("with an error at t5: %q, %v", got, last)
	}
}

// TestAddMany adds more tasks than one commit holds, and again some of them.
func TestAddMany(t *testing.T) {
	p := path(t)
	s := create(t, p)
	do(t, s, "t7")
	var list []tasks.Task
	for i := range 3000 {
		list = append(list, task(fmt.Sprint("t", i)))
	}
	if err := s.Add(t.Context(), list[:1500]...); err != nil {
		t.Fatal(err)
	}
	if err := s.Add(t.Context(), append(list, list[3])...); err != nil {
		t.Fatal(err)
	}
	counts, err := s.Count(t.Context())
	if err != nil || counts[trajectories.Pending] != 2999 || counts[trajectories.Done] != 1 {
		t.Errorf("%v, %v: want 2999 pending and 1 done", counts, err)
	}
	other := task("t9")
	other.User = "somebody else"
	for _, list := range [][]tasks.Task{{other}, {task("new"), {ID: "new", Dataset: "x", User: "u", AsOf: other.AsOf, Candidates: other.Candidates}}, {task("x1"), other}} {
		if err := s.Add(t.Context(), list...); err == nil {
			t.Errorf("%v is added", list)
		}
	}
	if counts, _ = s.Count(t.Context()); counts[trajectories.Pending] != 2999 {
		t.Errorf("%v after tasks that were refused", counts)
	}
	left, err := s.Begin(t.Context(), list[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Fatal(err)
	}
	if err := left.Append(t.Context(), envelopes("t0")[4]); err == nil {
		t.Error("a run of a closed store takes a fact")
	}
	sound(t, p)
}
