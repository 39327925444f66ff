package gold

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// folder writes files, by name.
func folder(t *testing.T, files map[string]string) string {
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestAgentSociety(t *testing.T) {
	const head = `{"type": "recommendation", "candidate_category": "book", "loc": [-1, -1], `
	taskDir := folder(t, map[string]string{
		"task_0.json":  head + `"user_id": "me", "candidate_list": ["i15", "i02", "i03"]}`,
		"task_2.json":  head + `"user_id": "me", "candidate_list": ["i01", "x", "i02", "x", "x"]}`,
		"task_10.json": head + `"user_id": "nobody", "candidate_list": [7, "8"]}`,
		"task_3.json":  `{"type": "user_behavior_simulation", "user_id": "me", "item_id": "i01"}`,
		"task_4.json":  head + `"user_id": "me", "candidate_list": ["i02", "i03"]}`,
		"task_5.json":  head + `"user_id": "me", "candidate_list": ["i02", "i03"]}`,
		"readme.txt":   "not a task",
	})
	truthDir := folder(t, map[string]string{
		"groundtruth_0.json":  `{"ground truth": "i15"}`,
		"groundtruth_2.json":  `{"ground truth": "x"}`,
		"groundtruth_10.json": `{"ground truth": 7}`,
		"groundtruth_3.json":  `{"stars": 4, "review": "fine"}`,
		"groundtruth_5.json":  `{"ground truth": "i04"}`,
		"groundtruth_99.json": `{"ground truth": "i04"}`,
	})
	g := crowd().graph(t)
	set, err := AgentSociety("books", g, "agentsociety", taskDir, truthDir)
	if err != nil {
		t.Fatal(err)
	}
	type row struct {
		id, gold   string
		candidates string
		asOf       time.Time
	}
	var got []row
	for _, c := range set.Cases {
		if err := c.Check(); err != nil {
			t.Error(err)
		}
		got = append(got, row{c.Task.ID, c.Gold.Items[0], strings.Join(c.Task.Candidates, " "), c.Task.AsOf})
	}
	want := []row{
		{"agentsociety-0", "i15", "i15 i02 i03", time.Unix(epoch+105, 0).UTC()}, // the data hold it
		{"agentsociety-2", "x", "i01 x i02", time.Unix(epoch+106, 0).UTC()},     // they do not: all is visible
		{"agentsociety-10", "7", "7 8", time.Unix(epoch+106, 0).UTC()},
	}
	if !slices.Equal(got, want) {
		t.Errorf("cases\n%v\nwant\n%v", got, want)
	}
	if skipped := map[string]int{`task of type "user_behavior_simulation"`: 1, "no ground truth": 1, "true item is not a candidate": 1}; !maps.Equal(set.Counts.Skipped, skipped) {
		t.Errorf("skipped %v, want %v", set.Counts.Skipped, skipped)
	}
	notes := []string{
		"task_0.json: the true interaction is in the data: as_of is its time",
		"task_2.json: candidate x is listed twice: the first place stays",
		"task_2.json: candidate x is listed twice: the first place stays",
		"task_2.json: the user has had candidates before as_of: i01",
		"task_10.json: user nobody is not in the data",
		"groundtruth_99.json has no task",
	}
	if !slices.Equal(set.Notes, notes) {
		t.Errorf("notes\n%s\nwant\n%s", strings.Join(set.Notes, "\n"), strings.Join(notes, "\n"))
	}
}

func TestAgentSocietyNamesWhatIsWrong(t *testing.T) {
	g := crowd().graph(t)
	for name, tc := range map[string]struct{ task, truth, want string }{
		"cut off":       {`{"type": "recomm`, `{}`, "task_1.json: unexpected end of JSON input"},
		"no user":       {`{"type": "recommendation", "candidate_list": ["a", "b"]}`, `{"ground truth": "a"}`, "task_1.json: task agentsociety-1 has no user"},
		"empty id":      {`{"type": "recommendation", "user_id": "", "candidate_list": []}`, `{}`, `id "": want 1 to 200 bytes`},
		"control":       {`{"type": "recommendation", "user_id": "a\u001bb", "candidate_list": []}`, `{}`, "without control characters"},
		"a list":        {`{"type": "recommendation", "user_id": ["u"]}`, `{}`, "want an id"},
		"null":          {`{"type": "recommendation", "user_id": null}`, `{}`, "want an id"},
		"a fraction":    {`{"type": "recommendation", "user_id": 1.5}`, `{}`, "want an id"},
		"one candidate": {`{"type": "recommendation", "user_id": "me", "candidate_list": ["a"]}`, `{"ground truth": "a"}`, "has 1 candidates"},
		"bad truth":     {`{"type": "recommendation", "user_id": "me", "candidate_list": ["a", "b"]}`, "\xff", "groundtruth_1.json: not UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := AgentSociety("d", g, "x", folder(t, map[string]string{"task_1.json": tc.task}), folder(t, map[string]string{"groundtruth_1.json": tc.truth}))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want %q", err, tc.want)
			}
		})
	}
	if _, err := AgentSociety("d", g, "x", t.TempDir(), t.TempDir()); err == nil || !strings.Contains(err.Error(), "no file task_N.json") {
		t.Errorf("an empty folder: %v", err)
	}
}

func FuzzForeignID(f *testing.F) {
	for _, seed := range []string{`"a"`, `7`, `null`, `1e9`, `"\u0000"`, `["a"]`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		var id foreignID
		if json.Unmarshal(in, &id) == nil && (id == "" || len(id) > 200 || strings.ContainsAny(string(id), "\x00\x1b\n")) {
			if string(bytes.TrimSpace(in)) != "null" { // encoding/json never asks about null at the top
				t.Errorf("%q was read as %q", in, id)
			}
		}
	})
}
