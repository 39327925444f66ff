package main

import (
	"context"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/mars-rec/mars/trajectories"
	"github.com/mars-rec/mars/trajectories/export"
	"github.com/mars-rec/mars/trajectories/filter"
	"github.com/mars-rec/mars/trajectories/store"
)

// TestPermutedRows: of real trajectories, each order of the candidates gives
// rows that pass the lint of every consumer, score the same by every reward,
// and are the recorded conversation again when the order is undone; over all of
// them, the right item's place is uniform.
func TestPermutedRows(t *testing.T) {
	smallWorld(t, "30")
	mars(t, "synth", "--data", "data", "--tasks", "tasks.jsonl", "--out", "run.db")
	golds, err := readGold("gold.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	st, err := store.Open(t.Context(), "run.db", store.Config{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	setup, err := setupOf(st)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(5, 5))
	places := make([]int, 20)
	rows := 0
	var all []filter.Group
	for tr, err := range st.Trajectories(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		g := golds[tr.Run.Task.ID]
		was := filter.NewSample(tr, "run.db")
		said, err := was.Conversation(trajectories.Linear{})
		if err != nil {
			t.Fatal(err)
		}
		want, err := was.Score(t.Context(), filter.ByPaper(), g)
		if err != nil || want.Parts["format"] != 1 {
			t.Fatal(err, want)
		}
		for range 20 {
			order := r.Perm(len(tr.Run.Task.Candidates))
			row := was.Relabelled(order)
			score, err := row.Score(t.Context(), filter.ByPaper(), g)
			if err != nil || !reflect.DeepEqual(score, want) {
				t.Errorf("run %s, order %v: %+v, %v, want %+v", tr.Run.ID, order, score, err, want)
			}
			back := make([]int, len(order))
			for place, from := range order {
				back[from] = place
			}
			undone := row.Relabelled(back)
			again, err := undone.Conversation(trajectories.Linear{})
			if err != nil || !reflect.DeepEqual(again, said) || !slices.Equal(undone.Run.Task.Candidates, tr.Run.Task.Candidates) {
				t.Fatalf("run %s, order %v: undone, it is another: %v", tr.Run.ID, order, err)
			}
			if changed, _ := row.Conversation(trajectories.Linear{}); reflect.DeepEqual(changed, said) {
				t.Errorf("run %s, order %v changes nothing", tr.Run.ID, order)
			}
			places[slices.IndexFunc(row.Run.Task.Candidates, g.Has)]++
			rows++
			all = append(all, filter.Group{Task: tr.Run.Task, Gold: g, Runs: []*filter.Sample{row}})
		}
	}
	// Chi-square with 19 degrees of freedom: 43.8 is exceeded once in a thousand.
	chi := 0.
	for _, n := range places {
		off := float64(n) - float64(rows)/20
		chi += off * off / (float64(rows) / 20)
	}
	if rows != 600 || chi > 43.8 {
		t.Errorf("of %d rows, the right item is at %v", rows, places)
	}
	for _, name := range export.Names() {
		if export.OfTasks(name) {
			continue
		}
		m, err := export.Write(context.Background(), t.TempDir(), name, export.Config{Tools: toolSpecs(setup.Team)}, export.Chosen{Groups: func(yield func(filter.Group, error) bool) {
			for _, g := range all[:100] {
				if !yield(g, nil) {
					return
				}
			}
		}}, export.Source{})
		if err != nil || m.Rows != 100 {
			t.Errorf("%s: %d rows, %v", name, m.Rows, err)
		}
	}
}
