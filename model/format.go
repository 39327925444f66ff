package model

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// The lines that [Instruct] writes, and [Instructed] reads.
const (
	formatAsk   = "Answer with one JSON object and nothing else."
	formatOpen  = "Its JSON Schema, named "
	formatClose = ": "
)

// Instruct moves the format of a request into its conversation, for providers
// that take no schema: the first system message (a new one, if there is none)
// ends with the schema's name and text. A request without a format is returned
// as it is.
func Instruct(req Request) Request {
	if req.Format == nil {
		return req
	}
	var schema bytes.Buffer
	if json.Compact(&schema, req.Format.Schema) != nil {
		schema.Reset()
		schema.WriteString("{}")
	}
	text := formatAsk + "\n" + formatOpen + req.Format.Name + formatClose + schema.String()
	req.Format = nil
	req.Messages = slices.Clone(req.Messages)
	if i := slices.IndexFunc(req.Messages, func(m Message) bool { return m.Role == System }); i >= 0 {
		req.Messages[i].Content += "\n\n" + text
	} else {
		req.Messages = slices.Insert(req.Messages, 0, Message{Role: System, Content: text})
	}
	return req
}

// Instructed returns the format that [Instruct] moved into a conversation; nil
// if it moved none. Only system messages are read: nothing that comes from data
// stands there.
func Instructed(messages []Message) *Format {
	for _, m := range messages {
		if m.Role != System {
			continue
		}
		_, after, ok := strings.Cut(m.Content, formatAsk+"\n"+formatOpen)
		if !ok {
			continue
		}
		line, _, _ := strings.Cut(after, "\n")
		name, schema, ok := strings.Cut(line, formatClose)
		if ok && json.Valid([]byte(schema)) {
			return &Format{Name: name, Schema: json.RawMessage(schema)}
		}
	}
	return nil
}
