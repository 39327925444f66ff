package trajectories

import (
	"slices"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/tools"
)

// alone reports whether the run is that of a student, who works alone, and how
// much it was told: its first prompt is that of [Detail.Opening], and nobody else
// has a prompt. A student that plans for a team is one of several.
func (t *Trajectory) alone() (Detail, bool, error) {
	first := slices.IndexFunc(t.Log, isPrompt)
	if first < 0 {
		return Full, false, nil
	}
	m, err := message.Decode[model.Message](t.Log[first])
	if err != nil {
		return Full, false, err
	}
	for _, d := range details() {
		form, err := d.opening()
		if err != nil {
			return Full, false, err
		}
		if m.Role == model.System && m.Content == form.system {
			speaker := t.Log[first].From
			return d, !slices.ContainsFunc(t.Log, func(e message.Envelope) bool { return isPrompt(e) && e.From != speaker }), nil
		}
	}
	return Full, false, nil
}

func isPrompt(e message.Envelope) bool { return e.Kind == (model.Message{}).Kind() }

// verbatim tells the conversation of a student: prompts, replies and results,
// in their order, in the words in which it was told.
func (t *Trajectory) verbatim(told Detail) ([]model.Message, error) {
	var messages []model.Message
	for _, e := range t.Log {
		switch e.Kind {
		case (model.Message{}).Kind():
			m, err := message.Decode[model.Message](e)
			if err != nil {
				return nil, err
			}
			m.Ref = e.ID
			messages = append(messages, m)
		case (model.Output{}).Kind():
			out, err := message.Decode[model.Output](e)
			if err != nil {
				return nil, err
			}
			m, _ := Utterance(e.ID, out)
			for i := range m.ToolCalls {
				m.ToolCalls[i].Arguments = spacedArguments(m.ToolCalls[i].Arguments)
			}
			messages = append(messages, m)
		case (tools.Result{}).Kind():
			r, err := message.Decode[tools.Result](e)
			if err != nil {
				return nil, err
			}
			content, err := told.Answer(r)
			if err != nil {
				return nil, err
			}
			messages = append(messages, model.Message{Ref: e.ID, Role: model.ToolRole, Content: content, ToolCallID: r.Call, Name: r.Tool})
		}
	}
	return messages, nil
}
