package filter

import (
	"encoding/json"
	"testing"
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
