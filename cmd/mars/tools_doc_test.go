package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mars-rec/mars/tasks/taskstest"
	"github.com/mars-rec/mars/tools"
)

var updateTools = flag.Bool("update", false, "write the golden files anew")

// toolExamples are the calls that docs/tools.md shows.
var toolExamples = []struct{ tool, args string }{
	{"item_cf", `{"item":"b29","k":3}`}, {"item_cf", `{"window":"last:3"}`}, {"user_cf", `{"k":3}`}, {"user_profile", `{}`},
	{"user_history", `{"last":2}`}, {"item_info", `{"item":"b01"}`}, {"candidate_stats", `{}`}, {"popularity", `{}`}, {"catalog_search", `{"query":"travel","limit":2}`},
}

// TestGoldenToolsDoc holds docs/tools.md to what the tools say and answer.
func TestGoldenToolsDoc(t *testing.T) {
	source, task := taskstest.Library()
	task.Candidates = task.Candidates[:6]
	view, err := source.View(task)
	if err != nil {
		t.Fatal(err)
	}
	set, err := tools.Open(view, toolbox("goodreads")...)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	b.WriteString(strings.TrimSpace(`
# Tools

What the agents can call, each with an example of its answer from the small world of `+"`tasks/taskstest`"+`. This page is written by a test (`+"`make golden`"+`) and cannot differ from the program. `+"`mars tool`"+` lists the same, and calls any of them by hand.

Every answer has its sentences under `+"`evidence`"+`, the numbers behind them beside it, and, where the candidates were asked about, `+"`rankings`"+`: every candidate, best first, as `+"`label:level=score`"+`; the level, 0 to 9, is the tenth of the way from the lowest score to the highest in which the score lies. Nothing in an answer is from the task's moment or later. A signal that rests on fewer than five users is called thin. The sentences of item_cf and user_cf are templates: `+"[tools/cf/sentences.tmpl](../tools/cf/sentences.tmpl)"+`.
`) + "\n")
	for _, spec := range set {
		s := spec.Spec()
		b.WriteString("\n## " + s.Name + "\n\n```\n")
		if err := writeSpec(&b, s); err != nil {
			t.Fatal(err)
		}
		b.WriteString("```\n")
		shown := 0
		for _, e := range toolExamples {
			if e.tool != s.Name {
				continue
			}
			shown++
			value, err := spec.Call(t.Context(), json.RawMessage(e.args))
			if err != nil {
				t.Fatal(err)
			}
			var pretty bytes.Buffer
			if err := json.Indent(&pretty, value, "", " "); err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&b, "\n`%s`\n\n```json\n%s\n```\n", e.args, pretty.String())
		}
		if shown == 0 {
			t.Errorf("no example of %s", s.Name)
		}
	}
	path := filepath.Join("..", "..", "docs", "tools.md")
	if *updateTools {
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, b.Bytes()) {
		t.Errorf("docs/tools.md is not what the tools say, %v: go test ./cmd/mars -run GoldenToolsDoc -update", err)
	}
}
