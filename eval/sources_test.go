package eval_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mars-rec/mars/eval"
)

// TestService asks a real server, which sees the task and no gold, fails at one
// task, and is slow by the clock at all.
func TestService(t *testing.T) {
	all := cases(4)
	var requests atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		if r.Method != http.MethodPost || r.URL.Path != "/v1/recommend" || r.Header.Get("Authorization") != "Bearer secret" {
			t.Errorf("asked by %s %s", r.Method, r.URL.Path)
		}
		var q map[string]any
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
			t.Error(err)
		}
		for key := range q {
			if !slices.Contains([]string{"id", "user", "as_of", "candidates"}, key) {
				t.Errorf("the service is told %s", key)
			}
		}
		if q["id"] == "t2" {
			http.Error(w, "out of memory", http.StatusInternalServerError)
			return
		}
		json.NewEncoder(w).Encode(map[string]any{"ranking": q["candidates"], "calls": 1, "output_tokens": 80}) //nolint:errcheck // the client would tell
	}))
	defer server.Close()
	var clock atomic.Int64
	now := func() time.Time { return time.Unix(clock.Add(1), 0) }
	s := eval.Service("star", server.URL+"/", eval.ServiceConfig{Now: now, Token: "secret"})
	r := report(t, []eval.Set{{Name: "s", Cases: all}}, []eval.System{s}, eval.Config{Workers: 1})
	row := r.Groups[0].Tables[0].Rows[0]
	if row.Missing != 1 || row.Form.Unanswered != 1 || row.HR1 != 0.25 || requests.Load() != 4 {
		t.Errorf("after %d requests: %+v", requests.Load(), row)
	}
	if e := row.Expense; e.Known != 3 || *e.P50 != 1 || *e.P95 != 1 || *e.Calls != 1 || *e.OutputTokens != 80 || e.InputTokens != nil || e.Cost != nil {
		t.Errorf("expense is %+v", e)
	}
}

// TestServiceIsGone: a service that never answers is an error, not a system
// that misses everything.
func TestServiceIsGone(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"500":        func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
		"redirected": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) },
		"no ranking": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"items":[]}`) },
		"not JSON":   func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `<html>`) },
		"too long":   func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, strings.Repeat(" ", 2<<20)) },
	} {
		server := httptest.NewServer(handler)
		s := eval.Service("star", server.URL, eval.ServiceConfig{Patience: 3})
		if _, err := eval.Run(t.Context(), []eval.Set{{Name: "s", Cases: cases(8)}}, []eval.System{s}, eval.Config{}); err == nil || !strings.Contains(err.Error(), "3 requests in a row failed") {
			t.Errorf("%s: %v", name, err)
		}
		server.Close()
	}
}

func TestReadRankings(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.jsonl")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(`{"id":"t0","ranking":["a","a"]}
{"id":"t1","ranking":null,"seconds":2.5,"cost":0.01}
`)
	got, err := eval.ReadRankings(path)
	if err != nil {
		t.Fatal(err)
	}
	if a := got["t0"]; !slices.Equal(a.Ranking, []string{"a", "a"}) || a.Expense != nil {
		t.Errorf("t0: %+v", a)
	}
	if a := got["t1"]; a.Ranking != nil || *a.Expense.Seconds != 2.5 || *a.Expense.Cost != 0.01 || a.Expense.Calls != nil {
		t.Errorf("t1: %+v", a)
	}
	for text, want := range map[string]string{
		`{"ranking":["a"]}`:                  "without the id",
		`{"id":"t","ranking":[],"calls":-1}`: "a cost is negative",
		`{"id":"t","rank":["a"]}`:            `unknown field "rank"`,
		"{\"id\":\"t\"}\n{\"id\":\"t\"}":     "on line 1 already",
	} {
		write(text)
		if _, err := eval.ReadRankings(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
