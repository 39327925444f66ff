package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/model"
)

// chat is the body of POST /v1/chat/completions, as far as it is understood.
// Fields that are not named here do not change what is asked, or are hints.
type chat struct {
	Model          string          `json:"model"`
	Messages       []turn          `json:"messages"`
	Tools          []tool          `json:"tools"`
	ToolChoice     json.RawMessage `json:"tool_choice"`
	ResponseFormat *struct {
		Type       string        `json:"type"`
		JSONSchema *model.Format `json:"json_schema"`
	} `json:"response_format"`
	Temperature         *float64 `json:"temperature"`
	TopP                *float64 `json:"top_p"`
	MaxTokens           int      `json:"max_tokens"`
	MaxCompletionTokens int      `json:"max_completion_tokens"`
	Seed                *int64   `json:"seed"`
	N                   *int     `json:"n"`
	Stop                stops    `json:"stop"`
	Logprobs            bool     `json:"logprobs"`
	Stream              bool     `json:"stream"`
	StreamOptions       struct {
		IncludeUsage bool `json:"include_usage"`
	} `json:"stream_options"`
}

type turn struct {
	Role       string `json:"role"`
	Content    text   `json:"content"`
	Name       string `json:"name"`
	ToolCalls  []call `json:"tool_calls"`
	ToolCallID string `json:"tool_call_id"`
}

type tool struct {
	Type     string         `json:"type"`
	Function model.ToolSpec `json:"function"`
}

// call is a tool call, or in a stream a part of one.
type call struct {
	Index    *int   `json:"index,omitempty"`
	ID       string `json:"id,omitempty"`
	Type     string `json:"type,omitempty"`
	Function struct {
		Name      string `json:"name,omitempty"`
		Arguments string `json:"arguments"`
	} `json:"function"`
}

// stops are the stop sequences: a string, null, or a list.
type stops []string

func (s *stops) UnmarshalJSON(b []byte) error {
	var one *string
	if json.Unmarshal(b, &one) == nil {
		if one != nil {
			*s = stops{*one}
		}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(s))
}

// text is a content: a string, null, or a list of parts that are text.
type text string

func (t *text) UnmarshalJSON(b []byte) error {
	var s *string
	if json.Unmarshal(b, &s) == nil {
		if s != nil {
			*t = text(*s)
		}
		return nil
	}
	var parts []struct {
		Type string `json:"type"`
		Text string `json:"text"`
	}
	if err := json.Unmarshal(b, &parts); err != nil {
		return fmt.Errorf("content is neither text nor a list of parts")
	}
	for _, p := range parts {
		if p.Type != "text" {
			return fmt.Errorf("content has a part of type %q: only text is understood", p.Type)
		}
		*t += text(p.Text)
	}
	return nil
}

// read reads the body of a request.
func (s *server) read(r *http.Request) (chat, error) {
	var c chat
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return c, &refusal{http.StatusUnsupportedMediaType, "invalid_request_error", "content_type", "the content type is not application/json"}
	}
	var body bytes.Buffer
	if _, err := body.ReadFrom(r.Body); err != nil {
		return c, fmt.Errorf("request body: %w", err)
	}
	if err := json.Unmarshal(body.Bytes(), &c); err != nil {
		return c, invalid("the body is not a chat completion request: %v", err)
	}
	if c.Model != s.cfg.Name {
		return c, s.unknown(c.Model)
	}
	return c, nil
}

// request puts the body into our words.
func (c chat) request() (model.Request, error) {
	var req model.Request
	switch {
	case len(c.Messages) == 0:
		return req, invalid("messages is empty")
	case c.N != nil && *c.N != 1:
		return req, invalid("n is %d: only 1 choice is given", *c.N)
	case len(c.Stop) > 1:
		return req, invalid("stop has %d texts: 1 at most is supported", len(c.Stop))
	case c.Logprobs:
		return req, invalid("logprobs is not supported")
	}
	if len(c.Stop) == 1 {
		req.Stop = c.Stop[0]
	}
	for i, t := range c.Messages {
		m := model.Message{Role: model.Role(t.Role), Content: string(t.Content), Name: t.Name, ToolCallID: t.ToolCallID}
		switch m.Role {
		case model.System, model.User, model.Assistant, model.ToolRole:
		case "developer":
			m.Role = model.System
		default:
			return req, invalid("messages[%d] has the role %q: want system, user, assistant or tool", i, t.Role)
		}
		for _, call := range t.ToolCalls {
			m.ToolCalls = append(m.ToolCalls, model.ToolCall{ID: call.ID, Name: call.Function.Name, Arguments: call.Function.Arguments})
		}
		req.Messages = append(req.Messages, m)
	}
	if err := c.tools(&req); err != nil {
		return req, err
	}
	if err := c.format(&req); err != nil {
		return req, err
	}
	req.Sampling = model.Sampling{Temperature: c.Temperature, TopP: c.TopP, MaxTokens: max(c.MaxTokens, c.MaxCompletionTokens), Seed: c.Seed}
	return req, nil
}

func (c chat) tools(req *model.Request) error {
	switch string(c.ToolChoice) {
	case "", "null", `"auto"`:
	case `"none"`:
		return nil
	default:
		return invalid("tool_choice %s is not supported: want auto or none", c.ToolChoice)
	}
	for i, t := range c.Tools {
		if t.Type != "function" || t.Function.Name == "" {
			return invalid("tools[%d] is not a function with a name", i)
		}
		if len(t.Function.Parameters) == 0 {
			t.Function.Parameters = json.RawMessage(`{"type":"object"}`)
		}
		req.Tools = append(req.Tools, t.Function)
	}
	return nil
}

func (c chat) format(req *model.Request) error {
	if c.ResponseFormat == nil {
		return nil
	}
	switch f := c.ResponseFormat; f.Type {
	case "text", "json_object":
	case "json_schema":
		if f.JSONSchema == nil || f.JSONSchema.Name == "" || len(f.JSONSchema.Schema) == 0 {
			return invalid("response_format json_schema has no name or no schema")
		}
		req.Format = f.JSONSchema
	default:
		return invalid("response_format %q is not supported: want text, json_object or json_schema", f.Type)
	}
	return nil
}

// counted is a usage in OpenAI's words; nil where it is not known.
func counted(u *message.Usage) map[string]any {
	if u == nil {
		return nil
	}
	return map[string]any{
		"prompt_tokens": u.InputTokens, "completion_tokens": u.OutputTokens, "total_tokens": u.InputTokens + u.OutputTokens,
		"prompt_tokens_details": map[string]int{"cached_tokens": u.CachedTokens},
	}
}
