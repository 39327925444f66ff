package mask_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/trajectories/mask"
)

var update = flag.Bool("update", false, "write the golden files anew")

// shown is the conversation that docs/training-data.md explains the mask on.
func shown() ([]model.Message, []model.ToolSpec) {
	call := func(name, arguments string) model.ToolCall {
		return model.ToolCall{Name: name, Arguments: arguments}
	}
	return []model.Message{
			{Role: model.System, Content: "You recommend items to one user at one moment. …"},
			{Role: model.User, Content: "Rank the candidates by how likely user u7 is to take each next.\nAs of: 2018-09-20T12:00:00Z\n\nCandidates:\nc01 | Dune (1965) | SF\nc02 | Emma (1815) | Classics\nc03 | Ulysses (1922) | Classics"},
			{Role: model.Assistant, Content: "<plan>\nSet the whole history beside the latest items.\n- recent (collaborative): what goes together with the last ten\n</plan>",
				ToolCalls: []model.ToolCall{call("item_cf", `{"window": "last:10"}`)}},
			{Role: model.ToolRole, Name: "item_cf", Content: `{"evidence":["12 of 31 users who read \"Persuasion\" also read c02 \"Emma\"."],"rankings":[{"tool":"item_cf","signal":"item_cf_recent","ranking":["c02:9=0.41","c03:4=0.12","c01:0=0"]}]}`},
			{Role: model.Assistant, Content: "<analysis role=\"recent\">\nThe latest items are classics.\n- c02 leads in item_cf_recent\n</analysis>\n<reflection>\nVerdict: accept\n</reflection>\n<recommend>[\"c02\", \"c03\", \"c01\"]</recommend>"},
		}, []model.ToolSpec{{Name: "item_cf", Description: "Item-CF on what users have in common.",
			Parameters: json.RawMessage(`{"type":"object","properties":{"window":{"type":"string"}}}`)}}
}

// TestGoldenDocs holds docs/training-data.md to what is rendered.
func TestGoldenDocs(t *testing.T) {
	path := filepath.Join("..", "..", "docs", "training-data.md")
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := string(page)
	for name, text := range map[string]string{"mask": marked(t), "templates": templates()} {
		start := "<!-- " + name + ": written by go test ./trajectories/mask -run GoldenDocs -update -->\n"
		end := "<!-- " + name + ": end -->"
		before, rest, ok1 := strings.Cut(want, start)
		_, after, ok2 := strings.Cut(rest, end)
		if !ok1 || !ok2 {
			t.Fatalf("%s has no place for %s", path, name)
		}
		want = before + start + text + end + after
	}
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if want != string(page) {
		t.Errorf("docs/training-data.md is not what is rendered: go test ./trajectories/mask -run GoldenDocs -update")
	}
}

// marked is the example with its marks, and how much of it is what.
func marked(t *testing.T) string {
	messages, specs := shown()
	r, err := template(t, mask.Training).Render(messages, specs)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	at := 0
	for _, s := range r.Trained() {
		b.WriteString(r.Text[at:s.Start] + "⟦" + r.Text[s.Start:s.End] + "⟧")
		at = s.End
	}
	b.WriteString(r.Text[at:])
	table := "| what | trained | characters |\n|---|---|---|\n"
	all, trained := 0, 0
	for _, s := range r.Shares(mask.Labels{}) {
		yes := "no"
		if s.Trained {
			yes, trained = "yes", trained+s.Characters
		}
		all += s.Characters
		table += fmt.Sprintf("| %s | %s | %d |\n", s.Kind, yes, s.Characters)
	}
	return "```\n" + strings.TrimRight(b.String(), "\n") + "\n```\n\n" + table + fmt.Sprintf("\n%d of %d characters are trained.\n", trained, all)
}

func templates() string {
	table := "| template | SHA-256 |\n|---|---|\n"
	for _, tpl := range mask.Templates() {
		table += fmt.Sprintf("| `%s` | `%s` |\n", tpl.Name, tpl.SHA256)
	}
	return table
}
