package export

import (
	"encoding/json"
	"testing"

	"pgregory.net/rapid"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/message/rawjson"
	"github.com/mars-rec/mars/model"
)

// FuzzLabelled holds the look at the bytes of an answer to the decoded one: what
// it lets pass does not tell of the item.
func FuzzLabelled(f *testing.F) {
	for _, s := range []string{`{"items":[{"item":"i2","title":"x","label":"c02"}]}`, `[{"label":"c02","item":"i2","n":[1,{}]}]`, `{"item":"i2","label":"c02","label":"c01"}`,
		`{"item":"i2","label":"c02","item":"i3"}`, `{"item":"i2","label":"c02","items":["i2"]}`, `{"items":["i2"]}`, `{"history":[1,"i2"]}`, `{"item":"\u00692"}`, `{"\u0069tem":"i2"}`,
		`{"text":"\"i2\""}`, `{"text":"{\"item\":\"i2\"}"}`, `{"item":"i2","label":2}`, `{"item": "i2", "label":"c02"}`, `{"label":"c02","item":"i2","label":"c03"}`, `{"i2":"i2"}`,
		`{"a":{"item":"i2","label":"c02","b":{"item":"i2"}}}`, `{"item":"i2","label":"c02"`, `"i2"`, `i2`, ``} {
		f.Add(s, "i2", "c02")
		f.Add(s, "i2", "")
	}
	f.Add(`{"item":"a\/b"}`, "a/b", "")
	f.Add(`{"item":"a\"b"}`, `a"b`, "")
	f.Fuzz(func(t *testing.T, text, item, label string) {
		var answer any
		if json.Unmarshal([]byte(text), &answer) == nil && told(answer, item, label) && labelled(text, item, label) {
			t.Fatalf("%s tells of %q beside %q, and passes", text, item, label)
		}
	})
}

// TestLabelledPasses has the forms in which tools name a candidate.
func TestLabelledPasses(t *testing.T) {
	for _, s := range []string{`{"items":[{"item":"i2","title":"a \"b\"","label":"c02"},{"item":"i9"}]}`, `[{"label":"c02","item":"i2","degree":5}]`, `{"evidence":["c02 \"i2\""]}`} {
		if !labelled(s, "i2", "c02") {
			t.Errorf("%s is decoded", s)
		}
	}
}

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
