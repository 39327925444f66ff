package builtin

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/mars-rec/mars/message/phase"
	"github.com/mars-rec/mars/model"
)

// studied are the roles that the student plays in its one voice.
func studied() []string { return []string{"divergence", "historical", "profile", "recent"} }

// student answers a conversation that asks for no format and offers tools: all
// that the team does, by the same rules, in one voice. First the plan and the
// calls; then analyses, a reflection, and the ranking, or one wider look before
// it.
func (m *Model) student(req model.Request, text string) (model.Message, error) {
	labels := listed(text)
	if len(labels) == 0 {
		return model.Message{Content: introduction}, nil
	}
	heard := answers(req.Messages)
	if len(heard) == 0 {
		return studentPlan(req, text)
	}
	said, evidence, err := studentAnalyses(req)
	if err != nil {
		return model.Message{}, err
	}
	text += "\n" + phase.WriteEvidence(evidence)
	wider := false // a second look has been taken
	for _, c := range heard {
		wider = wider || strings.Contains(c.call.Arguments, `"neighbours"`)
	}
	if wider {
		text += circle
	}
	s, err := schemaOf(phase.ReflectionSchema(studied()))
	if err != nil {
		return model.Message{}, err
	}
	r, err := reflection(s, text)
	if err != nil {
		return model.Message{}, err
	}
	again := r.Verdict == phase.Revise && offers(req.Tools, "user_cf")
	if !again {
		r.Verdict, r.Subtasks = phase.Accept, nil
	}
	said = append(said, phase.Write(phase.Reflection{Verdict: r.Verdict, Issues: r.Issues, Subtasks: r.Subtasks}))
	if again {
		call := model.ToolCall{ID: "call_1", Name: "user_cf", Arguments: fmt.Sprintf(`{"among": "candidates", "neighbours": %d}`, wide)}
		return model.Message{Content: strings.Join(said, "\n"), ToolCalls: []model.ToolCall{call}}, nil
	}
	if s, err = schemaOf(phase.RecommendSchema(labels)); err != nil {
		return model.Message{}, err
	}
	ranking, err := m.recommend(req, s, text)
	if err != nil {
		return model.Message{}, err
	}
	return model.Message{Content: strings.Join(append(said, phase.Write(ranking)), "\n")}, nil
}

// studentPlan is the first reply: the plan, and the calls of all roles, equal
// ones once.
func studentPlan(req model.Request, text string) (model.Message, error) {
	s, err := schemaOf(phase.PlanSchema(studied()))
	if err != nil {
		return model.Message{}, err
	}
	p, err := plan(s, text)
	if err != nil {
		return model.Message{}, err
	}
	m := model.Message{Content: phase.Write(p)}
	made := map[string]bool{}
	for _, role := range studied() {
		for _, c := range opening(role, req) {
			if key := c.Name + c.Arguments; !made[key] {
				made[key] = true
				c.ID = fmt.Sprintf("call_%d", len(made))
				m.ToolCalls = append(m.ToolCalls, c)
			}
		}
	}
	return m, nil
}

// studentAnalyses concludes, for each role, from the answers that came after
// the last reply, and collects the evidence of all answers.
func studentAnalyses(req model.Request) (said []string, evidence []phase.Evidence, err error) {
	var fresh []heardCall
	for _, h := range answers(req.Messages) {
		var r result
		if json.Unmarshal([]byte(h.answer.Content), &r) == nil {
			evidence = append(evidence, r.Rankings...)
		}
		if h.fresh {
			fresh = append(fresh, h)
		}
	}
	for _, role := range studied() {
		var own []model.Message
		for _, h := range fresh {
			if h.of(role, req) {
				own = append(own, model.Message{Role: model.Assistant, ToolCalls: []model.ToolCall{h.call}}, h.answer)
			}
		}
		if len(own) == 0 {
			continue
		}
		s, err := schemaOf(phase.AnalysisSchema(role))
		if err != nil {
			return nil, nil, err
		}
		a, err := analysis(s, own, "")
		if err != nil {
			return nil, nil, err
		}
		said = append(said, phase.Write(a))
	}
	return said, evidence, nil
}

// heardCall is a call with its answer; fresh, if no reply came after it.
type heardCall struct {
	call   model.ToolCall
	answer model.Message
	fresh  bool
}

// of reports whether the call is the role's. A wider look is the historical
// analyst's.
func (h heardCall) of(role string, req model.Request) bool {
	for _, c := range opening(role, req) {
		if c.Name == h.call.Name && sameArguments(c.Arguments, h.call.Arguments) {
			return true
		}
	}
	return role == "historical" && h.call.Name == "user_cf"
}

func sameArguments(a, b string) bool {
	x, xe := phase.Spaced(json.RawMessage(a))
	y, ye := phase.Spaced(json.RawMessage(b))
	return xe == nil && ye == nil && x == y
}

// answers pairs the calls of a conversation with their answers, in order.
func answers(messages []model.Message) []heardCall {
	calls := map[string]model.ToolCall{}
	last := 0
	for i, m := range messages {
		for _, c := range m.ToolCalls {
			calls[c.ID] = c
			last = i
		}
	}
	var heard []heardCall
	for i, m := range messages {
		if m.Role == model.ToolRole {
			heard = append(heard, heardCall{calls[m.ToolCallID], m, i > last})
		}
	}
	return heard
}

// listed returns the labels of the candidate list, in order.
func listed(text string) []string {
	var labels []string
	for line := range strings.Lines(text) {
		if label, ok := candidate(line); ok {
			labels = append(labels, label)
		}
	}
	return labels
}

func schemaOf(raw json.RawMessage) (*schema, error) {
	var s schema
	err := json.Unmarshal(raw, &s)
	return &s, err
}
