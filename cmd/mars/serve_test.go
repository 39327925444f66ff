package main

import (
	"slices"
	"testing"

	"github.com/mars-rec/mars/star/client"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/trajectories"
	"github.com/mars-rec/mars/trajectories/store"
)

// TestServeAnswersAsSynthRecords: the student behind two servers, one of its
// model and one of ours, ranks as in its recorded run.
func TestServeAnswersAsSynthRecords(t *testing.T) {
	smallWorld(t, "5")
	mars(t, "synth", "--data", "data", "--tasks", "tasks.jsonl", "--student", "--out", "student.db")

	llm, stopModel := serveLLM(t)
	url, stop := serving(t, "serve", "--data", "data", "--model", "openai:builtin", "--base-url", llm, "--compare", "builtin")
	st, err := store.Open(t.Context(), "student.db", store.Config{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	c := client.New(url, client.Config{})
	n := 0
	for r, err := range st.Runs(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Status != trajectories.Done {
			t.Fatalf("%s is %s: %s", r.ID, r.Status, r.Cause)
		}
		n++
		got, err := c.Recommend(t.Context(), of(r.Task))
		if err != nil || got.By != client.ByStudent || !slices.Equal(got.Ranking, r.Ranking) {
			t.Errorf("%s: served %+v, %v; recorded %v", r.ID, got, err, r.Ranking)
		}
		both, err := c.Compare(t.Context(), of(r.Task))
		if err != nil || both.Teacher.Calls <= both.Student.Calls || both.Overlap < 0.6 {
			t.Errorf("%s: %+v, %v", r.ID, both, err)
		}
	}
	if n != 5 {
		t.Errorf("%d runs, want 5", n)
	}

	// mars eval measures it as its recorded runs.
	r := evaluated(t, "served="+url, "recorded=student.db", "--gold", "gold.jsonl", "--data", "data")
	served, _ := r.Groups[0].Tables[0].Row("served")
	recorded, _ := r.Groups[0].Tables[0].Row("recorded")
	if served.Cases != 5 || served.Summary != recorded.Summary {
		t.Errorf("served %+v, recorded %+v", served, recorded)
	}

	// Without its model the fall-back answers, and says so.
	if code := stopModel(); code != exitOK {
		t.Errorf("mars llm: exit code %d", code)
	}
	tasksOf, err := tasks.ReadFile("tasks.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	down, stopDown := serving(t, "serve", "--data", "data", "--model", "openai:builtin", "--base-url", llm, "--attempts", "1")
	got, err := client.New(down, client.Config{}).Recommend(t.Context(), of(tasksOf[0]))
	if err != nil || got.By != client.ByFallback || got.Why == "" || len(got.Ranking) != len(tasksOf[0].Candidates) {
		t.Errorf("without a model: %+v, %v", got, err)
	}
	for _, end := range []func() int{stop, stopDown} {
		if code := end(); code != exitOK {
			t.Errorf("exit code %d after an interrupt", code)
		}
	}
}

func of(t tasks.Task) client.Request {
	return client.Request{ID: t.ID, User: t.User, AsOf: &t.AsOf, Candidates: t.Candidates}
}
