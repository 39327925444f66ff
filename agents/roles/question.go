package roles

import (
	"bytes"
	"context"
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
		write(w, "\n## Plan\n", phase.CleanReply(b.Plan.Summary), "\n")
		for _, s := range b.Plan.Subtasks {
			write(w, "- ", s.Role, ": ", phase.CleanReply(s.Goal), "\n")
		}
	}
	var evidence []phase.Evidence // of all analyses, each signal once
	for _, a := range b.Analyses {
		write(w, "\n## Analysis of ", a.Role, "\n", phase.CleanReply(a.Summary), "\n")
		for _, c := range a.Claims {
			write(w, "- ", phase.CleanReply(c), "\n")
		}
		evidence = mergeEvidence(evidence, a.Evidence)
	}
	if len(evidence) > 0 {
		write(w, "\n", phase.WriteEvidence(evidence))
	}
	if b.Reflection != nil {
		write(w, "\n## Reflection: ", string(b.Reflection.Verdict), "\n")
		for _, issue := range b.Reflection.Issues {
			write(w, "- ", phase.CleanReply(issue), "\n")
		}
	}
	if extra != "" {
		write(w, "\n", extra)
	}
	if b.Goal != "" {
		write(w, "\n## Your subtask\n", phase.CleanReply(b.Goal), "\n")
	}
	if b.Round > 0 && r.seat.Kind == "analyst" {
		w.WriteString("Your first analysis was sent back for this. What its evidence measured is kept.\n")
	}
	return w.String(), nil
}

// writeTask writes the part of a prompt that all roles share.
func writeTask(ctx context.Context, w *bytes.Buffer, view tasks.View) error {
	task := view.Task()
	write(w, "## Task\nRank the candidates by how likely user ", phase.Clean(task.User), " is to take each next.\n",
		"As of: ", task.AsOf.UTC().Format(time.RFC3339), "\n\n## Candidates\n")
	lines, err := view.Lines(ctx)
	if err != nil {
		return err
	}
	for _, line := range lines {
		write(w, line, "\n")
	}
	return nil
}

func write(w *bytes.Buffer, texts ...string) {
	for _, text := range texts {
		w.WriteString(text)
	}
}

// listed writes a list of names in one line.
func listed(what string, names []string) string {
	return what + ": " + strings.Join(names, ", ") + "\n"
}
