package reward_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tasks/gold"
	"github.com/mars-rec/mars/trajectories"
	"github.com/mars-rec/mars/trajectories/reward"
)

var update = flag.Bool("update", false, "write testdata/vectors.jsonl anew")

// vector is a conversation with its rewards, so that a reward in another
// language can be held to ours. Parts are all six, ndcg at 10 and economy for
// 20 calls; rank is among them where the conversation is well formed.
type vector struct {
	Name string     `json:"name"`
	Task tasks.Task `json:"task"`
	trajectories.Form
	Gold     gold.Gold          `json:"gold"`
	Messages []model.Message    `json:"messages"`
	Paper    float64            `json:"paper"` // value of the paper's reward
	Parts    map[string]float64 `json:"parts"`
}

// vectors are a run told as a conversation, with the true item at each rank,
// and what testdata/attacks.jsonl has.
func vectors(t *testing.T) []vector {
	t.Helper()
	tr := run()
	messages, err := trajectories.Serialize(tr, trajectories.Linear{})
	if err != nil {
		t.Fatal(err)
	}
	var all []vector
	for rank := 1; rank <= len(tr.Run.Task.Candidates)+1; rank++ {
		all = append(all, vector{Name: fmt.Sprintf("the true item at rank %d of 7", rank), Task: tr.Run.Task, Form: trajectories.Form{Roles: []string{"recent"}},
			Gold: gold.Gold{ID: tr.Run.Task.ID, Items: []string{fmt.Sprintf("i%d", rank)}}, Messages: messages})
	}
	all = append(all, vector{Name: "two true items", Task: tr.Run.Task, Form: trajectories.Form{Roles: []string{"recent"}}, Gold: gold.Gold{ID: tr.Run.Task.ID, Items: []string{"i6", "i2"}}, Messages: messages})
	all = append(all, lacking(t)...)
	about := caseFile(t)
	for _, a := range lines[attack](t, "attacks.jsonl") {
		if long := fmt.Sprint(a.Messages); len(long) < 4000 { // the long ones teach nothing new
			all = append(all, vector{Name: a.Name, Task: about.Task, Form: about.Form, Gold: about.Gold, Messages: append(about.Opening[:2:2], a.Messages...)})
		}
	}
	return all
}

// lacking are conversations of teams that have not all of the paper's phases,
// under every form: well formed is what has the phases of its team.
func lacking(t *testing.T) []vector {
	t.Helper()
	about := caseFile(t)
	const (
		plan     = "<plan>\nLook.\n- recent: the last items\n</plan>\n"
		analysis = "<analysis role=\"recent\">\nThin.\n</analysis>\n"
		reflect  = "<reflection>\nVerdict: accept\n</reflection>\n"
		ranking  = `<recommend>["c03", "c01", "c02", "c04", "c05"]</recommend>`
	)
	said := func(parts ...string) []model.Message {
		return []model.Message{{Role: model.Assistant, Content: strings.Join(parts, "")}}
	}
	called := func(before, after []model.Message) []model.Message {
		before[0].ToolCalls = []model.ToolCall{{ID: "1", Name: "item_cf", Arguments: "{}"}}
		return slices.Concat(before, []model.Message{{Role: model.ToolRole, ToolCallID: "1", Name: "item_cf", Content: "{}"}}, after)
	}
	told := []struct {
		name     string
		messages []model.Message
	}{
		{"no reflection", called(said(plan), said(analysis, ranking))},
		{"no call", said(plan, analysis, reflect, ranking)},
		{"no call and no reflection", said(plan, analysis, ranking)},
		{"no plan", called(said(analysis), said(reflect, ranking))},
		{"a late plan", called(said(analysis), said(plan, reflect, ranking))},
		{"a ranking alone", said(ranking)},
		{"no ranking", called(said(plan), said(analysis, reflect))},
		{"all phases", called(said(plan), said(analysis, reflect, ranking))},
		{"a malformed reflection", called(said(plan), said("<reflection>\nPerhaps.\n</reflection>\n", ranking))},
	}
	forms := [][]string{nil, {"reflection"}, {"tool_call"}, {"reflection", "tool_call"}, {"plan"}, {"plan", "reflection", "tool_call"}}
	var all []vector
	for _, c := range told {
		for _, without := range forms {
			name := c.name + " of the paper's team"
			if without != nil {
				name = c.name + " of a team without " + strings.Join(without, ", ")
			}
			all = append(all, vector{Name: name, Task: about.Task, Form: trajectories.Form{Roles: about.Roles, Without: without},
				Gold: about.Gold, Messages: append(about.Opening[:2:2], c.messages...)})
		}
	}
	return all
}

