package export

import (
	"encoding/json"
	"testing"

	"pgregory.net/rapid"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/message/rawjson"
	"github.com/mars-rec/mars/model"
)

// TestRowsAreWrittenAsByEncodingJSON compares the rows that write themselves.
func TestRowsAreWrittenAsByEncodingJSON(t *testing.T) {
	text := rapid.OneOf(rapid.Just(""), rapid.String(), rapid.SampledFrom([]string{"a \"b\"\n<c> \\", "\xff\u2028", "é"}))
	texts := rapid.OneOf(rapid.Just([]string(nil)), rapid.SliceOfN(text, 0, 3))
	rapid.Check(t, func(t *rapid.T) {
		message1 := chatMessage{Role: model.Role(text.Draw(t, "role")), Name: text.Draw(t, "name"), Content: text.Draw(t, "content"), Answers: text.Draw(t, "answers")}
		if rapid.Bool().Draw(t, "calls") {
			message1.ToolCalls = []chatCall{{text.Draw(t, "id"), "function", chatFunction{text.Draw(t, "tool"), text.Draw(t, "arguments")}}, {}}
		}
		chat := chatRow{[]chatMessage{message1, {}}, text.Draw(t, "tools"), text.Draw(t, "run"), texts.Draw(t, "candidates")}
		for _, row := range []any{chat, chatRow{}, openAIRow{chat.Messages, json.RawMessage(`[{"a": 1}]`)}, openAIRow{},
			sharegptRow{[]sharegptTurn{{text.Draw(t, "from"), text.Draw(t, "value")}}, chat.Tools, chat.Tools, chat.Run, chat.Candidates}, sharegptRow{},
			textRow{chat.Tools, [][]int{{1, 20}, nil, {}}, chat.Run, chat.Candidates}, textRow{}} {
			w := rawjson.NewWriter(nil)
			writeRow(w, row)
			got, ok := w.Done()
			want, err := message.Marshal(row)
			if !ok || err != nil || string(got) != string(want) {
				t.Fatalf("%T is written as\n%s (%v), want\n%s (%v)", row, got, ok, want, err)
			}
		}
	})
}
