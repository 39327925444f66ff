package main

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/model/openai/server"
)

// TestHybrid: a student behind a server plans, builtin works by its plan, and
// the run replays with no server.
func TestHybrid(t *testing.T) {
	smallWorld(t, "3")
	var mu sync.Mutex
	var asked []string
	star := model.Func(func(_ context.Context, req model.Request) (model.Reply, error) {
		const plan = "<plan>\nSee what is near.\n- historical (collaborative): what lies near the whole history\n- recent: what the last items say\n"
		return model.Reply{Message: model.Message{Role: model.Assistant, Content: plan}, Finish: "stop", Model: "star"}, nil
	})
	far := server.New(star, server.Config{Name: "star"})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		asked = append(asked, string(body))
		mu.Unlock()
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		far.ServeHTTP(w, r)
	}))
	mars(t, "synth", "--data", "data", "--tasks", "tasks.jsonl", "--model-for", "planner=student:openai:star", "--base-url", srv.URL+"/v1", "--detail", "brief", "--out", "hybrid.db")
	srv.Close()
	if len(asked) != 3 {
		t.Fatalf("the student was asked %d times about 3 tasks", len(asked))
	}
	var req struct {
		Messages []struct{ Role, Content string }
		Tools    []struct{ Function struct{ Name string } }
		Stop     []string
		Format   json.RawMessage `json:"response_format"`
	}
	if err := json.Unmarshal([]byte(asked[0]), &req); err != nil {
		t.Fatal(err)
	}
	if len(req.Messages) != 2 || !strings.HasPrefix(req.Messages[1].Content, "Candidates: 20, from c01 on.") || len(req.Tools) == 0 || req.Tools[0].Function.Name != "item_cf" ||
		!slices.Equal(req.Stop, []string{"</plan>"}) || req.Format != nil {
		t.Errorf("the student was asked %+v", req)
	}
	runs := slices.Sorted(maps.Keys(seals(t, "hybrid.db")))
	if len(runs) != 3 {
		t.Fatalf("the hybrid did %d of 3 tasks", len(runs))
	}
	shown := mars(t, "inspect", "hybrid.db", runs[0], "--full")
	if !strings.Contains(shown, "what lies near the whole history") || strings.Count(shown, "## Your subtask") != 2 {
		t.Errorf("the team did not work by the plan:\n%s", shown)
	}
	mars(t, "replay", "hybrid.db", "--tools")
}
