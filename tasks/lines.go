package tasks

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Lines returns the candidates as every agent is shown them, one a line in the
// order of their labels:
//
//	c01 | Dune (1965) | by Frank Herbert | science fiction
//
// The teacher's prompts, the training rows and whoever serves the student take
// them from here, so that all print the same bytes.
func (v View) Lines(ctx context.Context) ([]string, error) {
	v.shown.mu.Lock()
	defer v.shown.mu.Unlock()
	if v.shown.lines != nil {
		return slices.Clone(v.shown.lines), nil
	}
	lines := make([]string, len(v.task.Candidates))
	for i, id := range v.task.Candidates {
		item, err := v.Item(ctx, id)
		if err != nil {
			return nil, err
		}
		lines[i] = Label(i) + " | " + item.Line()
	}
	v.shown.lines = lines
	return slices.Clone(lines), nil
}

// shown keeps the lines of a view: every member of a team asks for them.
type shown struct {
	mu    sync.Mutex
	lines []string
}

// Line names the item in one line: title, year, who made it, categories.
func (item Item) Line() string {
	text := item.Title
	if item.Year != 0 {
		if year := "(" + strconv.Itoa(item.Year) + ")"; !strings.Contains(text, year) {
			text += " " + year
		}
	}
	if len(item.Creators) > 0 {
		text += " | by " + strings.Join(item.Creators, ", ")
	}
	if len(item.Categories) > 0 {
		text += " | " + strings.Join(item.Categories, ", ")
	}
	return text
}
