package traces

import (
	"encoding/json"
	"slices"

	"go.opentelemetry.io/otel/attribute"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/model/genai"
	"github.com/mars-rec/mars/tools"
	"github.com/mars-rec/mars/trajectories"
)

// said is one message of a conversation in the form of the conventions.
type said struct {
	Role   string `json:"role"`
	Parts  []part `json:"parts"`
	Finish string `json:"finish_reason,omitempty"`
}

// part is a text, a call of a tool, or a tool's answer.
type part struct {
	Type      string          `json:"type"`
	Content   string          `json:"content,omitempty"`
	ID        string          `json:"id,omitempty"`
	Name      string          `json:"name,omitempty"`
	Arguments json.RawMessage `json:"arguments,omitempty"`
	Response  string          `json:"response,omitempty"`
}

// sayings puts a message of a conversation into that form.
func sayings(m model.Message) said {
	s := said{Role: string(m.Role), Parts: []part{}}
	if m.Role == model.ToolRole {
		s.Parts = append(s.Parts, part{Type: "tool_call_response", ID: m.ToolCallID, Response: m.Content})
		return s
	}
	if m.Content != "" {
		s.Parts = append(s.Parts, part{Type: "text", Content: m.Content})
	}
	for _, c := range m.ToolCalls {
		s.Parts = append(s.Parts, part{Type: "tool_call", ID: c.ID, Name: c.Name, Arguments: arguments(c.Arguments)})
	}
	return s
}

// arguments are what a model wrote for a tool: JSON, or a text if it is none.
func arguments(text string) json.RawMessage {
	if json.Valid([]byte(text)) {
		return json.RawMessage(text)
	}
	quoted, _ := message.Marshal(text)
	return quoted
}

// conversation is what a model read and what it wrote.
func (b *builder) conversation(e message.Envelope, out model.Output) []attribute.KeyValue {
	read := []said{}
	for _, ref := range e.Refs {
		if m, ok := b.t.Find(ref); ok {
			if spoken, err := trajectories.Spoken(m); err == nil {
				read = append(read, sayings(spoken))
			}
		}
	}
	wrote := sayings(out.Message)
	wrote.Role, wrote.Finish = string(model.Assistant), out.Finish
	return []attribute.KeyValue{
		attribute.String(genai.InputMessages, text(read)), attribute.String(genai.OutputMessages, text([]said{wrote})),
	}
}

// exchange is what a tool was given and what it answered.
func (b *builder) exchange(e message.Envelope, r tools.Result) []attribute.KeyValue {
	about := []attribute.KeyValue{attribute.String(genai.ToolCallResult, r.Content())}
	for _, ref := range e.Refs {
		reply, ok := b.t.Find(ref)
		if !ok {
			continue
		}
		out, err := message.Decode[model.Output](reply)
		if err != nil {
			continue
		}
		if i := slices.IndexFunc(out.Message.ToolCalls, func(c model.ToolCall) bool { return c.ID == r.Call }); i >= 0 {
			about = append(about, attribute.String(genai.ToolCallArgument, out.Message.ToolCalls[i].Arguments))
		}
	}
	return about
}

// text is the JSON of messages: attributes of spans hold it as a string.
func text(messages []said) string {
	b, _ := message.Marshal(messages)
	return string(b)
}
