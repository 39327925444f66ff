package phase

import (
	"strings"

	"github.com/mars-rec/mars/message"
)

// Write puts a body into the language of a trajectory: the phase's tag with
// readable text in it, or "" for a body that is none of the four phases.
//
//	<analysis role="recent">
//	Space opera, mostly by one author.
//	- c03 is by the author of the last three books
//	</analysis>
//
//	<recommend>["c03", "c11", "c01"]</recommend>
//
// What [ParsePlan] and its kin returned reads back the same, but for two
// things that the language leaves out: the evidence of an analysis, which
// stands in the answers of the tools, and the justification of a
// recommendation. Texts are made inert, whoever made the body.
func Write(b message.Body) string {
	var w strings.Builder
	switch b := b.(type) {
	case Plan:
		w.WriteString("<plan>\n" + line(b.Summary))
		writeSubtasks(&w, b.Subtasks)
		w.WriteString("</plan>")
	case Analysis:
		w.WriteString(`<analysis role="` + strings.ReplaceAll(oneLine(b.Role), `"`, "'") + "\">\n" + line(b.Summary))
		writeItems(&w, b.Claims)
		w.WriteString("</analysis>")
	case Reflection:
		w.WriteString("<reflection>\n" + verdictHead + line(string(b.Verdict)))
		if len(b.Issues) > 0 {
			w.WriteString(issuesHead + "\n")
			writeItems(&w, b.Issues)
		}
		if len(b.Subtasks) > 0 {
			w.WriteString(subtasksHead + "\n")
			writeSubtasks(&w, b.Subtasks)
		}
		w.WriteString("</reflection>")
	case Recommend:
		w.WriteString("<recommend>[")
		for i, label := range b.Ranking {
			if i > 0 {
				w.WriteString(", ")
			}
			w.Write(text(oneLine(label)))
		}
		w.WriteString("]</recommend>")
	}
	return w.String()
}

func oneLine(s string) string { return field(s, 0, &notes{}) }

func line(s string) string { return oneLine(s) + "\n" }

func writeItems(w *strings.Builder, items []string) {
	for _, s := range items {
		w.WriteString("- " + line(s))
	}
}

func writeSubtasks(w *strings.Builder, subtasks []Subtask) {
	for _, s := range subtasks {
		mark := ""
		if s.Collaborative {
			mark = together
		}
		w.WriteString("- " + oneLine(s.Role) + mark + ": " + line(s.Goal))
	}
}
