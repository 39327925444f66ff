package builtin

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/mars-rec/mars/message/phase"
	"github.com/mars-rec/mars/model"
)

// The most that an analysis says.
const (
	maxSentences = 4  // of one tool's result
	maxClaims    = 14 // in all
	maxTop       = 3  // labels named of a ranking
)

// How a subtask asks for a wider User-CF: in words, or with the number of
// neighbours. Our own subtasks use the words, for a number in them would be one
// that no tool has told.
const (
	circle = "a wider circle of users"
	hint   = "neighbours="
)

// calls returns the tool calls with which an analysis starts: none where there
// are results already, or no tool that fits.
func calls(s *schema, req model.Request, text string) []model.ToolCall {
	for _, m := range req.Messages {
		if m.Role == model.ToolRole {
			return nil
		}
	}
	if n, ok := widened(goal(text)); ok && offers(req.Tools, "user_cf") {
		return []model.ToolCall{{ID: "call_1", Name: "user_cf", Arguments: fmt.Sprintf(`{"among":"candidates","neighbours":%d}`, n)}}
	}
	role := ""
	if words := s.at("role").words(); len(words) > 0 {
		role = words[0]
	}
	return opening(role, req)
}

// opening is the calls with which a role starts, of the tools that are offered.
func opening(role string, req model.Request) []model.ToolCall {
	var out []model.ToolCall
	call := func(tool, arguments string) {
		if offers(req.Tools, tool) {
			out = append(out, model.ToolCall{ID: "call_" + strconv.Itoa(len(out)+1), Name: tool, Arguments: arguments})
		}
	}
	switch role {
	case "profile":
		call("user_profile", `{}`)
		call("candidate_stats", `{}`)
	case "historical":
		call("item_cf", `{"window":"all"}`)
		call("user_cf", `{"among":"candidates"}`)
		call("popularity", `{}`)
	case "recent":
		call("user_history", `{"last":10}`)
		call("item_cf", `{"window":"last:10"}`)
		call("item_cf", `{"window":"last:3"}`)
	case "divergence":
		call("user_history", `{"summary":true}`)
		call("candidate_stats", `{}`)
	}
	if len(out) > 0 {
		return out
	}
	for _, t := range req.Tools {
		var parameters schema
		if json.Unmarshal(t.Parameters, &parameters) != nil || len(parameters.Required) > 0 {
			continue
		}
		switch t.Name {
		case "item_cf":
			call(t.Name, `{"window":"all"}`)
		case "user_cf":
			call(t.Name, `{"among":"candidates"}`)
		default:
			call(t.Name, `{}`)
		}
	}
	return out
}

func offers(tools []model.ToolSpec, name string) bool {
	return slices.ContainsFunc(tools, func(t model.ToolSpec) bool { return t.Name == name })
}

// goal is what an analyst is asked: what stands under the heading of its
// subtask, or the whole question where there is none.
func goal(text string) string {
	if _, after, ok := strings.Cut(text, "\n## Your subtask\n"); ok {
		line, _, _ := strings.Cut(after, "\n")
		return line
	}
	return text
}

// widened reads the number of neighbours that a text asks for, at most 1000.
func widened(text string) (int, bool) {
	_, after, _ := strings.Cut(text, hint)
	digits := after[:len(after)-len(strings.TrimLeft(after, "0123456789"))]
	if n, err := strconv.Atoi(digits); err == nil && n > 0 {
		return min(n, 1000), true
	}
	return wide, strings.Contains(text, circle)
}

// result is what the teacher reads of a tool's result.
type result struct {
	Evidence []string         `json:"evidence"`
	Rankings []phase.Evidence `json:"rankings"`
}

// analysis puts what the tools showed into an analysis: their sentences are the
// claims, the heads of their rankings the summary.
func analysis(s *schema, messages []model.Message, text string) (phase.Analysis, error) {
	roles, err := s.need("role", "role")
	if err != nil {
		return phase.Analysis{}, err
	}
	a := phase.Analysis{Role: roles[0], Claims: []string{}}
	var heads, silent []string
	if _, ok := widened(goal(text)); ok {
		heads = append(heads, "Asked again, among more users")
	}
	results := 0
	for _, m := range messages {
		if m.Role != model.ToolRole {
			continue
		}
		results++
		var r result
		if err := json.Unmarshal([]byte(m.Content), &r); err != nil {
			silent = append(silent, tool(messages, m)+" gave no result")
			continue
		}
		for _, e := range r.Rankings {
			heads = append(heads, head(e))
		}
		a.Claims = append(a.Claims, r.Evidence[:min(len(r.Evidence), maxSentences)]...)
	}
	a.Claims = a.Claims[:min(len(a.Claims), maxClaims)]
	switch {
	case results == 0:
		heads = append(heads, "No tool was called, so nothing was found")
	case len(heads) == 0 && len(a.Claims) > 0:
		heads = append(heads, strings.TrimSuffix(a.Claims[0], "."))
	case len(heads) == 0 && len(silent) == 0:
		heads = append(heads, "The tools showed nothing")
	}
	a.Summary = strings.Join(append(heads, silent...), ". ") + "."
	return a, nil
}

// head tells how a ranking starts.
func head(e phase.Evidence) string {
	top := top(e)
	if len(top) == 0 {
		return e.Signal + " speaks for no candidate"
	}
	return e.Signal + " puts " + strings.Join(top, ", ") + " first"
}

// top returns the first labels of a ranking, of those that have a score.
func top(e phase.Evidence) []string {
	var labels []string
	for _, s := range e.Ranking {
		if s.Score != 0 && len(labels) < maxTop {
			labels = append(labels, s.Label)
		}
	}
	return labels
}

// tool names the tool whose result a message is.
func tool(messages []model.Message, m model.Message) string {
	for _, asked := range messages {
		for _, c := range asked.ToolCalls {
			if c.ID == m.ToolCallID {
				return c.Name
			}
		}
	}
	return "a tool"
}
