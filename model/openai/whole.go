package openai

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"sync"

	goopenai "github.com/sashabaranov/go-openai"

	"github.com/mars-rec/mars/model"
)

// replies are for answers while they are read. Nothing stays in them.
var replies = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// whole asks for the reply in one piece.
func (m *Model) whole(ctx context.Context, req model.Request) (model.Reply, error) {
	body, err := m.encode(req)
	if err != nil {
		return model.Reply{}, err
	}
	post := m.post.WithContext(ctx)
	post.ContentLength = int64(len(body))
	post.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	post.Body, _ = post.GetBody()
	buf := replies.Get().(*bytes.Buffer)
	defer replies.Put(buf)
	buf.Reset()
	if err := m.http.Read(post, buf); err != nil {
		return model.Reply{}, err
	}
	return decode(buf.Bytes())
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
