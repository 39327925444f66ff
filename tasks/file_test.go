package tasks

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestTaskFileRoundTrip(t *testing.T) {
	want := []Task{
		{ID: "classic-1", Dataset: "ml", User: "1", Scenario: "classic",
			AsOf: time.Date(2018, 9, 20, 12, 0, 0, 0, time.UTC), Candidates: []string{"318", "2"}},
		{ID: "classic-é", Dataset: "ml", User: "é", Scenario: "classic",
			AsOf: time.Date(1970, 1, 1, 0, 0, 1, 0, time.UTC), Candidates: []string{"<a>", "b&c", "d"}},
	}
	var buf bytes.Buffer
	for _, task := range want {
		if err := Write(&buf, task); err != nil {
			t.Fatal(err)
		}
	}
	first, _, _ := strings.Cut(buf.String(), "\n")
	if line := `{"id":"classic-1","dataset":"ml","user":"1","scenario":"classic","as_of":"2018-09-20T12:00:00Z","candidates":["318","2"]}`; first != line {
		t.Errorf("first line\n got %s\nwant %s", first, line)
	}
	path := filepath.Join(t.TempDir(), "tasks.jsonl")
	if err := os.WriteFile(path, buf.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := ReadFile(path)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("read back %v, %v, want %v", got, err, want)
	}
}

func TestWriteCutsTheMomentToSecondsInUTC(t *testing.T) {
	zone := time.FixedZone("east", 3600)
	var buf bytes.Buffer
	err := Write(&buf, Task{ID: "t", AsOf: time.Date(2020, 1, 1, 1, 0, 0, 999, zone)})
	if err != nil || !strings.Contains(buf.String(), `"as_of":"2020-01-01T00:00:00Z"`) {
		t.Errorf("wrote %q, %v", buf.String(), err)
	}
}

func TestReadNamesTheLine(t *testing.T) {
	const good = `{"id":"a","dataset":"d","user":"u","scenario":"classic","as_of":"2018-01-01T00:00:00Z","candidates":["x","y"]}` + "\n"
	for name, tc := range map[string]struct{ in, want string }{
		"unknown field":    {good + `{"id":"b","gold":["x"]}`, `line 2: unknown field "gold"`},
		"cut off":          {good + `{"id":"b","data`, "line 2: the JSON object is cut off"},
		"not JSON":         {"userId,movieId\n", "line 1: invalid character"},
		"empty line":       {good + "\n" + good, "line 2: empty"},
		"two values":       {strings.TrimSpace(good) + good, "line 1: more than one JSON value"},
		"twice":            {good + good, "line 2: a is on line 1 already"},
		"one candidate":    {`{"id":"a","user":"u","as_of":"2018-01-01T00:00:00Z","candidates":["x"]}`, "line 1: task a has 1 candidates"},
		"candidate twice":  {strings.Replace(good, `"y"`, `"x"`, 1), `line 1: task a: candidate "x"`},
		"no moment":        {`{"id":"a","user":"u","candidates":["x","y"]}`, "line 1: task a has no as_of"},
		"bad moment":       {strings.Replace(good, "T00:00:00Z", "", 1), "line 1: parsing time"},
		"not UTF-8":        {strings.Replace(good, `"x"`, "\"\xff\"", 1), "line 1: not UTF-8"},
		"too long":         {good + strings.Repeat(" ", maxLine+1), "line 2: longer than"},
		"number for an id": {strings.Replace(good, `"id":"a"`, `"id":7`, 1), "line 1: cannot unmarshal number"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := readLines(strings.NewReader(tc.in), taskID); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want %q", err, tc.want)
			}
		})
	}
}

func TestReadFileNamesTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "empty.jsonl")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadFile(path); err == nil || !strings.Contains(err.Error(), "empty.jsonl: empty") {
		t.Errorf("empty file: %v", err)
	}
	if _, err := ReadFile(path + "x"); err == nil {
		t.Error("a missing file was read")
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"id":"a","user":"u","as_of":"2018-01-01T00:00:00Z","candidates":["x","y"]}`))
	f.Add([]byte("{}\n{}"))
	f.Fuzz(func(t *testing.T, in []byte) {
		all, err := readLines(bytes.NewReader(in), taskID)
		if err != nil {
			return
		}
		var buf bytes.Buffer
		for _, task := range all {
			if err := task.Check(); err != nil {
				t.Fatalf("accepted a bad task: %v", err)
			}
			if err := Write(&buf, task); err != nil {
				t.Fatalf("cannot write what was read: %v", err)
			}
		}
		if again, err := readLines(&buf, taskID); err != nil || len(again) != len(all) {
			t.Fatalf("of %d tasks, %d were read again: %v", len(all), len(again), err)
		}
	})
}

// A byte order mark, as some editors put it, is no part of the first line.
func TestByteOrderMark(t *testing.T) {
	line := `{"id":"a","dataset":"d","user":"u","scenario":"s","as_of":"2020-01-01T00:00:00Z","candidates":["x","y"]}` + "\n"
	path := filepath.Join(t.TempDir(), "tasks.jsonl")
	if err := os.WriteFile(path, []byte("\xef\xbb\xbf"+line), 0o600); err != nil {
		t.Fatal(err)
	}
	if list, err := ReadFile(path); err != nil || len(list) != 1 {
		t.Errorf("%v, %v", list, err)
	}
	if err := os.WriteFile(path, []byte(line+"\xef\xbb\xbf"+line), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadFile(path); err == nil {
		t.Error("a mark in the midst of a file is taken")
	}
}
