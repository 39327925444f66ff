package reward_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tasks/gold"
	"github.com/mars-rec/mars/trajectories"
	"github.com/mars-rec/mars/trajectories/reward"
)

// setting is what the conversations of the files in testdata are about.
type setting struct {
	Task tasks.Task `json:"task"`
	trajectories.Form
	Gold    gold.Gold       `json:"gold"`
	Opening []model.Message `json:"opening"` // system and user
}

func caseFile(t testing.TB) setting {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "case.json"))
	if err != nil {
		t.Fatal(err)
	}
	var s setting
	if err := json.Unmarshal(b, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// attack is what a student said, and the score that it must get.
type attack struct {
	Name     string             `json:"name"`
	Messages []model.Message    `json:"messages"`
	Score    map[string]float64 `json:"score"` // value: the paper's
}

func lines[T any](t testing.TB, name string) []T {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	var all []T
	s := bufio.NewScanner(bytes.NewReader(b))
	s.Buffer(nil, len(b)+1)
	for s.Scan() {
		var one T
		dec := json.NewDecoder(bytes.NewReader(s.Bytes()))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&one); err != nil {
			t.Fatalf("%s, line %d: %v", name, len(all)+1, err)
		}
		all = append(all, one)
	}
	return all
}

// everything is a composition of all parts.
func everything(t testing.TB) *reward.Composition {
	t.Helper()
	c, err := reward.Compose(strings.NewReader(`
parts:
  format: {weight: 1}
  outcome: {weight: 1}
  ndcg: {weight: 1}
  mrr: {weight: 1}
  grounded: {weight: 1}
  economy: {weight: 1}
`))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestAttacks: what a student could say to be paid for nothing has the score
// that testdata/attacks.jsonl says, by the paper's reward and by parts.
func TestAttacks(t *testing.T) {
	about, all := caseFile(t), lines[attack](t, "attacks.jsonl")
	if len(all) < 40 {
		t.Fatalf("there are %d attacks: has the file been cut?", len(all))
	}
	composed := everything(t)
	for _, a := range all {
		messages := append(about.Opening[:2:2], a.Messages...)
		paper, err := reward.Conversation(about.Task, messages, about.Form, about.Gold)
		if err != nil {
			t.Fatalf("%s: %v", a.Name, err)
		}
		parts, err := composed.Conversation(about.Task, messages, about.Form, about.Gold)
		if err != nil {
			t.Fatalf("%s: %v", a.Name, err)
		}
		got := map[string]float64{"value": paper.Value}
		for name := range a.Score {
			if name != "value" {
				got[name] = parts.Parts[name]
			}
		}
		for name, want := range a.Score {
			if math.Abs(got[name]-want) > 1e-12 {
				t.Errorf("%s: %s is %v, want %v (%s; %s)", a.Name, name, got[name], want, paper.Note, parts.Note)
			}
		}
		if paper.Parts["format"] != parts.Parts["format"] || paper.Parts["outcome"] != parts.Parts["outcome"] {
			t.Errorf("%s: the paper's reward has %v, the parts are %v", a.Name, paper.Parts, parts.Parts)
		}
	}
}
