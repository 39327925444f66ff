package rest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/mars-rec/mars/star/environment"
	"github.com/mars-rec/mars/star/environment/environmenttest"
	"github.com/mars-rec/mars/star/environment/rest"
)

// client talks to a handler and keeps every byte that it is sent.
type client struct {
	t    *testing.T
	h    http.Handler
	sent strings.Builder
}

func connect(t *testing.T, e *environment.Environment, access environment.Access) *client {
	t.Helper()
	h, err := rest.New(e, access)
	if err != nil {
		t.Fatal(err)
	}
	return &client{t: t, h: h}
}

// do sends a request and returns the status and the answer. Each pair sets a
// header; "Host" sets the host.
func (c *client) do(method, path, body string, headers ...string) (int, string) {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Host = "127.0.0.1:8090"
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		if r.Header.Set(headers[i], headers[i+1]); headers[i] == "Host" {
			r.Host = headers[i+1]
		}
	}
	w := httptest.NewRecorder()
	c.h.ServeHTTP(w, r)
	fmt.Fprintln(&c.sent, w.Code, w.Header(), w.Body)
	return w.Code, w.Body.String()
}

// must is do for a request that succeeds.
func (c *client) must(method, path, body string, into any) {
	c.t.Helper()
	status, answer := c.do(method, path, body)
	if status >= 300 {
		c.t.Fatalf("%s %s: %d %s", method, path, status, answer)
	}
	if into == nil {
		return
	}
	if err := json.Unmarshal([]byte(answer), into); err != nil {
		c.t.Fatal(err)
	}
}

func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

type outcome struct {
	Finished bool
	Reward   *float64
	Parts    map[string]float64
	Note     string
}

// episode plays the scripted policy by single calls and returns the outcome.
func (c *client) episode() (session string, o outcome) {
	c.t.Helper()
	var begun struct {
		Session  string
		Messages []struct{ Role, Content string }
	}
	c.must("POST", "/v1/sessions", `{"task":"t1"}`, &begun)
	for _, call := range environmenttest.Calls() {
		c.must("POST", "/v1/sessions/"+begun.Session+"/call", text(map[string]any{"name": call.Name, "arguments": call.Arguments}), nil)
	}
	first, last := environmenttest.Words(labels())
	c.must("POST", "/v1/sessions/"+begun.Session+"/answer", text(map[string]string{"text": first + last}), &o)
	return begun.Session, o
}

func labels() []string { return environmenttest.New(0).Tasks()[0].Labels() }

func TestEpisode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // which also finds goroutines that stay behind
		for right, want := range map[int]float64{1: 2, 2: 1 + 2./3, 5: 1 + 1./3, 9: 1} {
			c := connect(t, environmenttest.New(right), environment.Access{})
			session, o := c.episode()
			if o.Reward == nil || *o.Reward < want-1e-9 || *o.Reward > want+1e-9 || len(o.Parts) != 2 || !o.Finished {
				t.Errorf("right is %d: %+v, want %g", right, o, want)
			}
			var again outcome
			if c.must("GET", "/v1/sessions/"+session, "", &again); *again.Reward != *o.Reward {
				t.Errorf("the state tells %+v", again)
			}
		}
		c := connect(t, environmenttest.New(0), environment.Access{})
		if _, o := c.episode(); o.Reward != nil || o.Parts["format"] != 1 {
			t.Errorf("without gold: %+v", o)
		}
	})
}

