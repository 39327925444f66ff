package main

import (
	"context"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/mars-rec/mars/message/phase"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/model/modeltest"
	"github.com/mars-rec/mars/model/openai/server"
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

// shortStudent serves a student that is told in brief: it calls a tool, then ranks as the
// tool does. It counts how often it is asked for the first.
func shortStudent(t *testing.T, begun *atomic.Int64) string {
	t.Helper()
	all := tasks.Task{Candidates: make([]string, 20)}.Labels()
	student := model.Func(func(_ context.Context, req model.Request) (model.Reply, error) {
		last := req.Messages[len(req.Messages)-1]
		if last.Role != model.ToolRole {
			begun.Add(1)
			return modeltest.Call("popularity", "{}"), nil
		}
		var labels []string
		for _, told := range append(strings.Fields(last.Content), all...) {
			label, _, _ := strings.Cut(told, ":")
			if slices.Contains(all, label) && !slices.Contains(labels, label) {
				labels = append(labels, label)
			}
		}
		return modeltest.Say(phase.Write(phase.Reflection{Verdict: phase.Accept}) + "\n" + phase.Write(phase.Recommend{Ranking: labels})), nil
	})
	s := httptest.NewServer(server.New(student, server.Config{Name: "star"}))
	t.Cleanup(s.Close)
	return s.URL + "/v1"
}

// TestServeAsksTheSameOnce: told in brief, requests of as many candidates begin
// alike, and the model hears of the beginning once; what is answered stays.
func TestServeAsksTheSameOnce(t *testing.T) {
	lean, err := filepath.Abs(filepath.Join("..", "..", "star", "trainer", "lean.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	smallWorld(t, "5")
	var begun atomic.Int64
	args := []string{"serve", "--data", "data", "--team", lean, "--model", "openai:star", "--base-url", shortStudent(t, &begun), "--detail", "brief"}
	keeping, _ := serving(t, args...)
	forgetting, _ := serving(t, append(args, "--keep", "0")...)
	served, err := tasks.ReadFile("tasks.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	for i, task := range served {
		once, err := client.New(keeping, client.Config{}).Recommend(t.Context(), of(task))
		if err != nil {
			t.Fatal(err)
		}
		anew, err := client.New(forgetting, client.Config{}).Recommend(t.Context(), of(task))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(once.Ranking, anew.Ranking) || once.By != client.ByStudent {
			t.Errorf("%s: %v by %s, and %v where nothing is kept", task.ID, once.Ranking, once.By, anew.Ranking)
		}
		if known := min(i, 1); once.CachedCalls != known || once.Calls != anew.Calls-known || anew.CachedCalls != 0 {
			t.Errorf("%s: %d calls and %d cached, and %d and %d where nothing is kept", task.ID, once.Calls, once.CachedCalls, anew.Calls, anew.CachedCalls)
		}
	}
	if n := int(begun.Load()); n != 1+len(served) {
		t.Errorf("%d of the %d requests begin with a call of their own, want %d", n, 2*len(served), 1+len(served))
	}
	// All of it is known by now, and mars eval says that no call was made.
	row, _ := evaluated(t, "served="+keeping, "--gold", "gold.jsonl", "--data", "data").Groups[0].Tables[0].Row("served")
	if calls := row.Expense.Calls; calls == nil || *calls != 0 {
		t.Errorf("what is asked again takes calls: %v", row.Expense)
	}
	if code, _, said := marsExits(t, append(args, "--temperature", "-0.5")...); code != exitUsage {
		t.Errorf("a temperature below 0: exit code %d, %s", code, said)
	}
}
