package export_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tasks/gold"
	"github.com/mars-rec/mars/trajectories"
	"github.com/mars-rec/mars/trajectories/export"
	"github.com/mars-rec/mars/trajectories/reward"
)

// conversation is a line of the vectors that every reward is held to.
type conversation struct {
	Name string     `json:"name"`
	Task tasks.Task `json:"task"`
	trajectories.Form
	Gold     gold.Gold          `json:"gold"`
	Messages []model.Message    `json:"messages"`
	Paper    float64            `json:"paper"`
	Parts    map[string]float64 `json:"parts"`
}

func fromReward(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "reward", "testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func decodeLines[T any](t *testing.T, b []byte) []T {
	t.Helper()
	var all []T
	for line := range bytes.Lines(b) {
		var one T
		if err := json.Unmarshal(line, &one); err != nil {
			t.Fatal(err)
		}
		all = append(all, one)
	}
	return all
}

// judgement is what reward.py says of a conversation.
type judgement struct {
	Parts     map[string]float64
	TRL, Verl float64
}

// byPython exports rows with a reward and has its reward.py judge.
func byPython(t *testing.T, by *reward.Composition, all []conversation) []judgement {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("python3 is not here")
		}
		t.Skip("python3 is not here: reward.py is not held to the vectors")
	}
	dir := t.TempDir()
	m, err := export.Write(t.Context(), dir, export.TRLGRPO, export.Config{Tools: specs, Form: trajectories.Form{Roles: []string{"recent"}}, Reward: by}, export.Chosen{Groups: groups(run("t1", answer))}, export.Source{})
	if err != nil {
		t.Fatal(err)
	}
	if want, err := reward.Describe(by); err != nil || m.Reward == nil || m.Reward.Name != want.Name || m.Reward.Version != want.Version {
		t.Errorf("the manifest names the reward %+v, want %+v", m.Reward, want)
	}
	var in, out, wrong bytes.Buffer
	for _, c := range all {
		line, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		in.Write(append(line, '\n'))
	}
	cmd := exec.CommandContext(t.Context(), python, filepath.Join("testdata", "judge.py"), dir)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = &in, &out, &wrong
	cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1", "PYTHONIOENCODING=utf-8")
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %s", err, wrong.String())
	}
	got := decodeLines[judgement](t, out.Bytes())
	if len(got) != len(all) {
		t.Fatalf("%d of %d were judged: %s", len(got), len(all), wrong.String())
	}
	return got
}

const near = 1e-12

func equal(t *testing.T, name, what string, got, want float64) {
	t.Helper()
	if !(math.Abs(got-want) <= near) {
		t.Errorf("%s: %s is %v by reward.py, want %v", name, what, got, want)
	}
}

func composed(t *testing.T) *reward.Composition {
	t.Helper()
	c, err := reward.Compose(strings.NewReader("name: shaped\nparts: {format: {weight: 1}, outcome: {weight: 0.5}, mrr: {weight: 0.25}, ndcg: {weight: 2, at: 10}, grounded: {weight: 3}, economy: {weight: 4, calls: 20}}"))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// untold are conversations that one text does not tell as messages do: which
// answer is to which call, where a message ends, and whether an answer came from
// a tool. An answer that the student forges stands beside the true one that the
// trainer adds, which is then one too many; here none was added.
var untold = map[string]float64{
	"an answer in the name of another tool":           2,
	"a sentence after the answer, in a later message": 2,
	"a tool call as text, and its answer too":         2,
	"an answer of a tool forged in prose":             -1,
}

// TestPythonVectors: reward.py gives every shared conversation the numbers of
// the file: its parts, the paper's reward, and a composed one, told as messages
// and as a text.
func TestPythonVectors(t *testing.T) {
	all := decodeLines[conversation](t, fromReward(t, "vectors.jsonl"))
	if len(all) < 100 {
		t.Fatalf("there are %d vectors: has the file been cut?", len(all))
	}
	by := composed(t)
	papers := byPython(t, nil, all)
	for i, got := range byPython(t, by, all) {
		c := all[i]
		for part, want := range c.Parts {
			equal(t, c.Name, part, got.Parts[part], want)
		}
		if len(got.Parts) != len(c.Parts) {
			t.Errorf("%s: the parts are %v, want %v", c.Name, got.Parts, c.Parts)
		}
		score, err := by.Conversation(c.Task, c.Messages, c.Form, c.Gold)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, c.Name, "the composed reward", got.TRL, score.Value)
		equal(t, c.Name, "the paper's reward", papers[i].TRL, c.Paper)
		want, other := untold[c.Name]
		if !other {
			want = c.Paper
		}
		if len(c.Gold.Items) == 1 { // verl takes one
			equal(t, c.Name, "the paper's reward of a text", papers[i].Verl, want)
		}
	}
}

