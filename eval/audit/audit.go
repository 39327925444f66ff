// Package audit looks for leaks: for anything that a recommender saw and could
// not have known, and for anything that tells which candidate is the right one.
// It audits a task file ([Tasks]), a run store ([Runs]) or an export directory
// ([Export]), and says what it found as a [Report].
//
//	tasks.jsonl ─┐    ┌─ recipe, form, candidates, twins, order ─────┐
//	run.db ──────┼──>─┼─ past, gold, marks, bias, text ───────────────┼─> Report
//	sft/ ────────┘    └─ files, rows, gold, masks, text, overlap ──────┘    │
//	                                                                 findings: check, case,
//	                                                                 place, bytes
//
// # What is proven, and how
//
// A run is a function of the facts that came from outside (a model's replies)
// and of the data that the team was shown. So the audit lets the team answer
// each task again, with the recorded replies, on a data set that ends before the
// task's moment: it is built of the interactions strictly before it, and of no
// others, and gives out no later review. If every message is the same, byte for
// byte, then all that was said can be derived without the future, whatever else
// the program had in its hands: a degree of the whole log, an event of the very
// second, an item that nobody had yet would all make another byte. A message
// that differs is a finding, with its place and the first bytes that differ.
//
// What a model knows of itself is not in reach of this proof, and neither are
// the item records of the catalog, which have no date. docs/audit.md says more.
//
// # Errors and warnings
//
// An [Error] is a leak, or something that makes results worthless: with one the
// target does not pass. A [Warning] is what a reader of results should know, and
// what chance, the data or a published protocol may well bring about.
//
// What an audit keeps in memory grows with the users and the tasks, by their
// ids, and with the interaction log; runs and rows are read one by one, and of
// each check a bounded number of findings is kept and the rest counted.
package audit

import (
	"fmt"
	"strings"

	"github.com/mars-rec/mars/message"
)

// Severity says how bad a finding is.
type Severity string

// The severities.
const (
	Error   Severity = "error"   // the target does not pass
	Warning Severity = "warning" // the target passes; results need this beside them
)

// Finding is one thing that is wrong, and where it is.
type Finding struct {
	Check    string   `json:"check"` // name of the check, as [Check] has it
	Severity Severity `json:"severity"`
	Case     string   `json:"case,omitempty"` // id of the task; of a fork, of the run; "": all of them
	Place    Place    `json:"place,omitzero"`
	What     string   `json:"what"`            // in one sentence
	Bytes    string   `json:"bytes,omitempty"` // that stand there, cut around the offset
	Want     string   `json:"want,omitempty"`  // that should stand there, where that is known
}

// Place is where a finding is. What does not apply is zero.
type Place struct {
	File    string     `json:"file,omitempty"`
	Line    int        `json:"line,omitempty"`    // from 1
	Row     int        `json:"row,omitempty"`     // of a file of rows, from 1
	Message message.ID `json:"message,omitempty"` // path ID in the run's log
	Part    string     `json:"part,omitempty"`    // of the line, the row or the message: candidates, messages.3.content
	Offset  *int       `json:"offset,omitempty"`  // in bytes, from 0, in that part
}

// at returns the place with an offset.
func (p Place) at(offset int) Place {
	p.Offset = &offset
	return p
}

// String writes the place in one line, from the outside to the inside.
func (p Place) String() string {
	var parts []string
	add := func(form string, v any, there bool) {
		if there {
			parts = append(parts, fmt.Sprintf(form, v))
		}
	}
	add("%s", p.File, p.File != "")
	add("line %d", p.Line, p.Line > 0)
	add("row %d", p.Row, p.Row > 0)
	add("message %s", p.Message, p.Message != "")
	add("%s", p.Part, p.Part != "")
	if p.Offset != nil {
		add("byte %d", *p.Offset, true)
	}
	return strings.Join(parts, ", ")
}

// excerpt returns a little of b around the offset at, as it stands.
func excerpt(b string, at int) string {
	const before, after = 24, 72
	from, to := max(0, min(at, len(b))-before), min(len(b), at+after)
	s := strings.ToValidUTF8(b[from:to], "\uFFFD")
	if from > 0 {
		s = "…" + s
	}
	if to < len(b) {
		s += "…"
	}
	return s
}

// parting returns the number of leading bytes that a and b share.
func parting(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}
