package langchain

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/model"
)

// wanted is how a model without tools asks for calls, as text.
type wanted struct {
	ToolCalls []wantedCall `json:"tool_calls"`
}

type wantedCall struct {
	Name      string          `json:"name"`
	Arguments json.RawMessage `json:"arguments"`
}

// narrate tells of tools in the conversation, for providers that have none:
// what there is to call in the first system message, calls as the JSON that was
// asked for, results as messages of the user.
func narrate(req model.Request) model.Request {
	said := make([]model.Message, 0, len(req.Messages)+1)
	names := map[string]string{} // of the calls, by id
	for _, m := range req.Messages {
		switch {
		case m.Role == model.ToolRole:
			m = model.Message{Role: model.User, Content: "Result of " + names[m.ToolCallID] + ": " + m.Content}
		case len(m.ToolCalls) > 0:
			var w wanted
			for _, c := range m.ToolCalls {
				names[c.ID] = c.Name
				w.ToolCalls = append(w.ToolCalls, wantedCall{c.Name, object(c.Arguments)})
			}
			text, _ := message.Marshal(w) // made of valid JSON
			m = model.Message{Role: m.Role, Content: strings.TrimSpace(m.Content + "\n" + string(text))}
		}
		said = append(said, m)
	}
	if len(req.Tools) > 0 {
		i := slices.IndexFunc(said, func(m model.Message) bool { return m.Role == model.System })
		if i < 0 {
			i = 0
			said = slices.Insert(said, 0, model.Message{Role: model.System})
		}
		said[i].Content = strings.TrimSpace(said[i].Content + "\n\n" + offer(req.Tools))
	}
	req.Messages, req.Tools = said, nil
	return req
}

// offer tells what there is to call.
func offer(tools []model.ToolSpec) string {
	var b strings.Builder
	b.WriteString("You have these tools, each with the JSON Schema of its arguments:\n")
	for _, t := range tools {
		var schema bytes.Buffer
		if json.Compact(&schema, t.Parameters) != nil {
			schema.Reset()
			schema.WriteString("{}")
		}
		fmt.Fprintf(&b, "- %s: %s %s\n", t.Name, t.Description, schema.String())
	}
	b.WriteString(`To call some of them, answer with {"tool_calls":[{"name":"...","arguments":{...}}]} and nothing else; their results come next. When you need no more, answer what you were asked.`)
	return b.String()
}

// object is a text as JSON: itself if it is an object, otherwise a string.
func object(arguments string) json.RawMessage {
	var o map[string]json.RawMessage
	if json.Unmarshal([]byte(arguments), &o) == nil {
		return json.RawMessage(arguments)
	}
	text, _ := message.Marshal(arguments)
	return text
}

// narrated returns the calls that a text asks for: none if it is anything but
// the JSON that [offer] tells of.
func narrated(text string) []model.ToolCall {
	text = strings.TrimSpace(text)
	if inner, ok := strings.CutPrefix(text, "```json"); ok {
		text = strings.TrimSuffix(inner, "```")
	}
	dec := json.NewDecoder(strings.NewReader(text))
	dec.DisallowUnknownFields()
	var w wanted
	if dec.Decode(&w) != nil || dec.More() {
		return nil
	}
	var calls []model.ToolCall
	for i, c := range w.ToolCalls {
		if c.Name == "" {
			return nil
		}
		arguments := string(c.Arguments)
		var quoted string
		if json.Unmarshal(c.Arguments, &quoted) == nil {
			arguments = quoted
		}
		calls = append(calls, model.ToolCall{ID: "call_" + strconv.Itoa(i+1), Name: c.Name, Arguments: arguments})
	}
	return calls
}
