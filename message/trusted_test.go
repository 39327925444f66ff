package message_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/tools"
)

// TestTrusted reads what Marshal wrote alike whether it is trusted or not.
func TestTrusted(t *testing.T) {
	values := []string{"", "null", "1", `"}"`, `"a\"}"`, "{}", "[]", `{"error":"x"}`, `[{"error":"x"}]`, `{"a":[1,{"b":"}"}]}`, `"{}"`}
	rapid.Check(t, func(t *rapid.T) {
		want := tools.Result{
			Call:  rapid.String().Draw(t, "call"),
			Tool:  rapid.SampledFrom([]string{"", "item_cf", `"}`}).Draw(t, "tool"),
			Value: json.RawMessage(rapid.SampledFrom(values).Draw(t, "value")),
			Error: rapid.SampledFrom([]string{"", "no such item", `{"a":[]}`, "}"}).Draw(t, "error"),
		}
		body, err := message.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		e := message.Envelope{ID: message.Root, Kind: want.Kind(), Body: body}
		plain, err := message.Decode[tools.Result](e)
		if err != nil {
			t.Fatal(err)
		}
		trusted, err := message.Decode[tools.Result](e.Trusted())
		if err != nil || !reflect.DeepEqual(trusted, plain) {
			t.Fatalf("%s is read as %+v (%v) when it is trusted, otherwise as %+v", body, trusted, err, plain)
		}
	})
}
