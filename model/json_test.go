package model_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/message/messagetest"
	"github.com/mars-rec/mars/model"
)

// FuzzBodies holds how prompts and replies read and write their JSON to
// encoding/json.
func FuzzBodies(f *testing.F) {
	const message = `{"role":"assistant","content":"a \"b\"\n","tool_calls":[{"id":"i","name":"n","arguments":"{\"k\":1}"},{"id":"","name":"","arguments":""}],"tool_call_id":"c","name":"t"}`
	for _, s := range []string{message, `{"message":` + message + `,"finish":"stop"}`, `{"message":{"role":"user","content":"x"}}`, `{"role":"user","content":"","tool_calls":[]}`,
		`{"role":"user","content":"","tool_calls":null}`, `{"content":"x","role":"user"}`, `{"role":"user","content":"x","name":""}`, `{"role":"user","content":"x","Ref":"1"}`, `{"role":1,"content":""}`, `{}`, `null`, ``} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		messagetest.JSON[model.Message](t, text)
		messagetest.JSON[model.Output](t, text)
	})
}

// TestDigestIsOfTheJSON holds digests to what they are defined by: SHA-256 over
// the version, the name and the request, as encoding/json writes them.
func TestDigestIsOfTheJSON(t *testing.T) {
	half, seed := 0.5, int64(-3)
	user := model.Message{Ref: "1.1", Role: model.User, Content: "a <b> & \"c\"\u2028\xff"}
	for _, req := range []model.Request{
		{}, {Messages: []model.Message{}}, {Messages: []model.Message{user, {Role: model.Assistant, ToolCalls: []model.ToolCall{{ID: "i", Name: "n", Arguments: `{"k":1}`}}}}},
		{Messages: []model.Message{user}, Tools: []model.ToolSpec{{Name: "n", Description: "d", Parameters: json.RawMessage(`{ "type": "object" }`)}, {Name: "none"}}},
		{Format: &model.Format{Name: "f", Schema: json.RawMessage(`{"a":[1, 2]}`)}, Sampling: model.Sampling{Temperature: &half, TopP: new(1e-9), MaxTokens: 7, Seed: &seed}},
		{Stop: "</end>", Sampling: model.Sampling{Seed: &seed}, OnChunk: func(model.Chunk) {}},
		{Format: &model.Format{Name: "broken", Schema: json.RawMessage(`{"a":`)}},
		{Tools: []model.ToolSpec{{Parameters: json.RawMessage(``)}}},
	} {
		var plain strings.Builder
		enc := json.NewEncoder(&plain)
		enc.SetEscapeHTML(false)
		text := "model/1gpt"
		if err := enc.Encode([]any{"model/1", "gpt", req}); err != nil {
			text += err.Error()
		} else {
			text = strings.TrimSuffix(plain.String(), "\n")
		}
		sum := sha256.Sum256([]byte(text))
		if got, want := model.Digest("gpt", req), "model/1:"+hex.EncodeToString(sum[:]); got != want {
			t.Errorf("%+v: digest %s, want %s over %s", req, got, want, text)
		}
	}
	b, err := message.Marshal([]any{"tool/1", "n", `{"k": 1}`})
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(b)
	if got, want := model.CallDigest(model.ToolCall{ID: "x", Name: "n", Arguments: `{"k": 1}`}), "tool/1:"+hex.EncodeToString(sum[:]); got != want {
		t.Errorf("digest of a call %s, want %s", got, want)
	}
}