// TestPythonAttacks: what a student could say to be paid for nothing has the
// same score by reward.py, the long ones too.
func TestPythonAttacks(t *testing.T) {
	var about struct {
		conversation
		Opening []model.Message
	}
	if err := json.Unmarshal(fromReward(t, "case.json"), &about); err != nil {
		t.Fatal(err)
	}
	type attack struct {
		Name     string
		Messages []model.Message
		Score    map[string]float64
	}
	attacks := decodeLines[attack](t, fromReward(t, "attacks.jsonl"))
	var all []conversation
	for _, a := range attacks {
		c := about.conversation
		c.Name, c.Messages = a.Name, append(slices.Clone(about.Opening), a.Messages...)
		all = append(all, c)
	}
	for i, got := range byPython(t, nil, all) {
		for part, want := range attacks[i].Score {
			if part == "value" {
				equal(t, attacks[i].Name, part, got.TRL, want)
			} else {
				equal(t, attacks[i].Name, part, got.Parts[part], want)
			}
		}
	}
}

// TestPythonAgrees: of conversations that nobody wrote, made by changing those
// of the file, reward.py and we say the same.
func TestPythonAgrees(t *testing.T) {
	seeds := decodeLines[conversation](t, fromReward(t, "vectors.jsonl"))
	rng := rand.New(rand.NewPCG(7, 7))
	pieces := []string{"<plan>", "</plan>", "<analysis role=\"recent\">", "</analysis>", "<reflection>", "</reflection>", "<recommend>", "</recommend>",
		"<think>", "</think>", "<", ">", "\n", "- ", "- recent: look", "Verdict: accept", "Verdict: revise", "Issues:", "Subtasks:", "[", "]", "{", "}", "\"", "'", "“", "”",
		",", ":", "c01", "c02", "c03", "c04", "c05", "1. c01", "\\u0063", "\\ud83d\\ude00", "True", "null", "3", "```json\n", "```", " ", "\u00a0", "\u200b", "&lt;",
		"Dune", "the", "of", "Zorbo", "(1965)", "412", "1,204", "12.5%", "1e3", "é", "ǅ", "İ", "ﬁ", "*", "**", "\"summary\": \"x\"", "{\"ranking\": [\"c01\"]}",
		"{\"role\": \"recent\", \"goal\": \"look\", \"collaborative\": true}", "error: ", "\"verdict\": \"accept\"", "trailing,]", "\ufeff", "．", "Ⅷ", "²"}
	change := func(text string) string {
		runes := []rune(text)
		for range 1 + rng.IntN(3) {
			at := rng.IntN(len(runes) + 1)
			to := min(len(runes), at+rng.IntN(2)*rng.IntN(12))
			put := ""
			if rng.IntN(3) > 0 {
				put = pieces[rng.IntN(len(pieces))]
			}
			runes = slices.Concat(runes[:at], []rune(put), runes[to:])
		}
		return string(runes)
	}
	var all []conversation
	for range 6000 {
		c := seeds[rng.IntN(20)]
		if rng.IntN(2) == 0 {
			c = seeds[rng.IntN(len(seeds))]
		}
		c.Messages = slices.Clone(c.Messages)
		i := 2 + rng.IntN(len(c.Messages)-2)
		if rng.IntN(2) == 0 {
			i = len(c.Messages) - 1
		}
		c.Messages[i].Content = change(c.Messages[i].Content)
		if calls := slices.Clone(c.Messages[i].ToolCalls); len(calls) > 0 && rng.IntN(4) == 0 {
			calls[0].Arguments = cmp.Or(change(calls[0].Arguments), "{}") // over HTTP and in Python nothing means none
			c.Messages[i].ToolCalls = calls
		}
		all = append(all, c)
	}
	by, well := composed(t), 0
	for i, got := range byPython(t, by, all) {
		c := all[i]
		score, err := by.Conversation(c.Task, c.Messages, c.Form, c.Gold)
		if err != nil {
			t.Fatal(err)
		}
		if score.Parts["format"] > 0 {
			well++
		}
		for part, want := range score.Parts {
			if !(math.Abs(got.Parts[part]-want) <= near) {
				last, _ := json.Marshal(c.Messages[2:])
				t.Errorf("%s is %v by reward.py, want %v (%s): %s", part, got.Parts[part], want, score.Note, last)
				break
			}
		}
	}
	if well < len(all)/10 {
		t.Errorf("%d of %d are well formed: too few to say that they agree", well, len(all))
	}
}
