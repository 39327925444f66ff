package builtin

import (
	"fmt"
	"strings"

	"github.com/mars-rec/mars/message/phase"
)

// plan gives each role in the schema its subtask.
func plan(s *schema, text string) (phase.Plan, error) {
	roles, err := s.need("roles", "subtasks", "[]", "role")
	if err != nil {
		return phase.Plan{}, err
	}
	p := phase.Plan{Summary: fmt.Sprintf("Set the user's long-term and recent interest side by side, with evidence from other users, and see how %s fit. %s.",
		candidates(text), count(len(roles), "subtask"))}
	for _, role := range roles {
		p.Subtasks = append(p.Subtasks, subtask(role, candidates(text)))
	}
	return p, nil
}

// subtask is what a role should find out.
func subtask(role, candidates string) phase.Subtask {
	switch role {
	case "profile":
		return phase.Subtask{Role: role, Goal: "Describe the user's overall taste and habits, and how " + candidates + " stand in the catalog."}
	case "historical":
		return phase.Subtask{Role: role, Goal: "Find which of " + candidates + " go together with the user's whole history, by the items' common users and by the user's nearest users.", Collaborative: true}
	case "recent":
		return phase.Subtask{Role: role, Goal: "Find what the user's latest items are, and which of " + candidates + " go together with them.", Collaborative: true}
	case "divergence":
		return phase.Subtask{Role: role, Goal: "Find where the latest items depart from the long history, and which of " + candidates + " lie next to what is new."}
	}
	return phase.Subtask{Role: role, Goal: "Find what your tools show of the user and " + candidates + ".", Collaborative: true}
}

// candidates counts the lines of the candidate list.
func candidates(text string) string {
	n := 0
	for line := range strings.Lines(text) {
		if _, ok := candidate(line); ok {
			n++
		}
	}
	if n == 0 {
		return "the candidates"
	}
	return "the " + count(n, "candidate")
}

// candidate returns the label of a line of the candidate list.
func candidate(line string) (label string, ok bool) {
	label, _, ok = strings.Cut(line, " | ")
	return label, ok && len(label) > 1 && label[0] == 'c' && strings.Trim(label[1:], "0123456789") == ""
}

// count is a number and a noun.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
