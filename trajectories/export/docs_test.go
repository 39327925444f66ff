package export_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/trajectories"
	"github.com/mars-rec/mars/trajectories/export"
)

// about says of each consumer what one has to know of its rows.
var about = map[string]string{
	export.TRLSFT:       "`assistant_only_loss` marks the assistant's messages; the template writes the tags of calls.",
	export.TRLGRPO:      "Nothing of the row is trained: the student writes its own answers, and those are. `task_index` counts the rows; the environment knows a task by `task_id`.",
	export.VerlSFT:      "Parquet; shown is the row as it is read back, with the nulls that columns bring. `mars_sft.py` beside it drops those and reads the tools.",
	export.VerlRL:       "Parquet. Nothing of the row is trained; what tools answer is masked by verl's tool agent.",
	export.LLaMAFactory: "The `gpt` and `function_call` turns are trained; the template splits the list of calls. Several answers are one `observation`.",
	export.Swift:        "OpenAI's messages; answers are put in the order of the calls' ids.",
	export.Axolotl:      "The row of `trl-sft`, with `roles_to_train: [assistant]` and `train_on_eos: turn`.",
	export.OpenAI:       "No other columns are allowed. `weight` is left out: all messages of the assistant are trained.",
	export.Text:         "No chat template. `trained` are the stretches, in characters.",
}

// TestGoldenRowsInDocs holds the rows in docs/training-data.md to what is
// written.
func TestGoldenRowsInDocs(t *testing.T) {
	var b strings.Builder
	for _, name := range export.Names() {
		formats := export.Formats(name)
		row := as(t, name, formats[0], run("t1", short))
		if formats[0] == export.Parquet {
			_, row, _ = bytes.Cut(columns(t, row), []byte("\n}\n"))
		}
		var pretty bytes.Buffer
		if err := json.Indent(&pretty, bytes.TrimSpace(row), "", " "); err != nil {
			t.Fatal(name, err)
		}
		b.WriteString("### " + name + "\n\n" + about[name] + "\n\n```json\n" + mark(t, name, pretty.String()) + "\n```\n\n")
	}
	path := filepath.Join("..", "..", "docs", "training-data.md")
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const start, end = "<!-- rows: written by go test ./trajectories/export -run GoldenRows -update -->\n", "<!-- rows: end -->"
	before, rest, ok := strings.Cut(string(page), start)
	_, after, ended := strings.Cut(rest, end)
	if !ok || !ended {
		t.Fatalf("%s has no place for the rows", path)
	}
	want := before + start + b.String() + end + after
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if want != string(page) {
		t.Errorf("docs/training-data.md does not show what is written: go test ./trajectories/export -run GoldenRows -update")
	}
}

// short is a tool's answer that fits on a line.
const short = `{"evidence":["2 users also have c02 \"Emma\"."],"rankings":[{"tool":"item_cf","signal":"item_cf","ranking":["c02:9=0.5","c01:4=0.1","c03:0=0"]}]}`

// mark sets what is trained of a row between ⟦ and ⟧, and leaves out most of
// the system message.
func mark(t *testing.T, name, row string) string {
	messages, err := trajectories.Serialize(run("t1", short), trajectories.Linear{})
	if err != nil {
		t.Fatal(err)
	}
	quoted := func(s string) string {
		b, err := message.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		return string(b[1 : len(b)-1])
	}
	set := func(text string) {
		if !strings.Contains(row, text) {
			t.Fatalf("%s: %q is not in the row:\n%s", name, text, row)
		}
		row = strings.Replace(row, text, "⟦"+text+"⟧", 1)
	}
	system := quoted(messages[0].Content)
	row = strings.Replace(row, system, system[:strings.Index(system, ":")]+" …", 1)
	switch name {
	case export.TRLGRPO, export.VerlRL:
		return row
	case export.Text:
		text, spans := trajectories.Plain(messages)
		for _, s := range spans {
			set(quoted(string([]rune(text)[s[0]:s[1]])))
		}
		return row
	}
	for _, m := range messages {
		if m.Role != model.Assistant {
			continue
		}
		said := quoted(m.Content)
		if name == export.LLaMAFactory && len(m.ToolCalls) > 0 {
			said = row[strings.Index(row, said):]
			said = said[:strings.Index(said, "</tool_call>")+len("</tool_call>")]
		}
		set(said)
		if name == export.LLaMAFactory {
			continue
		}
		for _, c := range m.ToolCalls {
			set(quoted(c.Arguments))
			set(`"name": "` + c.Name + `"`)
		}
	}
	return row
}
