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
		line, err := v.Line(ctx, id)
		if err != nil {
			return nil, err
		}
		lines[i] = Label(i) + " | " + line
	}
	v.shown.lines = lines
	return slices.Clone(lines), nil
}

// Line names an item in one line, as [Item.Line] does, its texts made inert.
func (v View) Line(ctx context.Context, id string) (string, error) {
	keeper, _ := v.catalog.(LineKeeper)
	if keeper != nil {
		if line, ok := keeper.KeptLine(id); ok {
			return line, nil
		}
	}
	item, err := v.Item(ctx, id)
	if err != nil {
		return "", err
	}
	line := item.Line()
	if keeper != nil {
		keeper.KeepLine(id, line)
	}
	return line, nil
}

// LineKeeper is an ability of a [Catalog] whose items do not change while it is
// open: it keeps the lines that views made of them, so that one is made once and
// not again for every task. It may forget any.
type LineKeeper interface {
	KeptLine(id string) (line string, ok bool)
	KeepLine(id, line string)
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
