package phase

import (
	"errors"
	"fmt"
	"strings"
)

// The text in a phase's tag, as [Write] makes it: a first line, then items. An
// item may run over several lines; empty lines say nothing.
//
//	<plan>
//	What to find out.
//	- recent (collaborative): what the last ten items have in common
//	- profile: how this user rates
//	</plan>

const together = " (collaborative)"

// lines splits the text of a tag into its first lines, joined, and its items.
func lines(text string) (head string, items []string) {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if item, ok := strings.CutPrefix(line, "- "); ok {
			items = append(items, item)
		} else if line != "" && len(items) > 0 {
			items[len(items)-1] += " " + line
		} else if line != "" {
			head = strings.TrimSpace(head + " " + line)
		}
	}
	return head, items
}

func planText(p piece, roles []string, n *notes) (Plan, error) {
	head, items := lines(p.text)
	subtasks, err := subtaskItems(items, roles, p, n)
	if err != nil {
		return Plan{}, err
	}
	plan := Plan{Summary: field(head, p.at, n), Subtasks: subtasks}
	if plan.Summary == "" {
		return Plan{}, errors.New("<plan> lacks its summary: put it on the first line")
	}
	return plan, plan.check()
}

func subtaskItems(items, roles []string, p piece, n *notes) ([]Subtask, error) {
	if len(items) > maxItems {
		return nil, fmt.Errorf("there are %d subtasks: at most %d", len(items), maxItems)
	}
	var all []Subtask
	for i, item := range items {
		who, goal, ok := strings.Cut(item, ": ")
		role, collaborative := strings.CutSuffix(who, together)
		s := Subtask{Role: role, Goal: field(goal, p.at, n), Collaborative: collaborative}
		if !ok || s.Goal == "" {
			return nil, fmt.Errorf("subtask %d is %s: want role, colon and goal", i+1, quote(item))
		}
		if err := knownRole(role, roles); err != nil {
			return nil, fmt.Errorf("subtask %d: %w", i+1, err)
		}
		all = append(all, s)
	}
	return all, nil
}

func analysisText(p piece, role string, n *notes) (Analysis, error) {
	head, items := lines(p.text)
	a := Analysis{Role: role, Summary: field(head, p.at, n)}
	if a.Summary == "" {
		return a, errors.New("<analysis> lacks its summary: put it on the first line")
	}
	var err error
	a.Claims, err = textItems(items, p, n)
	return a, err
}

func textItems(items []string, p piece, n *notes) ([]string, error) {
	if len(items) > maxItems {
		return nil, fmt.Errorf("there are %d items: at most %d", len(items), maxItems)
	}
	all := []string{}
	for i, item := range items {
		s := field(item, p.at, n)
		if s == "" {
			return nil, fmt.Errorf("item %d is empty", i+1)
		}
		all = append(all, s)
	}
	return all, nil
}

const verdictHead, issuesHead, subtasksHead = "Verdict: ", "Issues:", "Subtasks:"

func reflectionText(p piece, roles []string, n *notes) (Reflection, error) {
	head, rest, _ := strings.Cut(strings.TrimSpace(p.text), "\n")
	verdict, ok := strings.CutPrefix(strings.TrimSpace(head), verdictHead)
	if !ok {
		return Reflection{}, fmt.Errorf("<reflection> starts with %s: want a first line such as %saccept", quote(head), verdictHead)
	}
	rest, subtasks, _ := cutLine(rest, subtasksHead)
	before, issues, _ := cutLine(rest, issuesHead)
	r := Reflection{Verdict: Verdict(verdict)}
	_, items := lines(issues)
	var err error
	if r.Issues, err = textItems(items, p, n); err != nil {
		return r, err
	}
	_, items = lines(subtasks)
	if r.Subtasks, err = subtaskItems(items, roles, p, n); err != nil {
		return r, err
	}
	if strings.TrimSpace(before) != "" {
		return r, fmt.Errorf("<reflection> has text outside its sections %s and %s", issuesHead, subtasksHead)
	}
	return r, r.check()
}

// cutLine cuts a text around the first line that is head.
func cutLine(text, head string) (before, after string, found bool) {
	at := 0
	for line := range strings.Lines(text) {
		if strings.TrimSpace(line) == head {
			return text[:at], text[at+len(line):], true
		}
		at += len(line)
	}
	return text, "", false
}