// TestFormOfTheTeam: the same words are well formed for one team and not for
// another.
func TestFormOfTheTeam(t *testing.T) {
	well := map[string]string{ // the forms under which it is, by what is left out
		"no reflection":             "reflection | reflection, tool_call | plan, reflection, tool_call",
		"no call":                   "tool_call | reflection, tool_call | plan, reflection, tool_call",
		"no call and no reflection": "reflection, tool_call | plan, reflection, tool_call",
		"no plan":                   "plan | plan, reflection, tool_call",
		"a ranking alone":           "plan, reflection, tool_call",
		"all phases":                "paper | reflection | tool_call | reflection, tool_call | plan | plan, reflection, tool_call",
	}
	got := map[string][]string{}
	for _, v := range lacking(t) {
		name, form, _ := strings.Cut(strings.Replace(v.Name, " of the paper's team", " of a team without paper", 1), " of a team without ")
		if err := reward.Form(v.Task, v.Messages, v.Form); err == nil {
			got[name] = append(got[name], form)
		}
	}
	for name, forms := range got {
		if strings.Join(forms, " | ") != well[name] {
			t.Errorf("%s: well formed without %q, want %q", name, strings.Join(forms, " | "), well[name])
		}
	}
	if len(got) != len(well) {
		t.Errorf("well formed are %v, want %v", got, well)
	}
	if err := (trajectories.Form{Without: []string{"ranking"}}).Check(); err == nil {
		t.Error("a team without a ranking is taken")
	}
}

func (v vector) judge(t *testing.T, c *reward.Composition) vector {
	t.Helper()
	paper, err := reward.Conversation(v.Task, v.Messages, v.Form, v.Gold)
	if err != nil {
		t.Fatalf("%s: %v", v.Name, err)
	}
	parts, err := c.Conversation(v.Task, v.Messages, v.Form, v.Gold)
	if err != nil {
		t.Fatalf("%s: %v", v.Name, err)
	}
	v.Paper, v.Parts = paper.Value, parts.Parts
	return v
}

