package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/mars-rec/mars/eval"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tasks/gold"
)

// evaluated runs mars eval and reads what it says.
func evaluated(t *testing.T, args ...string) eval.Report {
	t.Helper()
	var r eval.Report
	if err := json.Unmarshal([]byte(mars(t, append([]string{"eval", "--json", "--rounds", "200"}, args...)...)), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// TestAgentSocietyLayout goes from the published layout to the score: the data
// are imported, tasks made of them are written as the challenge publishes its
// own, read again, answered by the teacher, and scored as its evaluator does.
func TestAgentSocietyLayout(t *testing.T) {
	source, err := filepath.Abs("../../../shared/data/yelp-agentsociety-subset")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(source); errors.Is(err, fs.ErrNotExist) {
		t.Skip("needs ../shared/data/yelp-agentsociety-subset")
	}
	t.Chdir(t.TempDir())
	mars(t, "import", "--in", source, "--out", "yelp")
	mars(t, "tasks", "--data", "yelp", "--scenario", "all", "--seed", "7", "--out", "own.jsonl", "--gold", "own-gold.jsonl", "--limit", "150")
	list, err := tasks.ReadFile("own.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	golds, err := gold.ReadFile("own-gold.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	for n, task := range list {
		publish(t, fmt.Sprintf("tasks/task_%d.json", n), map[string]any{"type": "recommendation", "user_id": task.User,
			"candidate_category": "business", "candidate_list": task.Candidates, "loc": []int{-1, -1}})
		publish(t, fmt.Sprintf("groundtruth/groundtruth_%d.json", n), map[string]any{"ground truth": golds[task.ID].Items[0]})
	}
	mars(t, "tasks", "--data", "yelp", "--protocol", "agentsociety", "--in", "tasks", "--truth", "groundtruth", "--out", "tasks.jsonl", "--gold", "gold.jsonl")
	mars(t, "synth", "--data", "yelp", "--tasks", "tasks.jsonl", "--out", "run.db")
	r := evaluated(t, "run.db", "--gold", "gold.jsonl", "--baselines")

	// The challenge's scoring, written anew: gt in pred[:n], a failure is [""].
	read, err := tasks.ReadFile("tasks.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	hits := map[int]int{}
	for n, task := range read {
		prediction := task.Candidates // the control that returns them in the given order
		for _, top := range []int{1, 3, 5} {
			if slices.Contains(prediction[:top], golds[list[n].ID].Items[0]) {
				hits[top]++
			}
		}
	}
	table := r.Groups[0].Tables[0]
	identity, ok := table.Row("identity")
	total := float64(len(list))
	want := eval.AgentSociety{Total: len(list), Hits1: hits[1], Hits3: hits[3], Hits5: hits[5],
		Top1: float64(hits[1]) / total, Top3: float64(hits[3]) / total, Top5: float64(hits[5]) / total}
	want.Average = (want.Top1 + want.Top3 + want.Top5) / 3
	if !ok || identity.AgentSociety != want {
		t.Errorf("scored %+v, want %+v", identity.AgentSociety, want)
	}
	if teacher := table.Rows[0]; teacher.AgentSociety.Total != len(list) || teacher.Form.Valid != 1 {
		t.Errorf("the teacher: %+v", teacher)
	}
	if table.GoldPlace.P < 0.001 {
		t.Errorf("the candidates were shuffled, and the test says %+v", table.GoldPlace)
	}
}

func publish(t *testing.T, path string, v any) {
	t.Helper()
	b, err := json.Marshal(v)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(path), 0o755)
	}
	if err == nil {
		err = os.WriteFile(path, b, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestEvalOfAService measures a server that ranks in the given order, beside
// the control that does the same, and a ranking file of two runs.
func TestEvalOfAService(t *testing.T) {
	smallWorld(t, "30")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var q struct {
			Candidates []string `json:"candidates"`
		}
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil || r.URL.Path != "/v1/recommend" {
			t.Errorf("%s: %v", r.URL.Path, err)
		}
		json.NewEncoder(w).Encode(map[string]any{"ranking": q.Candidates}) //nolint:errcheck // the client would tell
	}))
	defer server.Close()
	list, err := tasks.ReadFile("tasks.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a.jsonl", "b.jsonl"} {
		f, err := os.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, task := range list {
			ranking := slices.Clone(task.Candidates)
			if name == "b.jsonl" {
				slices.Reverse(ranking)
			}
			if err := tasks.WriteLine(f, eval.Line{ID: task.ID, Ranking: ranking}); err != nil {
				t.Fatal(err)
			}
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	r := evaluated(t, "star="+server.URL, "file=a.jsonl", "file=b.jsonl", "--gold", "gold.jsonl", "--data", "data", "--controls", "identity,ease,ials", "--measure", "mrr")
	table := r.Groups[0].Tables[0]
	star, _ := table.Row("star")
	identity, _ := table.Row("identity")
	file, _ := table.Row("file")
	if star.Summary != identity.Summary || star.Cases != 30 || star.Expense.P50 == nil || star.Popularity == nil {
		t.Errorf("the service: %+v, the same control: %+v", star, identity)
	}
	if file.Runs != 2 || file.Seeds.Runs == nil || file.Seeds.Runs.High != max(file.Seeds.Runs.Low, file.Seeds.Runs.High) || len(table.Pairs) != 4 || r.Measure != "mrr" {
		t.Errorf("two runs: %+v of %d comparisons", file, len(table.Pairs))
	}
	if full := evaluated(t, "--gold", "gold.jsonl", "--data", "data", "--controls", "most popular,random", "--full"); !full.Full || full.Groups[0].Tables[0].Rows[0].Cases != 30 {
		t.Errorf("a full ranking: %+v", full)
	}
}
