package openai

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"strings"

	goopenai "github.com/sashabaranov/go-openai"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/model/transport"
)

// place decides where a request's format goes: beside the conversation, or into
// it.
func (m *Model) place(req model.Request) (*goopenai.ChatCompletionResponseFormat, model.Request) {
	switch {
	case req.Format == nil:
		return nil, req
	case m.cfg.Mode == Text || len(req.Tools) > 0: // constrained to the schema, a model could call no tool
		return nil, model.Instruct(req)
	case m.cfg.Mode == JSON:
		return &goopenai.ChatCompletionResponseFormat{Type: goopenai.ChatCompletionResponseFormatTypeJSONObject}, model.Instruct(req)
	}
	return &goopenai.ChatCompletionResponseFormat{
		Type: goopenai.ChatCompletionResponseFormatTypeJSONSchema,
		JSONSchema: &goopenai.ChatCompletionResponseFormatJSONSchema{
			Name: req.Format.Name, Schema: req.Format.Schema, Strict: true,
		},
	}, req
}

// request puts a request into the client library's words.
func (m *Model) request(req model.Request) (goopenai.ChatCompletionRequest, error) {
	wire := goopenai.ChatCompletionRequest{Model: m.name}
	wire.ResponseFormat, req = m.place(req)
	for _, msg := range req.Messages {
		out := goopenai.ChatCompletionMessage{
			Role: string(msg.Role), Content: msg.Content, Name: msg.Name, ToolCallID: msg.ToolCallID,
		}
		for _, call := range msg.ToolCalls {
			out.ToolCalls = append(out.ToolCalls, goopenai.ToolCall{
				ID: call.ID, Type: goopenai.ToolTypeFunction,
				Function: goopenai.FunctionCall{Name: call.Name, Arguments: call.Arguments},
			})
		}
		wire.Messages = append(wire.Messages, out)
	}
	for _, tool := range req.Tools {
		if !json.Valid(tool.Parameters) {
			return wire, permanent("the parameters of tool %s are not JSON", tool.Name)
		}
		wire.Tools = append(wire.Tools, goopenai.Tool{
			Type:     goopenai.ToolTypeFunction,
			Function: &goopenai.FunctionDefinition{Name: tool.Name, Description: tool.Description, Parameters: tool.Parameters},
		})
	}
	if req.Stop != "" {
		wire.Stop = []string{req.Stop}
	}
	s := req.Sampling
	wire.Temperature, wire.TopP = number(s.Temperature), number(s.TopP)
	if s.Seed != nil {
		seed := int(*s.Seed)
		wire.Seed = &seed
	}
	if m.maxTokens() == "max_tokens" {
		wire.MaxTokens = s.MaxTokens
	} else {
		wire.MaxCompletionTokens = s.MaxTokens
	}
	return wire, nil
}

// maxTokens is the server's name for the bound of a reply: OpenAI has
// max_completion_tokens, every other server knows max_tokens.
func (m *Model) maxTokens() string {
	own := strings.HasPrefix(m.cfg.BaseURL, DefaultBaseURL) ||
		slices.ContainsFunc([]string{"o1", "o3", "o4", "gpt-5"}, func(p string) bool { return strings.HasPrefix(m.name, p) })
	if own {
		return "max_completion_tokens"
	}
	return "max_tokens"
}

// number is a sampling parameter as the client library takes it: it omits 0, so
// an explicit 0 travels as the smallest number there is, and [zeroes] puts it
// right.
func number(x *float64) float32 {
	switch {
	case x == nil:
		return 0
	case *x == 0:
		return math.SmallestNonzeroFloat32
	}
	return float32(*x)
}

// zeroes sends requests after putting explicit zeros right. A quote within a
// text is escaped in JSON, so the keys below are keys wherever they stand.
type zeroes struct{ client *transport.Client }

func (z zeroes) Do(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, fmt.Errorf("request body: %w", err)
		}
		for _, key := range []string{`"temperature":`, `"top_p":`} {
			body = bytes.Replace(body, []byte(key+"1e-45"), []byte(key+"0"), 1)
		}
		req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	}
	return z.client.Do(req)
}

// content is the text of a message, whose content may come in parts.
func content(m goopenai.ChatCompletionMessage) string {
	text := m.Content
	for _, part := range m.MultiContent {
		text += part.Text
	}
	return text
}

func calls(in []goopenai.ToolCall) []model.ToolCall {
	var out []model.ToolCall
	for _, c := range in {
		out = append(out, model.ToolCall{ID: c.ID, Name: c.Function.Name, Arguments: c.Function.Arguments})
	}
	return out
}

// usage is nil where the server did not count.
func usage(u *goopenai.Usage) *message.Usage {
	if u == nil || (u.PromptTokens == 0 && u.CompletionTokens == 0) {
		return nil
	}
	out := &message.Usage{InputTokens: u.PromptTokens, OutputTokens: u.CompletionTokens}
	if u.PromptTokensDetails != nil {
		out.CachedTokens = u.PromptTokensDetails.CachedTokens
	}
	return out
}
