package rest_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mars-rec/mars/star/environment"
	"github.com/mars-rec/mars/star/environment/environmenttest"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tasks/gold"
	"github.com/mars-rec/mars/tasks/taskstest"
	"github.com/mars-rec/mars/trajectories"
	"github.com/mars-rec/mars/trajectories/reward"
)

// vector is a line of the vectors that every reward is held to, with its
// messages in the form in which they are sent.
type vector struct {
	Name string
	Task tasks.Task
	trajectories.Form
	Gold     gold.Gold
	Messages []map[string]any
	Paper    float64
	Parts    map[string]float64
}

// chat puts a message of the file into the form of chat APIs.
func chat(m map[string]any) map[string]any {
	calls, _ := m["tool_calls"].([]any)
	for _, c := range calls {
		call := c.(map[string]any)
		call["type"], call["function"] = "function", map[string]any{"name": call["name"], "arguments": call["arguments"]}
		delete(call, "name")
		delete(call, "arguments")
	}
	return m
}

// TestVectors: over HTTP, every shared conversation has the rewards of the
// file, the paper's and those of all parts.
func TestVectors(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("..", "..", "..", "trajectories", "reward", "testdata", "vectors.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	weights := map[string]float64{"format": 1, "outcome": 0.5, "ndcg": 2, "mrr": 3, "grounded": 4, "economy": 5}
	composed, err := reward.Compose(strings.NewReader("name: all\nparts: " + text(map[string]any{
		"format": weight(1), "outcome": weight(0.5), "ndcg": weight(2), "mrr": weight(3), "grounded": weight(4), "economy": weight(5)})))
	if err != nil {
		t.Fatal(err)
	}
	s := bufio.NewScanner(bytes.NewReader(b))
	s.Buffer(nil, len(b)+1)
	n := 0
	for ; s.Scan(); n++ {
		var v vector
		if err := json.Unmarshal(s.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(v.Task.Candidates, v.Gold.Items[0]) {
			continue // an environment takes no such task
		}
		for i := range v.Messages {
			v.Messages[i] = chat(v.Messages[i])
		}
		if o := v.judged(t, nil); math.Abs(*o.Reward-v.Paper) > 1e-12 || o.Scorer != reward.PaperName || o.Version != reward.PaperVersion {
			t.Errorf("%s: %+v, want %v", v.Name, o, v.Paper)
		}
		o, want := v.judged(t, composed), 0.
		for part, w := range weights {
			want += w * v.Parts[part]
			if math.Abs(o.Parts[part]-v.Parts[part]) > 1e-12 {
				t.Errorf("%s: %s is %v, want %v", v.Name, part, o.Parts[part], v.Parts[part])
			}
		}
		if math.Abs(*o.Reward-want) > 1e-12 || o.Scorer != "all" || o.Version != composed.Version || len(o.Parts) != len(weights) {
			t.Errorf("%s: %+v, want %v", v.Name, o, want)
		}
	}
	if n < 100 {
		t.Errorf("there are %d vectors: has the file been cut?", n)
	}
}

func weight(w float64) map[string]float64 { return map[string]float64{"weight": w} }

// judged is the outcome of the conversation, sent to a server of its own.
func (v vector) judged(t *testing.T, by *reward.Composition) (o judgement) {
	t.Helper()
	cfg := environmenttest.Config(0)
	cfg.Tasks, cfg.Gold, cfg.Form, cfg.Reward = []tasks.Task{v.Task}, map[string]gold.Gold{v.Task.ID: v.Gold}, v.Form, by
	cfg.Source = taskstest.New(nil, nil, nil, nil)
	e, err := environment.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	c := connect(t, e, environment.Access{})
	var begun struct{ Session string }
	c.must("POST", "/v1/sessions", `{"index":0}`, &begun)
	c.must("POST", "/v1/sessions/"+begun.Session+"/answer", text(map[string]any{"messages": v.Messages}), &o)
	return o
}

type judgement struct {
	Reward          *float64
	Parts           map[string]float64
	Scorer, Version string
}

// TestTheRewardIsTold: its name, version and parts; no part is told that the
// reward is not made of, since it could tell which item is right.
func TestTheRewardIsTold(t *testing.T) {
	composed, err := reward.Compose(strings.NewReader("name: shaped\nparts: {format: {weight: 1}, ndcg: {weight: 0.5, at: 3}}"))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		by            *reward.Composition
		version, want string
		value         float64
		parts         int
	}{
		"paper":  {nil, reward.PaperVersion, `{"format":{"weight":1},"outcome":{"weight":1}}`, 1 + 2./3, 2},
		"shaped": {composed, composed.Version, `{"format":{"weight":1},"ndcg":{"at":3,"weight":0.5}}`, 1 + 0.5*0.5, 2},
	} {
		cfg := environmenttest.Config(3)
		cfg.Reward = c.by
		e, err := environment.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		client := connect(t, e, environment.Access{})
		var told struct {
			Name, Version string
			Parts         map[string]any
		}
		client.must("GET", "/v1/reward", "", &told)
		if told.Name != name || told.Version != c.version || text(told.Parts) != c.want {
			t.Errorf("told is %+v, want %s %s %s", told, name, c.version, c.want)
		}
		if _, o := client.episode(); math.Abs(*o.Reward-c.value) > 1e-12 || len(o.Parts) != c.parts {
			t.Errorf("%s gives %v, %v; want %v", name, *o.Reward, o.Parts, c.value)
		}
	}
	if status, _ := connect(t, environmenttest.New(0), environment.Access{}).do("GET", "/v1/reward", ""); status != 404 {
		t.Errorf("without gold the reward is told with %d", status)
	}
}
