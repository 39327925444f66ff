package ors_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/star/environment"
	"github.com/mars-rec/mars/star/environment/environmenttest"
	"github.com/mars-rec/mars/star/environment/ors"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tools"
)

// client talks to a handler and keeps every byte that it is sent.
type client struct {
	t    *testing.T
	h    http.Handler
	sid  string
	sent strings.Builder
}

func connect(t *testing.T, e *environment.Environment, cfg ors.Config) *client {
	t.Helper()
	h, err := ors.New(e, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return &client{t: t, h: h}
}

func (c *client) do(method, path, body string, headers ...string) (int, string) {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Host = "localhost:8090"
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Session-ID", c.sid)
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

// events reads a stream as the openreward client does: white space at the start
// of a piece is dropped, and the pieces are joined.
func (c *client) events(body string) (id, result, failure string) {
	c.t.Helper()
	for event := range strings.SplitSeq(strings.TrimSuffix(body, "\n\n"), "\n\n") {
		name, data, ok := strings.Cut(event, "\ndata:")
		if !ok || strings.Contains(data, "\n") {
			c.t.Fatalf("not an event: %q", event)
		}
		switch data = strings.TrimLeft(data, " \t\v\f\u0085\u00a0\u2003\u2028\u2029"); name {
		case "event: task_id":
			id = data
		case "event: chunk", "event: end":
			result += data
		case "event: error":
			failure = data
		default:
			c.t.Fatalf("unknown event %q", name)
		}
	}
	return id, result, failure
}

type result struct {
	OK     bool
	Output struct {
		Blocks   []struct{ Type, Text string }
		Reward   *float64
		Finished bool
	}
	Error, Reason string
}

func (c *client) begin() {
	c.t.Helper()
	status, body := c.do("POST", "/create_session", "")
	if c.sid, _, _ = c.events(body); status != 200 || c.sid == "" {
		c.t.Fatal(status, body)
	}
	if status, body = c.do("POST", "/create", `{"split":"train","index":0}`); status != 200 {
		c.t.Fatal(status, body)
	}
}

func (c *client) call(name string, input any) result {
	c.t.Helper()
	body, err := json.Marshal(map[string]any{"name": name, "input": input})
	if err != nil {
		c.t.Fatal(err)
	}
	status, answer := c.do("POST", "/mars/call", string(body))
	id, joined, failure := c.events(answer)
	var r result
	if err := json.Unmarshal([]byte(joined), &r); err != nil || status != 200 || id == "" || failure != "" {
		c.t.Fatalf("%d %s: %v", status, answer, err)
	}
	return r
}

func (c *client) episode() result {
	c.t.Helper()
	c.begin()
	for _, call := range environmenttest.Calls() {
		if r := c.call(call.Name, call.Arguments); !r.OK || r.Output.Reward != nil || r.Output.Finished || r.Output.Blocks[0].Text == "" {
			c.t.Errorf("%s gives %+v", call.Name, r)
		}
	}
	first, last := environmenttest.Words(labels())
	return c.call("answer", map[string]string{"text": first + last})
}

func labels() []string { return environmenttest.New(0).Tasks()[0].Labels() }

func TestEpisode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // which also finds goroutines that stay behind
		for right, want := range map[int]float64{1: 2, 2: 1 + 2./3, 5: 1 + 1./3, 9: 1} {
			c := connect(t, environmenttest.New(right), ors.Config{})
			r := c.episode()
			if !r.OK || !r.Output.Finished || r.Output.Reward == nil || *r.Output.Reward < want-1e-9 || *r.Output.Reward > want+1e-9 {
				t.Errorf("right is %d: %+v, want %g", right, r, want)
			}
			for _, name := range []string{"answer", "user_profile"} {
				if r := c.call(name, map[string]string{"text": "again"}); r.OK || r.Reason != "episode_finished" {
					t.Errorf("%s after the end: %+v", name, r)
				}
			}
		}
	})
}

