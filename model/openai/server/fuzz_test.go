package server_test

import (
	"context"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/model/modeltest"
	"github.com/mars-rec/mars/model/openai/server"
)

// FuzzRequest: whatever a client sends, the answer is one of the API's: a
// completion, a stream, or an error that says what is wrong with the request.
func FuzzRequest(f *testing.F) {
	for _, body := range []string{
		hello,
		`{"model":"m","stream":true,"messages":[{"role":"user","content":[{"type":"text","text":"x"}]}]}`,
		`{"model":"m","messages":[{"role":"assistant","content":null,"tool_calls":[{"id":"a","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"a","content":""}]}`,
		`{"model":"m","messages":[{"role":"user"}],"tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"auto","response_format":{"type":"json_schema","json_schema":{"name":"x","schema":{}}},"stop":[],"seed":1,"temperature":0}`,
		`{"model":"m","messages":[{"role":"user","content":"x"}],"stop":7}`, `[]`, ``,
	} {
		f.Add(body)
	}
	echo := model.Func(func(_ context.Context, req model.Request) (model.Reply, error) {
		if f := req.Format; f != nil && !json.Valid(f.Schema) {
			f.Schema = nil
		}
		return modeltest.Say(req.Messages[0].Content), nil
	})
	h := server.New(echo, server.Config{Name: "m", Clock: clock})
	f.Fuzz(func(t *testing.T, body string) {
		resp := post(h, chat, body)
		answer, _ := io.ReadAll(resp.Body)
		if resp.StatusCode >= 500 {
			t.Errorf("status %d: %s", resp.StatusCode, answer)
		}
		if strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") && !json.Valid(answer) {
			t.Errorf("not JSON: %q", answer)
		}
	})
}
