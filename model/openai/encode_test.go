package openai_test

import (
	"encoding/json"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/model/openai"
)

// sent returns the body of a request, and answers it with nothing.
type sent struct{ body string }

func (s *sent) RoundTrip(r *http.Request) (*http.Response, error) {
	text, err := io.ReadAll(r.Body)
	s.body = string(text)
	return &http.Response{StatusCode: 500, Header: http.Header{}, Body: http.NoBody}, err
}

// TestWholeIsAskedAsAStreamIs: the client library writes the requests for
// streams, we write those for whole replies: they say the same.
func TestWholeIsAskedAsAStreamIs(t *testing.T) {
	text := rapid.StringN(0, 20, -1)
	number := rapid.Ptr(rapid.SampledFrom([]float64{0, 0.5, 1, 0.25}), true)
	seed := rapid.Ptr(rapid.Int64Range(0, 1<<31), true)
	call := rapid.Custom(func(t *rapid.T) model.ToolCall {
		return model.ToolCall{ID: text.Draw(t, "id"), Name: text.Draw(t, "name"), Arguments: text.Draw(t, "arguments")}
	})
	schema := rapid.SampledFrom([]string{`{"type":"object"}`, ` { "type" : "object", "properties" : { "k" : {"default":1.50} } } `, `{"type":`, ``})
	rapid.Check(t, func(t *rapid.T) {
		var req model.Request
		for range rapid.IntRange(0, 3).Draw(t, "messages") {
			req.Messages = append(req.Messages, model.Message{
				Role:    rapid.SampledFrom([]model.Role{model.System, model.User, model.Assistant, model.ToolRole}).Draw(t, "role"),
				Content: text.Draw(t, "content"), Name: text.Draw(t, "name"), ToolCallID: text.Draw(t, "call"),
				ToolCalls: rapid.SliceOfN(call, 0, 2).Draw(t, "calls"),
			})
		}
		for range rapid.IntRange(0, 2).Draw(t, "tools") {
			req.Tools = append(req.Tools, model.ToolSpec{Name: text.Draw(t, "tool"), Description: text.Draw(t, "description"), Parameters: []byte(schema.Draw(t, "parameters"))})
		}
		if rapid.Bool().Draw(t, "format") {
			req.Format = &model.Format{Name: text.Draw(t, "format"), Schema: []byte(schema.Draw(t, "schema"))}
		}
		req.Stop = text.Draw(t, "stop")
		req.Sampling = model.Sampling{Temperature: number.Draw(t, "temperature"), TopP: number.Draw(t, "top_p"),
			MaxTokens: rapid.IntRange(0, 9).Draw(t, "max"), Seed: seed.Draw(t, "seed")}
		far := &sent{}
		m, err := openai.New(rapid.SampledFrom([]string{"m", "o3-mini", "gpt-5"}).Draw(t, "model"), openai.Config{BaseURL: "http://host/v1", Base: far,
			Mode: rapid.SampledFrom([]openai.Mode{openai.Schema, openai.JSON, openai.Text}).Draw(t, "mode")})
		if err != nil {
			t.Fatal(err)
		}
		_, err = m.Generate(t.Context(), req)
		whole := far.body
		far.body = ""
		req.OnChunk = func(model.Chunk) {}
		_, errStream := m.Generate(t.Context(), req)
		if whole == "" || far.body == "" {
			if whole != far.body || !strings.HasPrefix(err.Error(), "openai: ") {
				t.Fatalf("whole: %s (%v); stream: %s (%v)", whole, err, far.body, errStream)
			}
			return
		}
		var got, want map[string]any
		if err := json.Unmarshal([]byte(whole), &got); err != nil {
			t.Fatalf("%s: %v", whole, err)
		}
		if err := json.Unmarshal([]byte(far.body), &want); err != nil {
			t.Fatal(err)
		}
		delete(want, "stream")
		delete(want, "stream_options")
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("whole:  %s\nstream: %s", whole, far.body)
		}
	})
}