// TestPieces: whatever a tool answers, the joined pieces are it.
func TestPieces(t *testing.T) {
	for name, long := range map[string]string{
		"spaces": strings.Repeat("a  ", 5000), "letters": strings.Repeat("é", 9000), "emoji": strings.Repeat("🎬 \u2003", 4000),
		"lines": strings.Repeat("line\r\n\r\ndata: x\u2028", 3000),
	} {
		cfg := environmenttest.Config(1)
		cfg.Tools = append(cfg.Tools, tools.Define("long", "Talks.", func(context.Context, tasks.View, struct{}) (string, error) { return long, nil }))
		e, err := environment.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		c := connect(t, e, ors.Config{})
		c.begin()
		var got string
		if err := json.Unmarshal([]byte(c.call("long", struct{}{}).Output.Blocks[0].Text), &got); err != nil || got != long {
			t.Errorf("%s: got %d bytes of %d, %v", name, len(got), len(long), err)
		}
	}
}

// TestAskedAgain: a client that lost its connection gets the same result, and
// nothing is done twice.
func TestAskedAgain(t *testing.T) {
	e := environmenttest.New(1)
	c := connect(t, e, ors.Config{})
	c.begin()
	c.call("user_profile", struct{}{})
	first, last := environmenttest.Words(labels())
	body, _ := json.Marshal(map[string]any{"name": "answer", "input": map[string]string{"text": first + last}})
	_, one := c.do("POST", "/call", string(body))
	id, joined, _ := c.events(one)
	body, _ = json.Marshal(map[string]any{"name": "answer", "input": map[string]string{"text": "x"}, "task_id": id})
	_, two := c.do("POST", "/call", string(body))
	if again, same, _ := c.events(two); again != id || same != joined || !strings.Contains(same, `"reward":2`) {
		t.Errorf("first %s, then %s", one, two)
	}
	other := connect(t, e, ors.Config{})
	other.begin()
	_, three := other.do("POST", "/call", string(body))
	if _, joined, failure := other.events(three); joined != "" || failure != "unknown task_id" {
		t.Errorf("another session reads %s", three)
	}
}

func TestFailuresEndTheStream(t *testing.T) {
	cfg := environmenttest.Config(1)
	cfg.Tools = append(cfg.Tools, tools.Define("broken", "Breaks.", func(context.Context, tasks.View, struct{}) (string, error) {
		return "", fmt.Errorf("open /home/me/secret.db")
	}))
	e, err := environment.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	c := connect(t, e, ors.Config{})
	c.begin()
	_, body := c.do("POST", "/call", `{"name":"broken","input":{}}`)
	if _, joined, failure := c.events(body); joined != "" || failure == "" || strings.Contains(failure, "secret") {
		t.Errorf("the stream is %s", body)
	}
}

func TestListsAndPrompts(t *testing.T) {
	e := environmenttest.New(1)
	c := connect(t, e, ors.Config{Split: "test"})
	s, err := e.Start(t.Context(), "t1")
	if err != nil {
		t.Fatal(err)
	}
	_, prompt, err := s.Prompt()
	if err != nil {
		t.Fatal(err)
	}
	c.sid = s.ID()
	quoted := func(m model.Message) string { b, _ := message.Marshal(m.Content); return string(b) }
	for _, want := range []struct{ method, path, body, part string }{
		{"GET", "/health", "", `{"status":"ok"}`},
		{"GET", "/version", "", `"version"`},
		{"GET", "/list_environments", "", `["mars"]`},
		{"GET", "/mars/splits", "", `[{"name":"test","type":"test"}]`},
		{"GET", "/splits", "", `[{"name":"test","type":"test"}]`},
		{"GET", "/mars/tools", "", `{"name":"item_cf"`},
		{"GET", "/mars/tools", "", `"terminal_tool":{"arg":"text"`},
		{"GET", "/task_tools", "", `{"name":"answer"`},
		{"GET", "/mars/prompt", "", `{"type":"text","text":` + quoted(prompt[1])},
		{"GET", "/messages", "", `[{"blocks":[{"type":"text","text":` + quoted(prompt[0])},
		{"POST", "/mars/tasks", `{"split":"test"}`, `{"env_name":"mars","tasks":[{"id":"t1"`},
		{"POST", "/num_tasks", `{"split":"test"}`, `{"num_tasks":1}`},
		{"POST", "/task", `{"split":"test","index":-1}`, `"task":{"id":"t1"`},
		{"POST", "/task_range", `{"split":"test","start":-9,"stop":null}`, `"tasks":[{"id":"t1"`},
		{"POST", "/task_range", `{"split":"test","start":1,"stop":0}`, `"tasks":[]`},
		{"POST", "/ping", "", `{"status":"ok"}`},
	} {
		if status, body := c.do(want.method, want.path, want.body); status != 200 || !strings.Contains(body, want.part) {
			t.Errorf("%s %s: %d %s, want %s", want.method, want.path, status, body, want.part)
		}
	}
	if _, err := ors.New(e, ors.Config{Split: "dev"}); err == nil {
		t.Error("any split is taken")
	}
}

