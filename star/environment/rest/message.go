package rest

import (
	"encoding/json"
	"fmt"

	"github.com/mars-rec/mars/model"
)

// turn is a message in the form of chat APIs. Fields that are not named here
// are passed over when it is read, since trainers add their own.
type turn struct {
	Role       model.Role `json:"role" jsonschema:"system, user, assistant or tool"`
	Content    string     `json:"content" jsonschema:"text; null is none"`
	ToolCalls  []call     `json:"tool_calls,omitempty"`
	ToolCallID string     `json:"tool_call_id,omitempty"`
	Name       string     `json:"name,omitempty" jsonschema:"of the tool that answers"`
}

type call struct {
	ID       string   `json:"id,omitempty"`
	Type     string   `json:"type,omitempty"`
	Function function `json:"function"`
}

type function struct {
	Name      string    `json:"name"`
	Arguments arguments `json:"arguments"`
}

// UnmarshalJSON implements json.Unmarshaler.
func (t *turn) UnmarshalJSON(b []byte) error {
	type plain turn
	return json.Unmarshal(b, (*plain)(t))
}

// arguments is the text of a call's arguments. It is read from a string of
// JSON, as chat APIs have it, or from the JSON itself, as some trainers do; it
// is written as a string.
type arguments string

// UnmarshalJSON implements json.Unmarshaler.
func (a *arguments) UnmarshalJSON(b []byte) error {
	var text string
	if json.Unmarshal(b, &text) != nil {
		text = string(b)
	} else if string(b) == "null" {
		text = ""
	}
	*a = arguments(text)
	return nil
}

// numbered gives the calls of a conversation ids where they have none, so that
// an answer can be told to be that of its call.
func numbered(turns []turn) []turn {
	n := 0
	for _, t := range turns {
		for i := range t.ToolCalls {
			if n++; t.ToolCalls[i].ID == "" {
				t.ToolCalls[i].ID = fmt.Sprintf("call_%d", n)
			}
		}
	}
	return turns
}

// ours puts messages into our words. Answers of tools that bear no id or name,
// as those of some trainers, are taken as the answers of the calls before them,
// in their order.
func ours(turns []turn) []model.Message {
	var out []model.Message
	var waiting []model.ToolCall
	for _, t := range turns {
		m := model.Message{Role: t.Role, Content: t.Content, ToolCallID: t.ToolCallID, Name: t.Name}
		for _, c := range t.ToolCalls {
			if c.Function.Arguments == "" {
				c.Function.Arguments = "{}"
			}
			m.ToolCalls = append(m.ToolCalls, model.ToolCall{ID: c.ID, Name: c.Function.Name, Arguments: string(c.Function.Arguments)})
		}
		switch {
		case m.Role == model.Assistant:
			waiting = m.ToolCalls
		case m.Role == model.ToolRole && len(waiting) > 0:
			if m.ToolCallID == "" {
				m.ToolCallID = waiting[0].ID
			}
			if m.Name == "" && m.ToolCallID == waiting[0].ID {
				m.Name = waiting[0].Name
			}
			waiting = waiting[1:]
		}
		out = append(out, m)
	}
	return out
}

// theirs puts messages into the form of chat APIs.
func theirs(messages []model.Message) []turn {
	out := make([]turn, 0, len(messages))
	for _, m := range messages {
		t := turn{Role: m.Role, Content: m.Content, ToolCallID: m.ToolCallID, Name: m.Name}
		for _, c := range m.ToolCalls {
			t.ToolCalls = append(t.ToolCalls, call{ID: c.ID, Type: "function", Function: function{c.Name, arguments(c.Arguments)}})
		}
		out = append(out, t)
	}
	return out
}
