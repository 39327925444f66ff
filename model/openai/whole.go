package openai

import (
	"bytes"
	"context"
	"encoding/json"

	goopenai "github.com/sashabaranov/go-openai"

	"github.com/mars-rec/mars/model"
)

// whole asks for the reply in one piece.
func (m *Model) whole(ctx context.Context, req *model.Request, reply *model.Reply) error {
	return m.http.Post(m.post.WithContext(ctx), func(use func([]byte)) error { return m.encode(req, use) },
		func(answer []byte) error { return decode(answer, reply) })
}

// decode reads a reply. What is not of the usual form is read by the client
// library, whose errors stand.
func decode(answer []byte, reply *model.Reply) error {
	if usual(answer, reply) {
		return nil
	}
	return byLibrary(answer, reply)
}

func byLibrary(answer []byte, reply *model.Reply) error {
	var resp goopenai.ChatCompletionResponse
	if err := json.NewDecoder(bytes.NewReader(answer)).Decode(&resp); err != nil {
		return err
	}
	if len(resp.Choices) == 0 {
		return permanent("the reply has no choices")
	}
	choice := resp.Choices[0]
	if choice.Message.Refusal != "" && choice.Message.Content == "" {
		return permanent("the model refused: %s", choice.Message.Refusal)
	}
	*reply = model.Reply{
		Message: model.Message{Role: model.Assistant, Content: content(choice.Message), ToolCalls: calls(choice.Message.ToolCalls)},
		Finish:  string(choice.FinishReason),
		Model:   resp.Model,
		ID:      resp.ID,
		Usage:   usage(&resp.Usage),
	}
	return nil
}
