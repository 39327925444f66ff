package ors_test

import (
	"encoding/json"
	"testing"

	"github.com/mars-rec/mars/star/environment/environmenttest"
	"github.com/mars-rec/mars/star/environment/ors"
)

// FuzzCall: whatever is called, the answer is an error in JSON or a stream whose
// pieces make one JSON object.
func FuzzCall(f *testing.F) {
	for _, body := range []string{
		`{"name":"item_cf","input":{"window":"all"}}`, `{"name":"answer","input":{"text":"<recommend>[]</recommend>"}}`, `{"name":"answer","input":null}`,
		`{"name":"","input":{},"task_id":"x"}`, `{"candidates":[{"messages":[{"role":"user","blocks":[{"type":"tool_result"}]}]}]}`, `{"candidates":null}`, `[`,
	} {
		f.Add(body)
	}
	e := environmenttest.New(1)
	h, err := ors.New(e, ors.Config{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body string) {
		s, err := e.Start(t.Context(), "t1")
		if err != nil {
			t.Fatal(err)
		}
		defer e.End(s.ID())
		c := &client{t: t, h: h, sid: s.ID()}
		for _, path := range []string{"/mars/call", "/score_group"} {
			status, answer := c.do("POST", path, body)
			if status != 200 {
				if status >= 500 || !json.Valid([]byte(answer)) {
					t.Errorf("%s %q: %d %s", path, body, status, answer)
				}
				continue
			}
			if _, joined, failure := c.events(answer); failure != "unknown task_id" && !json.Valid([]byte(joined)) {
				t.Errorf("%s %q: %s", path, body, answer)
			}
		}
	})
}
