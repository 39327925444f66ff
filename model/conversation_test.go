package model_test

import (
	"encoding/json"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/model"
)

// TestConversation holds the digests of many conversations of one agent to those
// of each request alone: whatever was said before, and to whom.
func TestConversation(t *testing.T) {
	text := rapid.SampledFrom([]string{"", "rank", "a \"b\"\n<c>", "\u2028\xff", "long enough to fill more than one block of SHA-256, which are of sixty-four bytes"})
	role := rapid.SampledFrom([]model.Role{model.System, model.System, model.User, model.Assistant, model.ToolRole})
	said := rapid.Custom(func(t *rapid.T) model.Message {
		m := model.Message{Role: role.Draw(t, "role"), Content: text.Draw(t, "content")}
		if rapid.IntRange(0, 3).Draw(t, "more") == 0 {
			m.Name, m.ToolCallID = text.Draw(t, "name"), text.Draw(t, "call")
			m.ToolCalls = rapid.SliceOfN(rapid.Just(model.ToolCall{ID: "i", Name: "n", Arguments: `{"k":1}`}), 0, 2).Draw(t, "calls")
		}
		return m
	})
	schema := rapid.SampledFrom([]json.RawMessage{nil, json.RawMessage(`{"type": "object"}`), json.RawMessage(`{"type":"string"}`), json.RawMessage(`{"broken`)})
	rapid.Check(t, func(t *rapid.T) {
		digests := model.NewDigests("gpt")
		for range rapid.IntRange(1, 4).Draw(t, "conversations") {
			conversation := digests.Conversation()
			var messages []model.Message
			for range rapid.IntRange(1, 5).Draw(t, "requests") {
				if rapid.IntRange(0, 4).Draw(t, "anew") == 0 {
					messages = nil
				}
				for range rapid.IntRange(0, 3).Draw(t, "said") {
					m := said.Draw(t, "message")
					if rapid.Bool().Draw(t, "known") {
						b, err := message.Marshal(m)
						if err != nil {
							t.Fatal(err)
						}
						conversation.Knows(m, b)
					}
					messages = append(slices.Clip(messages), m)
				}
				req := model.Request{Messages: messages, Stop: text.Draw(t, "stop")}
				for range rapid.IntRange(0, 2).Draw(t, "tools") {
					req.Tools = append(req.Tools, model.ToolSpec{Name: text.Draw(t, "tool"), Parameters: schema.Draw(t, "parameters")})
				}
				if rapid.Bool().Draw(t, "formatted") {
					req.Format = &model.Format{Name: text.Draw(t, "format"), Schema: schema.Draw(t, "schema")}
				}
				if rapid.Bool().Draw(t, "sampled") {
					req.Sampling.Temperature = new(rapid.SampledFrom([]float64{0, 0.7, math.NaN()}).Draw(t, "temperature"))
				}
				if got, want := conversation.Digest(req), model.Digest("gpt", req); got != want {
					t.Fatalf("the digest of %+v is %s, want %s", req, got, want)
				}
			}
		}
	})
}
