package roles

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/mars-rec/mars/message/phase"
	"github.com/mars-rec/mars/tasks"
)

// texts are for questions while they are written; most have some 10 KB.
var texts = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// question writes what a role is asked: the task with its candidates (first,
// and the same for all roles, so that a provider can cache it), then what the
// role hears, then its goal.
func (r role) question(ctx context.Context, b phase.Brief, extra string) (string, error) {
	w := texts.Get().(*bytes.Buffer)
	defer texts.Put(w)
	w.Reset()
	if err := writeTask(ctx, w, r.view); err != nil {
		return "", err
	}
	if b.Plan != nil && r.seat.Kind != "analyst" {
		fmt.Fprintf(w, "\n## Plan\n%s\n", phase.CleanReply(b.Plan.Summary))
		for _, s := range b.Plan.Subtasks {
			fmt.Fprintf(w, "- %s: %s\n", s.Role, phase.CleanReply(s.Goal))
		}
	}
	var evidence []phase.Evidence // of all analyses, each signal once
	for _, a := range b.Analyses {
		fmt.Fprintf(w, "\n## Analysis of %s\n%s\n", a.Role, phase.CleanReply(a.Summary))
		for _, c := range a.Claims {
			fmt.Fprintf(w, "- %s\n", phase.CleanReply(c))
		}
		evidence = mergeEvidence(evidence, a.Evidence)
	}
	if len(evidence) > 0 {
		w.WriteByte('\n')
		w.WriteString(phase.WriteEvidence(evidence))
	}
	if b.Reflection != nil {
		fmt.Fprintf(w, "\n## Reflection: %s\n", b.Reflection.Verdict)
		for _, issue := range b.Reflection.Issues {
			fmt.Fprintf(w, "- %s\n", phase.CleanReply(issue))
		}
	}
	if extra != "" {
		w.WriteByte('\n')
		w.WriteString(extra)
	}
	if b.Goal != "" {
		fmt.Fprintf(w, "\n## Your subtask\n%s\n", phase.CleanReply(b.Goal))
	}
	if b.Round > 0 && r.seat.Kind == "analyst" {
		w.WriteString("Your first analysis was sent back for this. What its evidence measured is kept.\n")
	}
	return w.String(), nil
}

// writeTask writes the part of a prompt that all roles share.
func writeTask(ctx context.Context, w *bytes.Buffer, view tasks.View) error {
	task := view.Task()
	fmt.Fprintf(w, "## Task\nRank the candidates by how likely user %s is to take each next.\nAs of: %s\n",
		phase.Clean(task.User), task.AsOf.UTC().Format(time.RFC3339))
	w.WriteString("\n## Candidates\n")
	lines, err := view.Lines(ctx)
	if err != nil {
		return err
	}
	for _, line := range lines {
		w.WriteString(line)
		w.WriteByte('\n')
	}
	return nil
}

// listed writes a list of names in one line.
func listed(what string, names []string) string {
	return what + ": " + strings.Join(names, ", ") + "\n"
}
