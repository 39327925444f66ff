package trajectories

import (
	"fmt"
	"iter"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/tools"
)

// Step is one reply of a model and what the model had read: the messages that
// the reply's refs name, in the order of the conversation.
type Step struct {
	Context []message.Envelope
	Reply   message.Envelope
}

// Steps yields the steps of the trajectory in the order of its log. A ref that
// the log does not hold is left out of the context, as in the log of a run that
// was cut off.
func (t *Trajectory) Steps() iter.Seq[Step] {
	return func(yield func(Step) bool) {
		for _, e := range t.Log {
			if e.Kind != (model.Output{}).Kind() {
				continue
			}
			s := Step{Reply: e}
			for _, ref := range e.Refs {
				if m, ok := t.Find(ref); ok {
					s.Context = append(s.Context, m)
				}
			}
			if !yield(s) {
				return
			}
		}
	}
}

// Messages returns the conversation as the model was given it.
func (s Step) Messages() ([]model.Message, error) {
	messages := make([]model.Message, len(s.Context))
	for i, e := range s.Context {
		var err error
		if messages[i], err = Spoken(e); err != nil {
			return nil, err
		}
	}
	return messages, nil
}

// Output returns what the model said.
func (s Step) Output() (model.Output, error) { return message.Decode[model.Output](s.Reply) }

// Spoken returns a prompt, a reply or a tool's result as the message that it is
// in a conversation. Any other kind is an error.
func Spoken(e message.Envelope) (model.Message, error) {
	switch e.Kind {
	case (model.Message{}).Kind():
		m, err := message.Decode[model.Message](e)
		m.Ref = e.ID
		return m, err
	case (model.Output{}).Kind():
		o, err := message.Decode[model.Output](e)
		o.Message.Ref = e.ID
		return o.Message, err
	case (tools.Result{}).Kind():
		r, err := message.Decode[tools.Result](e)
		return model.Message{Ref: e.ID, Role: model.ToolRole, Content: r.Content(), ToolCallID: r.Call, Name: r.Tool}, err
	}
	return model.Message{}, fmt.Errorf("message %s: a %s is not part of a conversation", e.ID, e.Kind)
}
