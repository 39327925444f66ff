package phase_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"pgregory.net/rapid"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/message/phase"
)

func TestSpaced(t *testing.T) {
	// The right side is what json.dumps(json.loads(left), ensure_ascii=False)
	// prints, numbers apart.
	for in, want := range map[string]string{
		`{"item":"i7","k":20}`:               `{"item": "i7", "k": 20}`,
		`{"b":1,"a":[1,2,{"c":null}]}`:       `{"b": 1, "a": [1, 2, {"c": null}]}`,
		"{ \"a\" :\n[ ] , \"b\":{ } }":       `{"a": [], "b": {}}`,
		`{"t":"a,b: c","u":"\u00e9<&>\/"}`:   `{"t": "a,b: c", "u": "é<&>/"}`,
		`"\u2028\u001f\u007f\"\\\b\f\n\r\t"`: "\"\u2028\\u001f\u007f\\\"\\\\\\b\\f\\n\\r\\t\"",
		`["\ud83d\ude00",1e5,1.50,-0]`:       `["😀", 1e5, 1.50, -0]`,
		`true`:                               `true`,
	} {
		got, err := phase.Spaced(json.RawMessage(in))
		if err != nil || got != want {
			t.Errorf("%s is written as\n%s (%v), want\n%s", in, got, err, want)
		}
	}
	for _, bad := range []string{"", "{", `{"a":1}x`, `{'a':1}`, "{\"a\":\"\n\"}"} {
		if got, err := phase.Spaced(json.RawMessage(bad)); err == nil {
			t.Errorf("%q is written as %s", bad, got)
		}
	}
}

func TestSpacedKeepsTheValue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		raw := must(message.Marshal(map[string]any{hostile.Draw(t, "key"): []any{hostile.Draw(t, "text"), rapid.Float64().Draw(t, "number"), nil, true}}))
		spaced, err := phase.Spaced(raw)
		if err != nil {
			t.Fatal(err)
		}
		var a, b any
		if json.Unmarshal(raw, &a) != nil || json.Unmarshal([]byte(spaced), &b) != nil || !bytes.Equal(must(message.Marshal(a)), must(message.Marshal(b))) {
			t.Fatalf("%s becomes %s", raw, spaced)
		}
		again, err := phase.Spaced(json.RawMessage(spaced))
		if err != nil || again != spaced {
			t.Fatalf("%s becomes %s (%v)", spaced, again, err)
		}
	})
}