// TestStepsAndConversations: a trainer that sends whole messages, and one that
// sends the conversation at the end, in the forms that trainers have.
func TestStepsAndConversations(t *testing.T) {
	c := connect(t, environmenttest.New(1), environment.Access{})
	var begun struct{ Session string }
	c.must("POST", "/v1/sessions", `{"index":0}`, &begun)
	first, last := environmenttest.Words(labels())
	said := map[string]any{"role": "assistant", "content": first, "reasoning_content": "hm", "tool_calls": []any{
		map[string]any{"type": "function", "id": "a", "function": map[string]any{"name": "user_profile", "arguments": map[string]any{}}},
		map[string]any{"type": "function", "id": "b", "function": map[string]any{"name": "item_cf", "arguments": `{"window":"all"}`}},
	}}
	var heard struct {
		Messages []map[string]any
		outcome
	}
	c.must("POST", "/v1/sessions/"+begun.Session+"/step", text(map[string]any{"message": said}), &heard)
	if len(heard.Messages) != 2 || heard.Messages[1]["tool_call_id"] != "b" || heard.Finished {
		t.Fatalf("heard %v", heard)
	}
	c.must("POST", "/v1/sessions/"+begun.Session+"/step", text(map[string]any{"message": map[string]any{"role": "assistant", "content": last}}), &heard)
	if !heard.Finished || *heard.Reward != 2 {
		t.Errorf("the last step gives %+v", heard.outcome)
	}

	c.must("POST", "/v1/sessions", `{"index":0}`, &begun)
	for _, m := range heard.Messages {
		delete(m, "tool_call_id") // as TRL has it
	}
	said["tool_calls"].([]any)[0].(map[string]any)["id"] = ""
	said["tool_calls"].([]any)[1].(map[string]any)["id"] = ""
	conversation := []any{said,
		map[string]any{"role": "tool", "name": "user_profile", "content": "{}"},
		map[string]any{"role": "tool", "name": "item_cf", "content": "{}"},
		map[string]any{"role": "assistant", "content": last}}
	var o outcome
	if c.must("POST", "/v1/sessions/"+begun.Session+"/answer", text(map[string]any{"messages": conversation}), &o); *o.Reward != 2 {
		t.Errorf("the conversation gets %+v", o)
	}
}

func TestAttacks(t *testing.T) {
	e := environmenttest.New(1)
	c := connect(t, e, environment.Access{Token: "t0k"})
	c2 := connect(t, e, environment.Access{})
	ended, _ := c2.episode()
	var begun struct{ Session string }
	c2.must("POST", "/v1/sessions", `{"task":"t1"}`, &begun)
	own := []string{"Authorization", "Bearer t0k"}
	for _, a := range []struct {
		name, method, path, body string
		headers                  []string
		status                   int
		want                     string
	}{
		{"a second answer", "POST", "/v1/sessions/" + ended + "/answer", `{"text":"x"}`, own, 409, "ended"},
		{"a call after the end", "POST", "/v1/sessions/" + ended + "/call", `{"name":"user_profile"}`, own, 409, "ended"},
		{"a step after the end", "POST", "/v1/sessions/" + ended + "/step", `{"message":{"role":"assistant","content":"x"}}`, own, 409, "ended"},
		{"a session that is not there", "POST", "/v1/sessions/0123456789abcdef0123456789abcdef/call", `{"name":"user_profile"}`, own, 404, "no_session"},
		{"a session by a part of its id", "GET", "/v1/sessions/" + begun.Session[:8], "", own, 404, "no_session"},
		{"a list of the sessions", "GET", "/v1/sessions", "", own, 404, "not_found"},
		{"a path out of the sessions", "GET", "/v1/sessions/..%2f..%2fgold.jsonl", "", own, 404, "no_session"},
		{"a task that is not there", "POST", "/v1/sessions", `{"task":"t2"}`, own, 404, "no_task"},
		{"a place that is not there", "POST", "/v1/sessions", `{"index":1}`, own, 400, "there are 1 tasks"},
		{"no task at all", "POST", "/v1/sessions", `{}`, own, 400, "one of the two"},
		{"an unknown field", "POST", "/v1/sessions", `{"task":"t1","gold":true}`, own, 400, "gold"},
		{"two values", "POST", "/v1/sessions", `{"task":"t1"}{}`, own, 400, "more after"},
		{"no JSON", "POST", "/v1/sessions", `task=t1`, own, 400, "invalid_request"},
		{"a form", "POST", "/v1/sessions", `{"task":"t1"}`, append([]string{"Content-Type", "text/plain"}, own...), 415, "application/json"},
		{"a user's message", "POST", "/v1/sessions/" + begun.Session + "/step", `{"message":{"role":"user"}}`, own, 400, "want assistant"},
		{"an answer without words", "POST", "/v1/sessions/" + begun.Session + "/answer", `{}`, own, 400, "one of the two"},
		{"a body without an end", "POST", "/v1/sessions", `{"task":"` + strings.Repeat("x", 1<<20) + `"}`, own, 413, "longer than"},
		{"another host", "GET", "/health", "", []string{"Host", "evil.example"}, 403, "evil.example"},
		{"another origin", "GET", "/v1/tasks", "", append([]string{"Origin", "https://evil.example"}, own...), 403, "evil.example"},
		{"no token", "GET", "/v1/tasks", "", nil, 401, "token"},
		{"a wrong token", "GET", "/v1/sessions/" + begun.Session, "", []string{"Authorization", "Bearer x"}, 401, "token"},
		{"far in the list", "GET", "/v1/tasks?offset=2", "", own, 400, "offset"},
		{"too much of the list", "GET", "/v1/tasks?limit=1001", "", own, 400, "limit"},
	} {
		t.Run(a.name, func(t *testing.T) {
			status, answer := c.do(a.method, a.path, a.body, a.headers...)
			var e struct {
				Error struct{ Kind, Message string }
			}
			if err := json.Unmarshal([]byte(answer), &e); err != nil || e.Error.Kind == "" || e.Error.Message == "" {
				t.Errorf("the error has another form: %s", answer)
			}
			if status != a.status || !strings.Contains(answer, a.want) {
				t.Errorf("%d %s; want %d, %s", status, answer, a.status, a.want)
			}
		})
	}
	if status, _ := c.do("DELETE", "/v1/sessions/"+begun.Session, "", own...); status != 204 {
		t.Errorf("a session ends with %d", status)
	}
	if status, _ := c.do("GET", "/v1/sessions/"+begun.Session, "", own...); status != 404 {
		t.Errorf("a session that was ended: %d", status)
	}
}

