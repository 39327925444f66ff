// Package gold knows what users really took next. It makes tasks out of a log
// and keeps their answers, in a file of their own; it reads published tasks
// with their ground truth. It is a package apart so that the wall can be
// tested: nothing that an agent could touch imports it.
//
//	log of a user   a  b  c  d │ e        e: the last interaction, the true item
//	                           └ as_of    its time; everything visible is before it
//
//	Case ┬ Task  classic-7, user 7, as_of, candidates [q k e x ...]  -> tasks.jsonl
//	     └ Gold  classic-7, [e]                                     -> gold.jsonl
//
// [LeaveLastOut] is the protocol. The true item and the negatives beside it
// come from one pool, the items that had an interaction before as_of: were
// they drawn from all items, "does it exist yet" would give many answers away.
// What each scenario asks for is written in docs/tasks.md and in [Scenario].
//
// Everything is a function of the log, the configuration and the seed: the
// same three give the same bytes, and the draw of one task depends neither on
// the other tasks nor on anything that happened at or after its as_of, except
// on what its own user touched later, which is never a negative.
package gold

import (
	"fmt"
	"io"
	"slices"

	"github.com/mars-rec/mars/tasks"
)

// Gold is the answer to a task: the items that the user really took. The
// protocols here give exactly one.
type Gold struct {
	ID    string   `json:"id"` // of the task
	Items []string `json:"gold"`
}

// Has reports whether the item is a right answer.
func (g Gold) Has(item string) bool { return slices.Contains(g.Items, item) }

// Check reports what is wrong with the gold, if anything.
func (g Gold) Check() error {
	if g.ID == "" {
		return fmt.Errorf("gold has no id")
	}
	if len(g.Items) == 0 {
		return fmt.Errorf("gold %s has no item", g.ID)
	}
	for i, item := range g.Items {
		if item == "" || slices.Contains(g.Items[:i], item) {
			return fmt.Errorf("gold %s: item %q is empty or listed twice", g.ID, item)
		}
	}
	return nil
}

// Case is a task with its answer.
type Case struct {
	Task tasks.Task
	Gold Gold
}

// Check reports what is wrong with the case: with the task, with the gold, or
// between them; every right answer must be a candidate.
func (c Case) Check() error {
	if err := c.Task.Check(); err != nil {
		return err
	}
	if err := c.Gold.Check(); err != nil {
		return err
	}
	if c.Gold.ID != c.Task.ID {
		return fmt.Errorf("gold %s beside task %s", c.Gold.ID, c.Task.ID)
	}
	for _, item := range c.Gold.Items {
		if !slices.Contains(c.Task.Candidates, item) {
			return fmt.Errorf("task %s: the gold item %s is not a candidate", c.Task.ID, item)
		}
	}
	return nil
}

// ReadFile reads a gold file, by task id: lines, as [tasks.ReadLines] has them,
// each a [Gold] that passes [Gold.Check].
func ReadFile(path string) (map[string]Gold, error) {
	all, err := tasks.ReadLines(path, func(g Gold) string { return g.ID })
	if err != nil {
		return nil, fmt.Errorf("gold: %w", err)
	}
	byID := make(map[string]Gold, len(all))
	for _, g := range all {
		byID[g.ID] = g
	}
	return byID, nil
}

// Write writes one gold as a line.
func Write(w io.Writer, g Gold) error { return tasks.WriteLine(w, g) }
