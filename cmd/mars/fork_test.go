package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/model/builtin"
	"github.com/mars-rec/mars/model/openai/server"
	"github.com/mars-rec/mars/tools"
	"github.com/mars-rec/mars/trajectories"
	"github.com/mars-rec/mars/trajectories/store"
)

// flaky refuses one request, and remembers what it was asked.
type flaky struct {
	http.Handler
	refuse int // the request that is refused, from 1

	mu       sync.Mutex
	requests int
	seeds    map[int64]int
}

func (f *flaky) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	var asked struct {
		Seed int64 `json:"seed"`
	}
	if err := json.Unmarshal(body, &asked); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	f.mu.Lock()
	f.requests++
	refused := f.requests == f.refuse
	if !refused {
		f.seeds[asked.Seed]++
	}
	f.mu.Unlock()
	if refused {
		http.Error(w, "no", http.StatusBadRequest)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	f.Handler.ServeHTTP(w, r)
}

// TestForksPayOnceAndDrawApart forks a run over HTTP; a call fails, and the same
// command again pays for what is left and for nothing else. Each fork draws
// with a seed of its own. That builtin answers then means that all are the same
// as the first run.
func TestForksPayOnceAndDrawApart(t *testing.T) {
	smallWorld(t, "1")
	mars(t, "synth", "--data", "data", "--tasks", "tasks.jsonl", "--out", "run.db")
	st, err := store.Open(t.Context(), "run.db", store.Config{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	var parent *trajectories.Trajectory
	for r, err := range st.Runs(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if parent, err = st.Trajectory(t.Context(), r.ID); err != nil {
			t.Fatal(err)
		}
	}
	const at message.ID = "1.3"
	before, replies := 0, 0
	for _, e := range parent.Log {
		switch {
		case e.Fact() && e.ID.Compare(at) < 0:
			before++
		case e.Fact() && e.Kind != (tools.Result{}).Kind():
			replies++
		}
	}
	if before == 0 || replies < 4 {
		t.Fatalf("%d facts before the point and %d replies from it on: the run is too short to fork", before, replies)
	}

	llm := &flaky{Handler: server.New(builtin.New(builtin.Config{}), server.Config{Name: builtin.Name}), refuse: replies + 3, seeds: map[int64]int{}}
	s := httptest.NewServer(llm)
	defer s.Close()
	args := []string{"fork", "run.db", parent.Run.ID, "--at", string(at), "--samples", "2", "--concurrency", "1", "--attempts", "1",
		"--model", "openai:builtin", "--base-url", s.URL + "/v1", "--out", "forks.db", "--json"}
	var out, messages bytes.Buffer
	if code := run(t.Context(), args, strings.NewReader(""), &out, &messages, time.Now); code != exitFailure {
		t.Fatalf("exit %d with a refused call: %s", code, messages.String())
	}
	var report forkReport
	if err := json.Unmarshal([]byte(mars(t, args...)), &report); err != nil {
		t.Fatal(err)
	}
	if report.Recalled != before || report.Totals.Done != 1 || report.Totals.Skipped != 1 || len(report.Forks) != 2 {
		t.Errorf("the second time it says %+v, want %d facts recalled, one fork done and one before", report, before)
	}
	for _, f := range report.Forks {
		if f.Parts != "" || f.Status != trajectories.Done {
			t.Errorf("%+v: want the bytes of the first run", f)
		}
	}
	if len(llm.seeds) != 2 {
		t.Errorf("the forks drew with the seeds %v, want one for each", llm.seeds)
	}
	for seed, n := range llm.seeds {
		if n != replies {
			t.Errorf("with seed %d %d calls were paid for, want %d", seed, n, replies)
		}
	}
	mars(t, "verify", "forks.db")
	mars(t, "replay", "forks.db")
}
