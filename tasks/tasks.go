// Package tasks says what is asked of a recommender, and what it may see.
//
// A [Task] is one user, one moment and a list of candidates to rank. A [View]
// is the data as of that moment: the only door through which agents and tools
// reach the data. What the user really took next (the gold) is in package
// gold, which nothing that an agent could touch imports.
//
//	data set ──Source──> View(task) ──> tools, agents
//	             │
//	             └─ cut strictly before Task.AsOf, texts made inert
package tasks

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/mars-rec/mars/message"
)

// Task asks for a ranking of candidates for a user at a moment.
type Task struct {
	ID         string    `json:"id"`
	Dataset    string    `json:"dataset"`
	User       string    `json:"user"`
	Scenario   string    `json:"scenario"`
	AsOf       time.Time `json:"as_of"`      // UTC; only what happened strictly before it is visible
	Candidates []string  `json:"candidates"` // item ids, distinct, in the order in which they are shown
}

// Kind implements [message.Body]: the message that starts a run.
func (Task) Kind() message.Kind { return "task" }

// Label returns the name under which the ith candidate (from 0) is shown to a
// model: c01, c02, ...
func Label(i int) string {
	if i < 9 {
		return "c0" + strconv.Itoa(i+1)
	}
	return "c" + strconv.Itoa(i+1)
}

// Labels returns the labels of the task's candidates, in order.
func (t Task) Labels() []string {
	labels := make([]string, len(t.Candidates))
	for i := range labels {
		labels[i] = Label(i)
	}
	return labels
}

// Label returns the label of an item, and whether it is a candidate.
func (t Task) Label(item string) (string, bool) {
	for i, c := range t.Candidates {
		if c == item {
			return Label(i), true
		}
	}
	return "", false
}

// Item returns the item behind a label, and whether there is one.
func (t Task) Item(label string) (string, bool) {
	number, ok := strings.CutPrefix(label, "c")
	if n, err := strconv.Atoi(number); ok && err == nil && n >= 1 && n <= len(t.Candidates) && Label(n-1) == label {
		return t.Candidates[n-1], true
	}
	return "", false
}

// Check reports what keeps the task from being run, if anything.
func (t Task) Check() error {
	switch {
	case t.ID == "":
		return fmt.Errorf("task has no id")
	case t.User == "":
		return fmt.Errorf("task %s has no user", t.ID)
	case len(t.Candidates) < 2:
		return fmt.Errorf("task %s has %d candidates: want at least 2", t.ID, len(t.Candidates))
	}
	return t.visible()
}

// visible reports what keeps the task from being viewed, if anything.
func (t Task) visible() error {
	if t.AsOf.IsZero() {
		return fmt.Errorf("task %s has no as_of", t.ID)
	}
	seen := make(map[string]bool, len(t.Candidates))
	for _, c := range t.Candidates {
		if c == "" || seen[c] {
			return fmt.Errorf("task %s: candidate %q is empty or listed twice", t.ID, c)
		}
		seen[c] = true
	}
	return nil
}