// TestVectors: the rewards of the shared conversations are those of the file.
func TestVectors(t *testing.T) {
	composed := everything(t)
	if *update {
		var b bytes.Buffer
		for _, v := range vectors(t) {
			line, err := message.Marshal(v.judge(t, composed))
			if err != nil {
				t.Fatal(err)
			}
			b.Write(append(line, '\n'))
		}
		if err := os.WriteFile(filepath.Join("testdata", "vectors.jsonl"), b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	all := lines[vector](t, "vectors.jsonl")
	if want := len(vectors(t)); len(all) != want {
		t.Fatalf("there are %d vectors, want %d: go test ./trajectories/reward -update writes them", len(all), want)
	}
	for _, v := range all {
		got := v.judge(t, composed)
		if math.Abs(got.Paper-v.Paper) > 1e-12 || len(got.Parts) != len(v.Parts) {
			t.Errorf("%s: %v %v, want %v %v", v.Name, got.Paper, got.Parts, v.Paper, v.Parts)
		}
		for name, want := range v.Parts {
			if math.Abs(got.Parts[name]-want) > 1e-12 {
				t.Errorf("%s: %s is %v, want %v", v.Name, name, got.Parts[name], want)
			}
		}
	}
}

// TestCompose: the value is the weighted sum of the parts, a run has the score
// of its conversation, and the version is that of the recipe.
func TestCompose(t *testing.T) {
	compose := func(text string) *reward.Composition {
		c, err := reward.Compose(strings.NewReader(text))
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		return c
	}
	c := compose("name: shaped\nparts:\n  format: {weight: 0.5}\n  ndcg: {weight: 2, at: 3}\n  economy: {weight: 1, calls: 2}\n")
	tr, g := run(), gold.Gold{ID: "t1", Items: []string{"i3"}}
	s, err := c.Score(t.Context(), tr, g)
	if err != nil || s.Value != 0.5+2*0.5+1 || s.Scorer != "shaped" || s.Version != c.Version || s.Parts["mrr"] != 1./3 {
		t.Errorf("the score is %+v, %v", s, err)
	}
	messages, err := trajectories.Serialize(tr, trajectories.Linear{})
	if err != nil {
		t.Fatal(err)
	}
	if again, err := c.Conversation(tr.Run.Task, messages, trajectories.Form{Roles: []string{"recent"}}, g); err != nil || again.Value != s.Value {
		t.Errorf("the conversation has %+v, %v, the run %+v", again, err, s)
	}
	if s, err = c.Score(t.Context(), tr, gold.Gold{ID: "t1", Items: []string{"i4"}}); err != nil || s.Parts["ndcg"] != 0 || s.Value != 1.5 {
		t.Errorf("beyond the third place: %+v, %v", s, err)
	}
	if bad, err := c.Conversation(tr.Run.Task, messages[:3], trajectories.Form{}, g); err != nil || bad.Value != -0.5 || bad.Note == "" || bad.Parts["economy"] != 0 {
		t.Errorf("malformed: %+v, %v", bad, err)
	}
	if _, err := c.Score(t.Context(), tr, gold.Gold{ID: "t2", Items: []string{"i3"}}); err == nil {
		t.Error("the gold of another task is taken")
	}

	same := compose("# weights of the paper\nparts: {economy: {calls: 2, weight: 1}, ndcg: {at: 3, weight: 2.0}, format: {weight: 0.50}}")
	if same.Version != c.Version || same.Name != "composed" {
		t.Errorf("laid out otherwise it is %s %s, want version %s", same.Name, same.Version, c.Version)
	}
	if other := compose("parts: {economy: {calls: 3, weight: 1}, ndcg: {at: 3, weight: 2}, format: {weight: 0.5}}"); other.Version == c.Version {
		t.Error("another recipe has the same version")
	}
	if a, b := compose("parts: {ndcg: {weight: 1}}"), compose("parts: {ndcg: {weight: 1, at: 10}}"); a.Version != b.Version {
		t.Error("a default that is written out is another version")
	}
}

func TestComposeRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                                                     "EOF",
		"parts: {}":                                            "there are no parts",
		"parts: {fromat: {weight: 1}}":                         "field fromat not found",
		"parts: {format: {wieght: 1}}":                         "field wieght not found",
		"parts: {format: 1}":                                   "cannot unmarshal",
		"parts: {format: {}}":                                  "the weight of format is 0",
		"parts: {format: {weight: -1}}":                        "the weight of format is -1",
		"parts: {mrr: {weight: .nan}}":                         "the weight of mrr is NaN",
		"parts: {mrr: {weight: .inf}}":                         "the weight of mrr is +Inf",
		"parts: {ndcg: {weight: 1, at: -1}}":                   "at of ndcg is -1",
		"parts: {economy: {weight: 1, calls: -2}}":             "calls of economy is -2",
		"name: paper\nparts: {mrr: {weight: 1}}":               `the name is "paper"`,
		"name: a/b\nparts: {mrr: {weight: 1}}":                 `the name is "a/b"`,
		"parts: {mrr: {weight: 1}}\n---\nname: x":              "more than one document",
		"parts: {mrr: {weight: 1}}\nparts: {mrr: {weight: 2}}": "already defined",
		strings.Repeat("# long\n", 20_000):                     "more than 65536 bytes",
	} {
		if c, err := reward.Compose(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q gives %v, %v: want an error with %q", text, c, err, want)
		}
	}
}

// TestGroundedReadsJSONAsText: what a tool's answer escapes is what it says.
func TestGroundedReadsJSONAsText(t *testing.T) {
	answer, err := json.Marshal(map[string]any{"evidence": []string{`Readers of "Tom & Jerry" <1940>: 1,204.`}, "items": []any{map[string]any{"score": 1e-05}}})
	if err != nil {
		t.Fatal(err)
	}
	share, loose := reward.Grounded([]model.Message{
		{Role: model.ToolRole, Content: string(answer)},
		{Role: model.Assistant, Content: `<analysis role="a">` + "\nOf “Tom & Jerry” 1204, *tom  jerry 1940*, 0.00001; \"Jerry Tom\".\n</analysis>"},
	})
	if share != 0.8 || len(loose) != 1 || loose[0] != "jerry tom" {
		t.Errorf("the share is %v, loose are %q", share, loose)
	}
	many := "<analysis role=\"a\">\n"
	for i := range 2000 {
		many += fmt.Sprintf("%d, ", 5000+i)
	}
	told := model.Message{Role: model.ToolRole, Content: many[len("<analysis"):]}
	if share, loose := reward.Grounded([]model.Message{told, {Role: model.Assistant, Content: many + "\n</analysis>"}}); share != 0.5 || len(loose) != 1000 {
		t.Errorf("of 2,000 statements %v are grounded and %d are loose: want the first thousand", share, len(loose))
	}
	if share, _ := reward.Grounded(nil); share != 1 {
		t.Errorf("of nothing the share is %v", share)
	}
}
