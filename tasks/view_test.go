package tasks

import (
	"strings"
	"testing"
	"time"
)

func TestTaskCheck(t *testing.T) {
	good := Task{ID: "t1", User: "u1", AsOf: time.Unix(1, 0), Candidates: []string{"a", "b"}}
	if err := good.Check(); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, want string
		visible    bool // the data can be looked at all the same
		spoil      func(*Task)
	}{
		{"no id", "no id", true, func(t *Task) { t.ID = "" }},
		{"no user", "no user", true, func(t *Task) { t.User = "" }},
		{"no candidates", "0 candidates", true, func(t *Task) { t.Candidates = nil }},
		{"one candidate", "1 candidates", true, func(t *Task) { t.Candidates = t.Candidates[:1] }},
		{"no moment", "no as_of", false, func(t *Task) { t.AsOf = time.Time{} }},
		{"twice", "listed twice", false, func(t *Task) { t.Candidates = []string{"a", "b", "a"} }},
		{"empty", "empty", false, func(t *Task) { t.Candidates = []string{"a", ""} }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			task := good
			tc.spoil(&task)
			if err := task.Check(); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("check: got %v, want %q", err, tc.want)
			}
			if err := task.visible(); (err == nil) != tc.visible {
				t.Errorf("visible: got %v", err)
			}
		})
	}
}
