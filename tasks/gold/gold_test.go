package gold

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/mars-rec/mars/tasks"
)

func TestGoldFileRoundTrip(t *testing.T) {
	want := map[string]Gold{
		"classic-1": {ID: "classic-1", Items: []string{"318"}},
		"classic-2": {ID: "classic-2", Items: []string{"a<b", "é"}},
	}
	var buf bytes.Buffer
	for _, id := range []string{"classic-1", "classic-2"} {
		if err := Write(&buf, want[id]); err != nil {
			t.Fatal(err)
		}
	}
	if text := `{"id":"classic-1","gold":["318"]}` + "\n" + `{"id":"classic-2","gold":["a<b","é"]}` + "\n"; buf.String() != text {
		t.Errorf("wrote %s, want %s", buf.String(), text)
	}
	path := filepath.Join(t.TempDir(), "gold.jsonl")
	if err := os.WriteFile(path, buf.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := ReadFile(path)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("read back %v, %v", got, err)
	}
}

func TestReadNamesTheLine(t *testing.T) {
	const good = `{"id":"a","gold":["x"]}` + "\n"
	for name, tc := range map[string]struct{ in, want string }{
		"a task":     {good + `{"id":"b","user":"u"}`, `line 2: unknown field "user"`},
		"twice":      {good + good, "gold.jsonl: line 2: a is on line 1 already"},
		"no item":    {`{"id":"a","gold":[]}`, "line 1: gold a has no item"},
		"item twice": {`{"id":"a","gold":["x","x"]}`, `line 1: gold a: item "x"`},
		"no id":      {`{"gold":["x"]}`, "line 1: gold has no id"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "gold.jsonl")
			if err := os.WriteFile(path, []byte(tc.in), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := ReadFile(path); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want %q", err, tc.want)
			}
		})
	}
}

func TestCaseCheck(t *testing.T) {
	task := tasks.Task{ID: "t", User: "u", AsOf: time.Unix(1, 0), Candidates: []string{"x", "y"}}
	for name, tc := range map[string]struct {
		c    Case
		want string
	}{
		"good":            {Case{task, Gold{"t", []string{"y"}}}, ""},
		"not a candidate": {Case{task, Gold{"t", []string{"z"}}}, "the gold item z is not a candidate"},
		"another id":      {Case{task, Gold{"s", []string{"y"}}}, "gold s beside task t"},
		"no gold":         {Case{Task: task}, "gold has no id"},
		"no task":         {Case{Gold: Gold{"t", []string{"y"}}}, "task has no id"},
	} {
		t.Run(name, func(t *testing.T) {
			err := tc.c.Check()
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("error %v, want %q", err, tc.want)
			}
		})
	}
}
