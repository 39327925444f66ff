package rest_test

import (
	"encoding/json"
	"testing"

	"github.com/mars-rec/mars/star/environment"
	"github.com/mars-rec/mars/star/environment/environmenttest"
	"github.com/mars-rec/mars/star/environment/rest"
)

// FuzzRequest: whatever is sent to a session, the answer is JSON, and nothing is
// the server's fault.
func FuzzRequest(f *testing.F) {
	for _, s := range [][2]string{
		{"call", `{"name":"item_cf","arguments":"{\"window\":\"all\"}"}`}, {"call", `{"name":"user_history","arguments":{"last":"3"}}`},
		{"step", `{"message":{"role":"assistant","content":null,"tool_calls":[{"function":{"name":"f","arguments":null}}]}}`},
		{"answer", `{"text":"<plan>\u0000"}`}, {"answer", `{"messages":[{"role":"tool"},{"role":"assistant","tool_calls":[{}]}]}`}, {"answer", `[`}, {"", ``},
	} {
		f.Add(s[0], s[1])
	}
	e := environmenttest.New(1)
	h, err := rest.New(e, environment.Access{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, action, body string) {
		for _, known := range []string{"call", "step", "answer"} {
			if action != known {
				continue
			}
			s, err := e.Start(t.Context(), "t1")
			if err != nil {
				t.Fatal(err)
			}
			defer e.End(s.ID())
			c := &client{t: t, h: h}
			if status, answer := c.do("POST", "/v1/sessions/"+s.ID()+"/"+action, body, "Content-Type", "application/json"); status >= 500 || !json.Valid([]byte(answer)) {
				t.Errorf("%s %q: %d %s", action, body, status, answer)
			}
		}
	})
}
