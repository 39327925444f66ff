// Package langchain makes a [model.Model] of any langchaingo llms.Model, so
// that every provider that langchaingo has is one that MARS has.
//
//	model.Request ──> []llms.MessageContent, call options ──> llms.Model
//	model.Reply   <── content, tool calls, stop reason    <──
//
// langchaingo has no schemas in its call options: a request's format goes into
// the conversation ([model.Instruct]) and JSON mode is asked for. Its providers
// differ in what they pass on and what they tell; [Traits] say how, and [Open]
// knows them for the providers it opens. Where a provider has no tools they are
// told in the conversation, and calls are read from the text; a setting that it
// would silently drop (top_p) is an error.
//
// A stream of langchaingo mixes tool calls into the text. So a request that
// offers tools is not streamed: its content comes in one piece.
package langchain

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/tmc/langchaingo/llms"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/model"
)

// Traits are the ways of a provider. The zero value is one that does all that
// langchaingo can ask.
type Traits struct {
	NoTools bool // there are no tools: the conversation tells of them
	NoTopP  bool // top_p is ignored
	Whole   bool // streams cannot be relied on: ask for the reply in one piece
	OnePart bool // only the first part of an assistant's message is read
	Reasons bool // a whole reply names its stop reason: one without was cut
	Counts  bool // a whole reply has its tokens counted: one without was cut
	// Temperature is sent where a request sets none, for providers that
	// otherwise send 0; it is the default of the API behind.
	Temperature float64
}

// Model is a langchaingo model. It is safe for concurrent use if that is.
type Model struct {
	name   string
	llm    llms.Model
	traits Traits
}

// New returns the model under the name that it has in replies and errors.
func New(name string, llm llms.Model, traits Traits) *Model {
	return &Model{name, llm, traits}
}

// Generate makes one call.
func (m *Model) Generate(ctx context.Context, req model.Request) (model.Reply, error) {
	if err := ctx.Err(); err != nil {
		return model.Reply{}, err
	}
	if m.traits.NoTopP && req.Sampling.TopP != nil {
		return model.Reply{}, &model.Error{Err: fmt.Errorf("langchain: %s: langchaingo has no top_p for this provider", m.name)}
	}
	options := m.options(req)
	sent := false
	if req.OnChunk != nil && len(req.Tools) == 0 && !m.traits.Whole {
		options = append(options, llms.WithStreamingFunc(func(_ context.Context, chunk []byte) error {
			if len(chunk) > 0 {
				sent = true
				req.OnChunk(model.Chunk{Content: string(chunk)})
			}
			return nil
		}))
	}
	told := req
	if m.traits.NoTools {
		told = narrate(req)
	}
	resp, err := m.llm.GenerateContent(ctx, m.messages(model.Instruct(told).Messages), options...)
	if err != nil {
		return model.Reply{}, m.failed(ctx, err)
	}
	reply, err := m.reply(resp)
	if err != nil {
		return model.Reply{}, m.failed(ctx, err)
	}
	if m.traits.NoTools && len(req.Tools) > 0 {
		if calls := narrated(reply.Message.Content); len(calls) > 0 {
			reply.Message.Content, reply.Message.ToolCalls, reply.Finish = "", calls, "tool_calls"
		}
	}
	if req.OnChunk != nil && !sent && reply.Message.Content != "" {
		req.OnChunk(model.Chunk{Content: reply.Message.Content})
	}
	return reply, nil
}

// reply puts the choices together: langchaingo gives one for each block of
// content that a provider sent, and we never ask for alternatives.
func (m *Model) reply(resp *llms.ContentResponse) (model.Reply, error) {
	if resp == nil || len(resp.Choices) == 0 {
		return model.Reply{}, &model.Error{Err: errors.New("the reply has no choices")}
	}
	reply := model.Reply{Message: model.Message{Role: model.Assistant}, Model: m.name}
	stop, info := "", map[string]any{}
	for _, choice := range resp.Choices {
		reply.Message.Content += choice.Content
		for _, c := range choice.ToolCalls {
			if c.FunctionCall != nil {
				reply.Message.ToolCalls = append(reply.Message.ToolCalls, model.ToolCall{ID: c.ID, Name: c.FunctionCall.Name, Arguments: c.FunctionCall.Arguments})
			}
		}
		if choice.StopReason != "" {
			stop = choice.StopReason
		}
		maps.Copy(info, choice.GenerationInfo)
	}
	reply.Usage = usage(info)
	if (m.traits.Reasons && stop == "") || (m.traits.Counts && reply.Usage == nil) {
		return model.Reply{}, &model.Error{Temporary: true, Err: errors.New("the stream ended before the reply did")}
	}
	reply.Finish = finish(stop, len(reply.Message.ToolCalls) > 0)
	return reply, nil
}

// finish puts stop reasons into OpenAI's words.
func finish(stop string, calls bool) string {
	switch stop {
	case "end_turn", "stop_sequence":
		return "stop"
	case "tool_use":
		return "tool_calls"
	case "max_tokens":
		return "length"
	case "":
		if calls {
			return "tool_calls"
		}
		return "stop"
	}
	return stop
}

// usage reads the counts under the names that providers give them; nil where
// there are none.
func usage(info map[string]any) *message.Usage {
	n := func(keys ...string) int {
		sum := 0
		for _, k := range keys {
			v, _ := info[k].(int)
			sum += v
		}
		return sum
	}
	u := message.Usage{
		InputTokens:  n("PromptTokens", "InputTokens", "CacheReadInputTokens", "CacheCreationInputTokens"),
		OutputTokens: n("CompletionTokens", "OutputTokens"),
		CachedTokens: n("PromptCachedTokens", "CacheReadInputTokens"),
	}
	if u == (message.Usage{}) {
		return nil
	}
	return &u
}

// failed says which model failed, and keeps what is known of the failure.
func (m *Model) failed(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("langchain: %s: %w", m.name, context.Cause(ctx))
	}
	e := &model.Error{Temporary: model.Temporary(err)}
	if known := (*model.Error)(nil); errors.As(err, &known) {
		*e, err = *known, known
	}
	e.Err = fmt.Errorf("langchain: %s: %w", m.name, err)
	return e
}
