package trajectories

import (
	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/tools"
)

// alone reports whether the run is that of a student, who works alone: its
// first prompt is that of [Opening].
func (t *Trajectory) alone() (bool, error) {
	for _, e := range t.Log {
		if e.Kind != (model.Message{}).Kind() {
			continue
		}
		m, err := message.Decode[model.Message](e)
		if err != nil {
			return false, err
		}
		system, err := systemPrompt()
		return m.Role == model.System && m.Content == system, err
	}
	return false, nil
}

// verbatim tells the conversation of a student: prompts, replies and results,
// in their order.
func (t *Trajectory) verbatim() ([]model.Message, error) {
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
			messages = append(messages, model.Message{Ref: e.ID, Role: model.ToolRole, Content: r.Content(), ToolCallID: r.Call, Name: r.Tool})
		}
	}
	return messages, nil
}
