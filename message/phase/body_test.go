package phase_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/message/messagetest"
	"github.com/mars-rec/mars/message/phase"
)

// TestBriefHeard writes a brief whose analyses were heard, with their JSON and
// without, as one that was made whole.
func TestBriefHeard(t *testing.T) {
	one := phase.Analysis{Role: "recent", Summary: "a \"b\"", Claims: []string{"c"}}
	two := phase.Analysis{Role: "profile", Summary: "d", Claims: []string{}, Evidence: []phase.Evidence{{Tool: "t", Signal: "s", Ranking: []phase.Strength{{Label: "c01", Level: 9, Score: 0.5}}}}}
	want, err := message.Marshal(phase.Brief{Goal: "g", Analyses: []phase.Analysis{one, two, one}})
	if err != nil {
		t.Fatal(err)
	}
	for known := range 8 { // which of them come with their JSON
		b := phase.Brief{Goal: "g"}
		for i, a := range []phase.Analysis{one, two, one} {
			var written json.RawMessage
			if known&(1<<i) != 0 {
				if written, err = message.Marshal(a); err != nil {
					t.Fatal(err)
				}
			}
			if i == 0 && written == nil {
				b.Analyses = append(b.Analyses, a)
			} else {
				b.Heard(a, written)
			}
		}
		if got, err := message.Marshal(b); err != nil || string(got) != string(want) {
			t.Errorf("heard %b: %s (%v), want %s", known, got, err, want)
		}
	}
}

// FuzzBodies holds how bodies read and write their JSON to encoding/json.
func FuzzBodies(f *testing.F) {
	const analysis = `{"role":"recent","summary":"s \"q\"","claims":["a","b\n"],"evidence":[{"call":"c1","tool":"item_cf","signal":"item_cf","ranking":["c09:7=0.1234","c1:0=-1e-05"]},{"tool":"t","signal":"","ranking":null}]}`
	const plan = `{"summary":"s","subtasks":[{"role":"recent","goal":"g","collaborative":true},{"role":"","goal":"","collaborative":false}]}`
	const reflection = `{"verdict":"revise","issues":["i"],"subtasks":[{"role":"r","goal":"g","collaborative":false}]}`
	for _, s := range []string{analysis, plan, reflection,
		`{"role":"r","summary":"s","claims":null}`, `{"role":"r","summary":"s","claims":[],"evidence":[]}`, `{"role":"r","summary":"s","claims":[],"evidence":[{"tool":"t","signal":"s","ranking":["c1:10=1"]}]}`,
		`{"role":"r","summary":"s","claims":[],"evidence":[{"tool":"t","signal":"s","ranking":[{"label":"c1","level":1,"score":2}]}]}`,
		`{"Role":"r","SUMMARY":"s","claims":["x"]}`, `{"summary":"a","summary":"b"}`, `{"verdict":"accept","issues":[],"subtasks":[]}`,
		`{"ranking":["c02","c01"],"justification":"it is"}`, `{"ranking":[]}`, `{"ranking":null,"justification":""}`, `{"ranking":[1]}`, `{ "ranking" : [ ] }`,
		`{"goal":"g","round":1,"roles":["a"],"plan":` + plan + `,"analyses":[` + analysis + `],"reflection":` + reflection + `}`,
		`{"evidence":["x"],"rankings":[{"tool":"t","signal":"s","ranking":["c1:1=2"]}],"more":{}}`, `{"rankings":null}`, `{"rankings":[],"Rankings":[{}]}`, `{"rankings":[],"rankings":null}`,
		`{"more":{"x":1,"rankings":[{"tool":"t"}]},"rankings":null}`, `{"more":"\",\"rankings\":[]}","rankings":[{"ranking":["c1:1=2"]}]}`, `{"more":1,"rankings":[],"last":{"x":1,"rankings":[{"signal":"s"}]}}`,
		`{}`, `{"round":1.0}`, `{"round":-1}`, `{"round":99999999999999999999}`, `{"plan":null,"analyses":null}`, `{"goal":"","roles":[]}`, `{"goal":"\u00e9\ud800"}`, "{\"goal\":\"\xff\"}", `null`, `[]`, ``} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		messagetest.JSON[phase.Plan](t, text)
		messagetest.JSON[phase.Analysis](t, text)
		messagetest.JSON[phase.Reflection](t, text)
		messagetest.JSON[phase.Recommend](t, text)
		messagetest.JSON[phase.Brief](t, text)

		var got, want phase.Rankings
		err, wantErr := message.Unmarshal(text, &got), json.Unmarshal(text, &want)
		if (err == nil) != (wantErr == nil) || err == nil && !reflect.DeepEqual(got, want) {
			t.Fatalf("%q has the rankings %+v (%v), by encoding/json %+v (%v)", text, got, err, want, wantErr)
		}
		// What a tool returns is written from a struct: each key once.
		var value struct {
			More     any              `json:"more,omitempty"`
			Rankings []phase.Evidence `json:"rankings"`
			Last     any              `json:"last,omitempty"`
		}
		if json.Unmarshal(text, &value) != nil {
			return
		}
		written, err := message.Marshal(value)
		if err != nil {
			return // a strength that has no text
		}
		got, want = phase.Rankings{}, phase.Rankings{}
		if err := message.Reread(written, &got); err != nil || json.Unmarshal(written, &want) != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%s has the rankings %+v (%v), by encoding/json %+v", written, got, err, want)
		}
	})
}
