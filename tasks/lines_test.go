package tasks_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tasks/taskstest"
)

func TestLine(t *testing.T) {
	for want, item := range map[string]tasks.Item{
		"Dune":                                  {Title: "Dune"},
		"Dune (1965)":                           {Title: "Dune", Year: 1965},
		"Dune (1984) | film":                    {Title: "Dune (1984)", Year: 1984, Categories: []string{"film"}},
		"Dune (1965) | by Frank Herbert | a, b": {Title: "Dune", Year: 1965, Creators: []string{"Frank Herbert"}, Categories: []string{"a", "b"}},
	} {
		if got := item.Line(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestLinesFollowTheLabels(t *testing.T) {
	source, task := taskstest.Hostile()
	view, err := source.View(task)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := view.Lines(t.Context())
	if err != nil || len(lines) != len(task.Candidates) {
		t.Fatalf("%d lines, %v", len(lines), err)
	}
	for i, line := range lines {
		if !strings.HasPrefix(line, tasks.Label(i)+" | ") || strings.ContainsAny(line, "<>\n[]") {
			t.Errorf("line %d is %q", i, line)
		}
	}
	other := task
	other.Candidates = slices.Clone(task.Candidates)
	slices.Reverse(other.Candidates)
	turned, err := tasks.NewView(other, view.Cut(), source.Catalog())
	if err != nil {
		t.Fatal(err)
	}
	back, err := turned.Lines(t.Context())
	if err != nil || back[0][3:] != lines[len(lines)-1][3:] {
		t.Errorf("the first of the turned list is %q, %v", back[0], err)
	}
}
