package openai

import (
	"bytes"
	"context"
	"encoding/json"

	goopenai "github.com/sashabaranov/go-openai"

	"github.com/mars-rec/mars/model"
)

// whole asks for the reply in one piece.
func (m *Model) whole(ctx context.Context, req *model.Request) (reply model.Reply, err error) {
	err = m.http.Post(m.post.WithContext(ctx), func(use func([]byte)) error { return m.encode(req, use) },
		func(answer []byte) error {
			var err error
			reply, err = decode(answer)
			return err
		})
	return reply, err
}

// decode reads a reply. What is not of the usual form is read by the client
// library, whose errors stand.
func decode(answer []byte) (model.Reply, error) {
	if reply, ok := usual(answer); ok {
		return reply, nil
	}
	return byLibrary(answer)
}

func byLibrary(answer []byte) (model.Reply, error) {
	var resp goopenai.ChatCompletionResponse
	if err := json.NewDecoder(bytes.NewReader(answer)).Decode(&resp); err != nil {
		return model.Reply{}, err
	}
	if len(resp.Choices) == 0 {
		return model.Reply{}, permanent("the reply has no choices")
	}
	choice := resp.Choices[0]
	if choice.Message.Refusal != "" && choice.Message.Content == "" {
		return model.Reply{}, permanent("the model refused: %s", choice.Message.Refusal)
	}
	return model.Reply{
		Message: model.Message{Role: model.Assistant, Content: content(choice.Message), ToolCalls: calls(choice.Message.ToolCalls)},
		Finish:  string(choice.FinishReason),
		Model:   resp.Model,
		ID:      resp.ID,
		Usage:   usage(&resp.Usage),
	}, nil
}
