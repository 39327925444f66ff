package openai

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	goopenai "github.com/sashabaranov/go-openai"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/model"
)

// stream asks for the reply in pieces, passes its content on as it comes, and
// returns the whole.
func (m *Model) stream(ctx context.Context, req model.Request) (model.Reply, error) {
	wire, err := m.request(req)
	if err != nil {
		return model.Reply{}, err
	}
	wire.StreamOptions = &goopenai.StreamOptions{IncludeUsage: true}
	s, err := m.client.CreateChatCompletionStream(ctx, wire)
	if err != nil {
		return model.Reply{}, err
	}
	defer s.Close()
	var a assembly
	for {
		piece, err := s.Recv()
		if errors.Is(err, io.EOF) {
			return a.reply()
		}
		if err != nil {
			return model.Reply{}, midway(err)
		}
		if text := a.add(piece); text != "" {
			req.OnChunk(model.Chunk{Content: text})
		}
	}
}

// midway is a failure within a stream. What a server reports there is taken for
// temporary (an overload, a lost worker) unless it blames the request.
func midway(err error) error {
	var reported *goopenai.APIError
	if !errors.As(err, &reported) {
		return err
	}
	code, _ := reported.Code.(int)
	blamed := reported.Type == "invalid_request_error" || (code >= 400 && code < 500 && code != 429)
	return &model.Error{Status: code, Temporary: !blamed, Err: fmt.Errorf("error in the stream: %s", reported.Message)}
}

// assembly puts the pieces of one reply together.
type assembly struct {
	id, model, finish string
	content, refusal  strings.Builder
	calls             []model.ToolCall
	slots             map[int]int // of a call's index in the stream: its place in calls
	usage             *message.Usage
}

// add takes one piece in and returns the content in it.
func (a *assembly) add(piece goopenai.ChatCompletionStreamResponse) string {
	if piece.ID != "" {
		a.id = piece.ID
	}
	if piece.Model != "" {
		a.model = piece.Model
	}
	if u := usage(piece.Usage); u != nil {
		a.usage = u
	}
	var text string
	for _, choice := range piece.Choices {
		if choice.Index != 0 {
			continue
		}
		text += choice.Delta.Content
		a.refusal.WriteString(choice.Delta.Refusal)
		for _, part := range choice.Delta.ToolCalls {
			a.call(part)
		}
		if choice.FinishReason != "" {
			a.finish = string(choice.FinishReason)
		}
	}
	a.content.WriteString(text)
	return text
}

// call takes in a part of a tool call. Parts of one call share an index; some
// servers give none, or the same one to all calls, and start each with its id.
func (a *assembly) call(part goopenai.ToolCall) {
	slot := len(a.calls) - 1
	if part.Index != nil {
		known, ok := a.slots[*part.Index]
		if slot = known; !ok {
			slot = -1
		}
	}
	if slot < 0 || (part.ID != "" && part.Function.Name != "" && a.calls[slot].ID != part.ID) {
		slot = len(a.calls)
		a.calls = append(a.calls, model.ToolCall{ID: part.ID})
		if part.Index != nil {
			if a.slots == nil {
				a.slots = make(map[int]int)
			}
			a.slots[*part.Index] = slot
		}
	}
	if a.calls[slot].ID == "" {
		a.calls[slot].ID = part.ID
	}
	a.calls[slot].Name += part.Function.Name
	a.calls[slot].Arguments += part.Function.Arguments
}

// reply is the whole, once the stream has ended. A stream that never gave a
// finish reason was cut.
func (a *assembly) reply() (model.Reply, error) {
	if a.finish == "" {
		return model.Reply{}, &model.Error{Temporary: true, Err: errors.New("the stream ended before the reply did")}
	}
	if a.content.Len() == 0 && a.refusal.Len() > 0 {
		return model.Reply{}, permanent("the model refused: %s", a.refusal.String())
	}
	return model.Reply{
		Message: model.Message{Role: model.Assistant, Content: a.content.String(), ToolCalls: a.calls},
		Finish:  a.finish, Model: a.model, ID: a.id, Usage: a.usage,
	}, nil
}
