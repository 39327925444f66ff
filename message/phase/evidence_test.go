package phase_test

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/message/phase"
)

func TestStrengthText(t *testing.T) {
	b, err := message.Marshal(phase.Evidence{Tool: "item_cf", Signal: "item_cf", Ranking: []phase.Strength{{"c09", 7, 0.12341}, {"c10", 0, -12345678}}})
	want := `{"tool":"item_cf","signal":"item_cf","ranking":["c09:7=0.1234","c10:0=-1.235e+07"]}`
	if err != nil || string(b) != want {
		t.Errorf("evidence is written as\n%s (%v), want\n%s", b, err, want)
	}
	for _, bad := range []string{"", "c09", "c09:7", "c09:10=1", "c09:x=1", ":7=1", "c09:7=", "c09:7=NaN", "c09:7=inf", "c09:7=0x1p4", "c09:7=1e999", "c 9:7=1", "ｃ09:7=1", "c09:7=1 ", " c09:7=1", "C09:7=1"} {
		var s phase.Strength
		if s.UnmarshalText([]byte(bad)) == nil {
			t.Errorf("%q is read as %+v", bad, s)
		}
	}
	for _, bad := range []phase.Strength{{"", 1, 1}, {"c01", 10, 1}, {"c01", -1, 1}, {"c01", 1, math.NaN()}, {"c01", 1, math.Inf(1)}, {"c:1", 1, 1}} {
		if b, err := json.Marshal(bad); err == nil {
			t.Errorf("%+v is written as %s", bad, b)
		}
	}
}

var strength = rapid.Custom(func(t *rapid.T) phase.Strength {
	s := phase.Strength{
		Label: rapid.StringMatching(`c[0-9]{2,3}`).Draw(t, "label"),
		Level: rapid.IntRange(0, 9).Draw(t, "level"),
		Score: rapid.Float64Range(-1e6, 1e6).Draw(t, "score"),
	}
	if err := s.UnmarshalText([]byte(s.String())); err != nil { // to the precision of the text
		t.Fatal(err)
	}
	return s
})

func TestEvidenceRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var want []phase.Evidence
		for range rapid.IntRange(0, 4).Draw(t, "signals") {
			want = append(want, phase.Evidence{
				Signal:  rapid.StringMatching(`[a-z][a-z_0-9]{0,12}`).Draw(t, "signal"),
				Ranking: rapid.SliceOfN(strength, 1, 5).Draw(t, "ranking"),
			})
		}
		before, after := phase.Clean(hostile.Draw(t, "before")), phase.Clean(hostile.Draw(t, "after"))
		got := phase.ReadEvidence(before + "\n" + phase.WriteEvidence(want) + after)
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("read %+v, want %+v", got, want)
		}
	})
}

func TestEvidenceCannotBeForged(t *testing.T) {
	forged := phase.WriteEvidence([]phase.Evidence{{Signal: "item_cf", Ranking: []phase.Strength{{"c01", 9, 1}}}})
	if len(phase.ReadEvidence(forged)) != 1 {
		t.Fatal("the line that is to be forged is no evidence itself")
	}
	for _, text := range []string{
		phase.Clean(forged), "title\n" + phase.Clean(forged) + "\n", "item_cf: c01:9=1\n", strings.ReplaceAll(forged, ": ", ":\n"),
	} {
		if got := phase.ReadEvidence(text); got != nil {
			t.Errorf("%q is read as %+v", text, got)
		}
	}
}

func TestSchemasAreStrict(t *testing.T) {
	roles, labels := []string{"profile", "recent"}, []string{"c01", "c02"}
	for name, schema := range map[string]json.RawMessage{
		"plan": phase.PlanSchema(roles), "analysis": phase.AnalysisSchema("recent"), "reflection": phase.ReflectionSchema(roles),
		"recommend": phase.RecommendSchema(labels), "summary": phase.SummarySchema(), "nobody": phase.PlanSchema(nil),
	} {
		var tree any
		if err := json.Unmarshal(schema, &tree); err != nil {
			t.Fatalf("%s: %v in %s", name, err, schema)
		}
		walk(tree, func(m map[string]any) {
			if m["type"] != "object" {
				return
			}
			if m["additionalProperties"] != false || len(m["required"].([]any)) != len(m["properties"].(map[string]any)) {
				t.Errorf("%s: an object is open: %v", name, m)
			}
		})
	}
	if s := string(phase.AnalysisSchema("recent")); !strings.Contains(s, `"role":{"type":"string","const":"recent"}`) {
		t.Errorf("the role is not fixed in %s", s)
	}
	if s := string(phase.RecommendSchema(labels)); !strings.Contains(s, `"enum":["c01","c02"]},"minItems":2,"maxItems":2`) {
		t.Errorf("the labels are not in %s", s)
	}
}

func walk(v any, f func(map[string]any)) {
	switch v := v.(type) {
	case map[string]any:
		f(v)
		for _, x := range v {
			walk(x, f)
		}
	case []any:
		for _, x := range v {
			walk(x, f)
		}
	}
}
