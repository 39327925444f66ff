package store_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/trajectories"
	"github.com/mars-rec/mars/trajectories/store"
)

func TestResumeKnowsTheFacts(t *testing.T) {
	p := path(t)
	log := envelopes("t1")
	s := create(t, p)
	r, err := s.Begin(t.Context(), task("t1"))
	if err != nil {
		t.Fatal(err)
	}
	fill(t, r, log[:6]) // two facts and what led to them, then the program ends
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	sound(t, p)

	s = create(t, p)
	r, err = s.Begin(t.Context(), task("t1"))
	if err != nil {
		t.Fatal(err)
	}
	if r.Facts() != 2 {
		t.Errorf("%d facts are known, want 2", r.Facts())
	}
	e, ok, err := r.Recall("1.1.3", log[4].Meta.Digest)
	if err != nil || !ok || string(e.Canonical()) != string(log[4].Canonical()) {
		t.Errorf("recalled %v, %v, %v", e, ok, err)
	}
	if _, _, err := r.Recall("1.1.3", "model/1:other"); !errors.Is(err, trajectories.ErrDiverged) {
		t.Errorf("another request: %v, want ErrDiverged", err)
	}
	if _, ok, err := r.Recall("1.1.5", log[6].Meta.Digest); ok || err != nil {
		t.Errorf("an unknown fact: %v, %v", ok, err)
	}
	fill(t, r, log)
	if err := r.Seal(t.Context(), []string{"i2", "i1", "i3"}); err != nil {
		t.Fatal(err)
	}
	tr, err := s.Trajectory(t.Context(), "t1")
	if err != nil {
		t.Fatal(err)
	}
	same(t, tr.Log, log)
	if tr.Run.Attempts != 2 {
		t.Errorf("%d attempts, want 2", tr.Run.Attempts)
	}
	if _, err := s.Begin(t.Context(), task("t1")); !errors.Is(err, store.ErrDone) {
		t.Errorf("begun again: %v, want ErrDone", err)
	}
	sound(t, p)
}

func TestFailedRunKeepsItsLogAndCanBeBegunAgain(t *testing.T) {
	p := path(t)
	log := envelopes("t1")
	s := create(t, p)
	r, err := s.Begin(t.Context(), task("t1"))
	if err != nil {
		t.Fatal(err)
	}
	fill(t, r, log[:6])
	if err := r.Fail(t.Context(), errors.New("planner: generate 1.1.5: out of ink")); err != nil {
		t.Fatal(err)
	}
	if err := r.Append(t.Context(), log[6]); err == nil {
		t.Error("a run that has ended takes a message")
	}
	tr, err := s.Trajectory(t.Context(), "t1")
	if err != nil {
		t.Fatal(err)
	}
	if tr.Run.Status != trajectories.Failed || !strings.Contains(tr.Run.Cause, "out of ink") {
		t.Errorf("run is %+v", tr.Run)
	}
	same(t, tr.Log, log[:6])
	sound(t, p)

	r, err = s.Begin(t.Context(), task("t1"))
	if err != nil {
		t.Fatal(err)
	}
	other := slices.Clone(log)
	other[1].Body = json.RawMessage(`{"goal":"plan better"}`) // what follows from facts may change with the program
	fill(t, r, other)
	if err := r.Seal(t.Context(), []string{"i1"}); err != nil {
		t.Fatal(err)
	}
	tr, err = s.Trajectory(t.Context(), "t1")
	if err != nil {
		t.Fatal(err)
	}
	same(t, tr.Log, other)
	if tr.Run.Cause != "" || tr.Run.Attempts != 2 {
		t.Errorf("run is %+v", tr.Run)
	}
	sound(t, p)
}

func TestBeginTakesTheRunOver(t *testing.T) {
	p := path(t)
	s := create(t, p)
	first, err := s.Begin(t.Context(), task("t1"))
	if err != nil {
		t.Fatal(err)
	}
	fill(t, first, envelopes("t1")[:5])
	second, err := s.Begin(t.Context(), task("t1"))
	if err != nil {
		t.Fatal(err)
	}
	if second.Facts() != 1 {
		t.Errorf("%d facts are known, want 1", second.Facts())
	}
	if err := first.Append(t.Context(), envelopes("t1")[5]); err == nil {
		t.Error("the run that was taken over still takes messages")
	}
	fill(t, second, envelopes("t1"))
	if err := second.Seal(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	sound(t, p)
}

func TestSealRefusesAnotherWay(t *testing.T) {
	p := path(t)
	s := create(t, p)
	r, err := s.Begin(t.Context(), task("t1"))
	if err != nil {
		t.Fatal(err)
	}
	fill(t, r, envelopes("t1"))
	if r, err = s.Begin(t.Context(), task("t1")); err != nil {
		t.Fatal(err)
	}
	fill(t, r, envelopes("t1")[:6])
	if err := r.Seal(t.Context(), nil); !errors.Is(err, trajectories.ErrDiverged) || !strings.Contains(err.Error(), "1.1.5") {
		t.Errorf("sealed without a recorded fact: %v, want ErrDiverged at 1.1.5", err)
	}
}

func TestAppendRefusesWhatCannotBeReadBack(t *testing.T) {
	s := create(t, path(t))
	r, err := s.Begin(t.Context(), task("t1"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []message.Envelope{
		{ID: "1.0", From: "a", Kind: "k", Body: json.RawMessage(`{}`)},
		{ID: "1.1", From: "a", Kind: "k", Body: json.RawMessage(`{`)},
		{ID: "1.1", From: "a", Kind: "k"},
		{ID: "1.1", From: "a\x00", Kind: "k", Body: json.RawMessage(`{}`)},
	} {
		if err := r.Append(t.Context(), e); err == nil {
			t.Errorf("%+v is taken", e)
		}
	}
}
