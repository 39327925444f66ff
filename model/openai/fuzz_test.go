package openai_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/model/openai"
)

// canned answers every request with one body, without a network.
type canned struct {
	status int
	media  string
	body   string
}

func (c canned) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: c.status, Header: http.Header{"Content-Type": {c.media}}, Body: io.NopCloser(strings.NewReader(c.body))}, nil
}

// FuzzAnswer: whatever a server sends, there is a reply or an error of ours;
// what was streamed is what the reply says; and no key is told.
func FuzzAnswer(f *testing.F) {
	for _, body := range []string{
		`{"choices":[{"message":{"content":"x","tool_calls":[{"id":"a","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"stop"}]}`,
		`{"choices":[{"message":{"content":[{"type":"text","text":"x"}]}}]}`,
		`{"error":{"message":"` + key + `","code":"429"}}`,
		"data: {\"choices\":[{\"delta\":{\"content\":\"x\",\"tool_calls\":[{\"index\":3,\"function\":{\"arguments\":\"{\"}}]},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n",
		"data: {\"error\":{\"message\":\"" + key + "\"}}\n\n",
		"data: {\"error\":", ": x\n\n", "data:", "\n", "",
	} {
		f.Add(body, 200, true)
		f.Add(body, 200, false)
		f.Add(body, 500, false)
	}
	f.Fuzz(func(t *testing.T, body string, status int, stream bool) {
		media := "application/json"
		req := request(false)
		var streamed strings.Builder
		if stream {
			media = "text/event-stream"
			req.OnChunk = func(c model.Chunk) { streamed.WriteString(c.Content) }
		}
		m, err := openai.New("m", openai.Config{BaseURL: "http://host/v1", Key: key, Base: canned{status, media, body}})
		if err != nil {
			t.Fatal(err)
		}
		reply, err := m.Generate(t.Context(), req)
		if err == nil {
			if stream && streamed.String() != reply.Message.Content {
				t.Errorf("streamed %q, the reply says %q", streamed.String(), reply.Message.Content)
			}
			return
		}
		var ours *model.Error
		if !errors.As(err, &ours) || strings.Contains(err.Error(), key) {
			t.Errorf("error %v", err)
		}
	})
}