// TestGoldStaysInside: two servers that differ only in which item is right,
// where the policy gets the same reward, send the same bytes.
func TestGoldStaysInside(t *testing.T) {
	sent := map[string]int{}
	for right := 6; right <= 12; right++ {
		c := connect(t, environmenttest.New(right), environment.Access{})
		_, o := c.episode()
		if *o.Reward != 1 {
			t.Fatalf("the reward is %g", *o.Reward)
		}
		for _, path := range []string{"/health", "/openapi.json", "/v1/tools", "/v1/tasks", "/v1/gold", "/v1/sessions/x"} {
			c.do("GET", path, "")
		}
		sent[c.sent.String()] = right
	}
	if len(sent) != 1 {
		t.Errorf("what is sent tells which item is right: it differs in %d ways", len(sent))
	}
}

// TestEveryRouteIsDescribed: the description names just what is served, every
// route of it answers, and answers follow their schemas.
func TestEveryRouteIsDescribed(t *testing.T) {
	c := connect(t, environmenttest.New(1), environment.Access{})
	var doc struct {
		OpenAPI string
		Paths   map[string]map[string]struct {
			OperationID string
			Responses   map[string]struct {
				Content map[string]struct{ Schema *jsonschema.Schema }
			}
			RequestBody *struct {
				Content map[string]struct{ Schema *jsonschema.Schema }
			}
		}
	}
	c.must("GET", "/openapi.json", "", &doc)
	if doc.OpenAPI != "3.1.0" {
		t.Errorf("version %q", doc.OpenAPI)
	}
	bodies := map[string]string{
		"begin": `{"task":"t1"}`, "call": `{"name":"user_profile","arguments":{}}`,
		"step":   `{"message":{"role":"assistant","content":null,"tool_calls":[{"function":{"name":"user_profile","arguments":{}}}]}}`,
		"answer": `{"text":"x"}`,
	}
	var names []string
	for path, operations := range doc.Paths {
		for method, op := range operations {
			names = append(names, op.OperationID)
			var begun struct{ Session string }
			c.must("POST", "/v1/sessions", `{"task":"t1"}`, &begun)
			status, answer := c.do(strings.ToUpper(method), regexp.MustCompile(`\{id\}`).ReplaceAllString(path, begun.Session), bodies[op.OperationID])
			response, ok := op.Responses[fmt.Sprint(status)]
			if !ok {
				t.Errorf("%s %s answers %d %s, which is not described", method, path, status, answer)
				continue
			}
			check(t, response.Content["application/json"].Schema, answer)
			if op.RequestBody != nil {
				check(t, op.RequestBody.Content["application/json"].Schema, bodies[op.OperationID])
			}
			check(t, op.Responses["default"].Content["application/json"].Schema, `{"error":{"kind":"a","message":"b"}}`)
		}
	}
	slices.Sort(names)
	if want := []string{"answer", "begin", "call", "end", "health", "reward", "state", "step", "tasks", "tools"}; !slices.Equal(names, want) {
		t.Errorf("described are %v, want %v", names, want)
	}
}

func check(t *testing.T, s *jsonschema.Schema, body string) {
	t.Helper()
	if s == nil {
		if body != "" {
			t.Errorf("a body that is not described: %s", body)
		}
		return
	}
	resolved, err := s.Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal([]byte(body), &v); err != nil {
		t.Fatal(err)
	}
	if err := resolved.Validate(v); err != nil {
		t.Errorf("%s does not follow its schema: %v", body, err)
	}
}