// TestAListedTaskBegins: a task begins by the specification that lists give.
func TestAListedTaskBegins(t *testing.T) {
	c := connect(t, environmenttest.New(1), ors.Config{})
	var listed struct {
		Tasks []json.RawMessage
		Env   string `json:"env_name"`
	}
	_, body := c.do("POST", "/tasks", `{"split":"train"}`)
	if err := json.Unmarshal([]byte(body), &listed); err != nil {
		t.Fatal(err)
	}
	_, body = c.do("POST", "/create_session", "")
	c.sid, _, _ = c.events(body)
	create, _ := json.Marshal(map[string]any{"task_spec": listed.Tasks[0], "env_name": listed.Env, "split": nil})
	if status, body := c.do("POST", "/create", string(create)); status != 200 {
		t.Errorf("%d %s", status, body)
	}
	if status, body := c.do("POST", "/create", string(create)); status != 400 || !strings.Contains(body, "has a task already") {
		t.Errorf("a second task: %d %s", status, body)
	}
}

func TestScoreGroup(t *testing.T) {
	c := connect(t, environmenttest.New(1), ors.Config{})
	c.begin()
	first, last := environmenttest.Words(labels())
	text := func(s string) map[string]any { return map[string]any{"type": "text", "text": s} }
	said := func(words string) map[string]any {
		return map[string]any{"messages": []any{
			map[string]any{"role": "user", "blocks": []any{text("the prompt")}},
			map[string]any{"role": "assistant", "blocks": []any{
				map[string]any{"type": "reasoning", "text": "hm"}, text(first),
				map[string]any{"type": "tool_call", "id": "a", "name": "user_profile", "input": map[string]any{}}}},
			map[string]any{"role": "user", "blocks": []any{map[string]any{"type": "tool_result", "tool_call_id": "a", "blocks": []any{text("{}")}}}},
			map[string]any{"role": "assistant", "blocks": []any{text(words)}},
		}}
	}
	body, _ := json.Marshal(map[string]any{"candidates": []any{said(last), said("nothing")}})
	_, answer := c.do("POST", "/score_group", string(body))
	var got struct {
		Scores []struct{ Reward float64 }
	}
	_, joined, _ := c.events(answer)
	if err := json.Unmarshal([]byte(joined), &got); err != nil || len(got.Scores) != 2 || got.Scores[0].Reward != 2 || got.Scores[1].Reward != -1 {
		t.Errorf("%s, %v", answer, err)
	}
	c = connect(t, environmenttest.New(0), ors.Config{})
	c.begin()
	if status, _ := c.do("POST", "/score_group", string(body)); status != 404 {
		t.Errorf("without gold: %d", status)
	}
}

