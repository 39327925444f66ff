package openai

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"

	"github.com/mars-rec/mars/model"
)

// answers are replies as servers write them, and not quite as they do.
var answers = []string{
	`{"id":"1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"x\n\"y\"","refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11,"prompt_tokens_details":{"cached_tokens":8,"audio_tokens":0}},"system_fingerprint":"f"}`,
	`{"choices":[{"message":{"content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\": 1}"}},{"id":"b","function":{"name":"g","arguments":""}}]},"finish_reason":"tool_calls"},{"message":{"content":"second"}}],"usage":null}`,
	`{"choices":[{"message":{"content":"","tool_calls":null,"reasoning_content":"hm"},"finish_reason":"length"}],"usage":{"prompt_tokens":0,"completion_tokens":0}}`,
	`{"choices":[{"message":{"content":"a","content":"b"}}]}`, `{"choices":[{"Message":{"content":"a"},"message":{}}]}`,
	`{"choices":[{"message":{"content":[{"type":"text","text":"x"}]}}]}`, `{"choices":[{"message":{"content":"\u00e9"}}]}`,
	`{"choices":[{"message":{"refusal":"no"}}]}`, `{"choices":[{"message":{"MultiContent":[]}}]}`, `{"choices":[]}`, `{"choices":null}`, `{"choices":[null]}`,
	`{"choices":[{"message":{"tool_calls":[{"function":{"arguments":{"x":1}}}]}}]}`, `{"usage":{"prompt_tokens":1.5},"choices":[{}]}`, `[]`, ``,
}

// FuzzUsual: what is read without the client library is read as it does.
func FuzzUsual(f *testing.F) {
	for _, a := range answers {
		f.Add([]byte(a))
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		var got, want model.Reply
		if !usual(answer, &got) {
			return
		}
		if err := byLibrary(answer, &want); err != nil {
			return // something that is not looked at is of another type
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%s is read as %+v, want %+v", answer, got, want)
		}
	})
}

// TestUsualIsUsual: replies of the API's form need no library, spaced or not.
func TestUsualIsUsual(t *testing.T) {
	for _, a := range answers[:3] {
		var spaced bytes.Buffer
		if err := json.Indent(&spaced, []byte(a), " ", "  "); err != nil {
			t.Fatal(err)
		}
		for _, form := range []string{a, spaced.String() + "\n"} {
			if !usual([]byte(form), new(model.Reply)) {
				t.Errorf("%s is left to the library", form)
			}
		}
	}
}
