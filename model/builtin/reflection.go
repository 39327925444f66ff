package builtin

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mars-rec/mars/graph/rank"
	"github.com/mars-rec/mars/message/phase"
)

// wide is how many neighbours a second look asks for.
const wide = 200

// reflected is a reflection with all that its schema requires.
type reflected struct {
	Verdict  phase.Verdict   `json:"verdict"`
	Issues   []string        `json:"issues"`
	Subtasks []phase.Subtask `json:"subtasks"`
}

// reflection names the signals that are silent on most candidates and those
// that contradict each other. Where both collaborative signals are silent on
// most, but not all, a wider circle of users may be asked, once.
func reflection(s *schema, text string) (reflected, error) {
	if len(s.at("verdict").words()) == 0 {
		return reflected{}, fmt.Errorf("the schema names no verdicts")
	}
	found := latest(text)
	r := reflected{Verdict: phase.Accept, Issues: []string{}, Subtasks: []phase.Subtask{}}
	if len(found) == 0 {
		r.Issues = append(r.Issues, "no analysis carries evidence on the candidates")
		return r, nil
	}
	r.Issues = append(r.Issues, contradictions(found)...)
	items, users := found[rank.ItemCF], found[rank.UserCF]
	wider, before := widest(found)
	if before {
		users = wider
	}
	if len(items.Ranking) == 0 || len(users.Ranking) == 0 {
		return r, nil
	}
	if _, asked := widened(text); asked {
		before = true
	}
	allowed := slices.Contains(s.at("subtasks", "[]", "role").words(), "historical")
	switch n := len(users.Ranking); {
	case silence(items) == n && silence(users) == n:
		r.Issues = append(r.Issues, "no collaborative signal speaks for any candidate: what is left is popularity and the catalog")
	case 2*silence(items) <= n || 2*silence(users) <= n:
	case before || !allowed:
		r.Issues = append(r.Issues, fmt.Sprintf("item_cf is silent on %d of %d candidates and user_cf on %d: their order rests on popularity and the catalog",
			silence(items), n, silence(users)))
	default:
		r.Verdict = phase.Revise
		r.Issues = append(r.Issues, fmt.Sprintf("item_cf is silent on %d of %d candidates and user_cf on %d", silence(items), n, silence(users)))
		r.Subtasks = append(r.Subtasks, phase.Subtask{Role: "historical", Collaborative: true,
			Goal: fmt.Sprintf("Ask %s: call user_cf among the candidates with more neighbours, since it is silent on %d of %d.", circle, silence(users), n)})
	}
	return r, nil
}

// latest returns the evidence in a text by signal; what stands later replaces
// what stands earlier.
func latest(text string) map[string]phase.Evidence {
	found := map[string]phase.Evidence{}
	for _, e := range phase.ReadEvidence(text) {
		found[e.Signal] = e
	}
	return found
}

// silence counts the candidates of which a signal says nothing.
func silence(e phase.Evidence) int {
	n := 0
	for _, s := range e.Ranking {
		if s.Score == 0 {
			n++
		}
	}
	return n
}

// contradictions names the windows of the history whose heads have no label in
// common with that of the whole.
func contradictions(found map[string]phase.Evidence) []string {
	var issues []string
	whole := top(found[rank.ItemCF])
	for _, signal := range []string{rank.ItemCFRecent, rank.ItemCFLast} {
		part := top(found[signal])
		if len(whole) < maxTop || len(part) < maxTop || slices.ContainsFunc(part, func(l string) bool { return slices.Contains(whole, l) }) {
			continue
		}
		issues = append(issues, fmt.Sprintf("the long and the recent interest disagree: %s puts %s first, %s puts %s",
			rank.ItemCF, strings.Join(whole, ", "), signal, strings.Join(part, ", ")))
	}
	return issues
}