func TestAttacks(t *testing.T) {
	c := connect(t, environmenttest.New(1), ors.Config{Access: environment.Access{Token: "t0k"}})
	own := []string{"X-API-Key", "t0k"}
	_, body := c.do("POST", "/create_session", "", own...)
	c.sid, _, _ = c.events(body)
	for _, a := range []struct {
		name, method, path, body string
		headers                  []string
		status                   int
		want                     string
	}{
		{"no token", "POST", "/create_session", "", nil, 401, "token"},
		{"no token at a list", "GET", "/list_environments", "", nil, 401, "token"},
		{"another host", "GET", "/health", "", []string{"Host", "evil.example"}, 403, "evil.example"},
		{"another origin", "POST", "/create_session", "", append([]string{"Origin", "http://evil.example"}, own...), 403, "evil.example"},
		{"a call without a task", "POST", "/call", `{"name":"user_profile","input":{}}`, own, 200, "not_found"},
		{"a prompt without a task", "GET", "/prompt", "", own, 404, "no task yet"},
		{"no session", "POST", "/ping", "", append([]string{"X-Session-ID", ""}, own...), 400, "X-Session-ID"},
		{"a session of one's own making", "POST", "/create", `{"split":"train","index":0}`, append([]string{"X-Session-ID", "mine"}, own...), 404, "no such session"},
		{"a toolset", "POST", "/create", `{"split":"train","index":0,"toolset_name":"codex"}`, own, 400, "toolset"},
		{"another environment", "POST", "/create", `{"split":"train","index":0,"env_name":"x"}`, own, 404, "no environment"},
		{"another environment's tools", "GET", "/venus/tools", "", own, 404, "no such environment"},
		{"no task", "POST", "/create", `{}`, own, 400, "want task_spec"},
		{"an unknown task", "POST", "/create", `{"task_spec":{"id":"t2"}}`, own, 400, "no such task"},
		{"gold in the task", "POST", "/create", `{"task_spec":{"id":"t1","gold":["b01"]}}`, own, 422, "gold"},
		{"a place that is not there", "POST", "/task", `{"split":"train","index":1}`, own, 400, "no task 1"},
		{"a split that is not there", "POST", "/tasks", `{"split":"gold"}`, own, 400, "no split"},
		{"a body without an end", "POST", "/call", `{"name":"` + strings.Repeat("x", 1<<20), own, 413, ""},
		{"a form", "POST", "/create", `{}`, append([]string{"Content-Type", "text/plain"}, own...), 415, "application/json"},
	} {
		if status, answer := c.do(a.method, a.path, a.body, a.headers...); status != a.status || !strings.Contains(answer, a.want) {
			t.Errorf("%s: %d %s; want %d, %s", a.name, status, answer, a.status, a.want)
		}
	}
	for _, path := range []string{"/delete", "/delete_session"} { // as clients do, one after the other
		if status, answer := c.do("POST", path, "", own...); status != 200 {
			t.Errorf("%s: %d %s", path, status, answer)
		}
	}
	if status, _ := c.do("POST", "/ping", "", own...); status != 404 {
		t.Errorf("a deleted session: %d", status)
	}
}

// TestGoldStaysInside: two servers that differ only in which item is right,
// where the policy gets the same reward, send the same bytes.
func TestGoldStaysInside(t *testing.T) {
	sent := map[string]bool{}
	for right := 6; right <= 12; right++ {
		c := connect(t, environmenttest.New(right), ors.Config{})
		if r := c.episode(); *r.Output.Reward != 1 {
			t.Fatal(r)
		}
		for _, path := range []string{"/tools", "/prompt", "/messages", "/task_tools", "/version"} {
			c.do("GET", path, "")
		}
		c.do("POST", "/tasks", `{"split":"train"}`)
		sent[c.sent.String()] = true
	}
	if len(sent) != 1 {
		t.Errorf("what is sent tells which item is right: it differs in %d ways", len(sent))
	}
}

// TestNothingBeforeTheEndTellsGold: whichever item is right, what is sent before
// the answer is the same, errors too.
func TestNothingBeforeTheEndTellsGold(t *testing.T) {
	sent := map[string]bool{}
	for right := 1; right <= 12; right++ {
		c := connect(t, environmenttest.New(right), ors.Config{})
		c.begin()
		for _, call := range environmenttest.Calls() {
			c.call(call.Name, call.Arguments)
		}
		for _, label := range labels() {
			c.call("item_info", map[string]string{"item": label})
		}
		c.call("answer", map[string]bool{"gold": true})
		for _, do := range [][3]string{
			{"GET", "/tools", ""}, {"GET", "/task_tools", ""}, {"GET", "/prompt", ""}, {"GET", "/messages", ""}, {"GET", "/version", ""}, {"GET", "/gold", ""},
			{"POST", "/tasks", `{"split":"train"}`}, {"POST", "/task", `{"split":"train","index":0}`}, {"POST", "/call", `{"name":"x","task_id":"1"}`},
			{"POST", "/score_group", `{"candidates":"gold"}`}, {"POST", "/create", `{"split":"train","index":0}`},
		} {
			c.do(do[0], do[1], do[2])
		}
		sent[c.sent.String()] = true
	}
	if len(sent) != 1 {
		t.Errorf("what is sent before the answer tells which item is right: it differs in %d ways", len(sent))
	}
}
