package mcp_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mars-rec/mars/star/environment"
	"github.com/mars-rec/mars/star/environment/environmenttest"
	"github.com/mars-rec/mars/star/environment/mcp"
)

func labels() []string { return environmenttest.New(0).Tasks()[0].Labels() }

// said is the text of a result.
func said(r *sdk.CallToolResult) string {
	var b strings.Builder
	for _, c := range r.Content {
		if t, ok := c.(*sdk.TextContent); ok {
			b.WriteString(t.Text)
		}
	}
	return b.String()
}

func call(t *testing.T, s *sdk.ClientSession, name string, arguments any) *sdk.CallToolResult {
	t.Helper()
	r, err := s.CallTool(t.Context(), &sdk.CallToolParams{Name: name, Arguments: arguments})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// episode plays the scripted policy and returns the reward, and all that was
// heard.
func episode(t *testing.T, s *sdk.ClientSession) (reward *float64, heard string) {
	t.Helper()
	init, list := s.InitializeResult(), &sdk.ListToolsResult{}
	list, err := s.ListTools(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	task, err := s.GetPrompt(t.Context(), &sdk.GetPromptParams{Name: "task"})
	if err != nil {
		t.Fatal(err)
	}
	all := []any{init, list, task, call(t, s, "begin", map[string]any{})}
	for _, c := range environmenttest.Calls() {
		r, err := s.CallTool(t.Context(), &sdk.CallToolParams{Name: c.Name, Arguments: c.Arguments})
		if (err != nil) != (c.Name == "oracle") { // which the protocol itself refuses
			t.Errorf("%s: %v", c.Name, err)
		}
		all = append(all, r, fmt.Sprint(err))
	}
	first, last := environmenttest.Words(labels())
	end := call(t, s, "answer", map[string]string{"text": first + last})
	again := call(t, s, "answer", map[string]string{"text": first + last})
	later := call(t, s, "user_profile", map[string]any{})
	if !again.IsError || !later.IsError || !strings.Contains(said(later), "nothing more can be done") {
		t.Errorf("after the end: %s, %s", said(again), said(later))
	}
	b, err := json.Marshal(append(all, end, again, later))
	if err != nil {
		t.Fatal(err)
	}
	content, _ := end.StructuredContent.(map[string]any)
	if r, ok := content["reward"].(float64); ok {
		reward = &r
	}
	return reward, string(b)
}

// TestOverATransport: an episode, as over standard input and output.
func TestOverATransport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // which also finds goroutines that stay behind
		for right, want := range map[int]float64{1: 2, 9: 1, 0: 0} {
			e := environmenttest.New(right)
			ours, theirs := sdk.NewInMemoryTransports()
			done := make(chan error, 1)
			go func() { done <- mcp.Serve(t.Context(), e, mcp.Config{Task: "t1"}, ours) }()
			s, err := sdk.NewClient(&sdk.Implementation{Name: "test"}, nil).Connect(t.Context(), theirs, nil)
			if err != nil {
				t.Fatal(err)
			}
			reward, heard := episode(t, s)
			if (reward != nil) != (right > 0) || reward != nil && *reward != want {
				t.Errorf("right is %d: the reward is %v, want %g", right, reward, want)
			}
			if !strings.Contains(heard, "Rank the candidates by how likely user u07") || !strings.Contains(heard, "You recommend items to one user") {
				t.Errorf("the task is not told: %s", heard)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	})
}

func TestToolsAreTheStudents(t *testing.T) {
	e := environmenttest.New(1)
	s := overHTTP(t, e, mcp.Config{Task: "t1"})
	list, err := s.ListTools(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]*sdk.Tool{}
	for _, tool := range list.Tools {
		byName[tool.Name] = tool
	}
	for _, spec := range e.Tools() {
		tool := byName[spec.Name]
		if tool == nil || tool.Description != spec.Description {
			t.Errorf("%s is told as %v", spec.Name, tool)
			continue
		}
		got, _ := json.Marshal(tool.InputSchema)
		if want := canonical(t, spec.Parameters); !bytes.Equal(got, want) {
			t.Errorf("%s takes %s, want %s", spec.Name, got, want)
		}
	}
	if len(list.Tools) != len(e.Tools())+2 || byName["begin"] == nil || byName["answer"] == nil {
		t.Errorf("%d tools", len(list.Tools))
	}
}

func canonical(t *testing.T, raw json.RawMessage) []byte {
	t.Helper()
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func overHTTP(t *testing.T, e *environment.Environment, cfg mcp.Config) *sdk.ClientSession {
	t.Helper()
	h, err := mcp.New(e, cfg)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	s, err := sdk.NewClient(&sdk.Implementation{Name: "test"}, nil).Connect(t.Context(), &sdk.StreamableClientTransport{Endpoint: srv.URL}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// TestGoldStaysInside: two servers that differ only in which item is right,
// where the policy gets the same reward, send the same.
func TestGoldStaysInside(t *testing.T) {
	var all []string
	for right := 6; right <= 12; right++ {
		reward, heard := episode(t, overHTTP(t, environmenttest.New(right), mcp.Config{Task: "t1"}))
		if reward == nil || *reward != 1 {
			t.Fatalf("the reward is %v", reward)
		}
		all = append(all, heard)
	}
	slices.Sort(all)
	if all = slices.Compact(all); len(all) != 1 {
		t.Errorf("what is sent tells which item is right: it differs in %d ways", len(all))
	}
}

func TestTheClientChooses(t *testing.T) {
	s := overHTTP(t, environmenttest.New(1), mcp.Config{})
	for _, c := range []struct {
		name string
		args map[string]any
		want string
	}{
		{"user_profile", nil, "call begin"},
		{"answer", map[string]any{"text": "x"}, "call begin"},
		{"answer", map[string]any{}, "answer needs text"},
		{"begin", map[string]any{"task": "t2"}, "no such task"},
		{"begin", map[string]any{"gold": true}, "no argument"},
		{"begin", map[string]any{"task": "t1"}, "Rank the candidates"},
		{"begin", map[string]any{"task": "t1"}, "Rank the candidates"},
		{"begin", map[string]any{"task": "t2"}, "has a task already"},
		{"user_profile", nil, `{"evidence"`},
	} {
		if r := call(t, s, c.name, c.args); !strings.Contains(said(r), c.want) {
			t.Errorf("%s %v: %s; want %s", c.name, c.args, said(r), c.want)
		}
	}
	if _, err := mcp.New(environmenttest.New(1), mcp.Config{Task: "t2"}); err == nil {
		t.Error("a task that is not there is served")
	}
	if err := mcp.Serve(t.Context(), environmenttest.New(1), mcp.Config{Task: "t2"}, nil); err == nil {
		t.Error("a task that is not there is served over a transport")
	}
}

const initialize = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"x","version":"1"}}}`

// post sends one message to a handler. Each pair sets a header.
func post(h http.Handler, method, body string, headers ...string) *http.Response {
	r := httptest.NewRequestWithContext(context.Background(), method, "/mcp", strings.NewReader(body))
	r.Host = "localhost"
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	for i := 0; i < len(headers); i += 2 {
		if r.Header.Set(headers[i], headers[i+1]); headers[i] == "Host" {
			r.Host = headers[i+1]
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func TestAttacks(t *testing.T) {
	h, err := mcp.New(environmenttest.New(1), mcp.Config{Task: "t1", Access: environment.Access{Token: "t0k"}})
	if err != nil {
		t.Fatal(err)
	}
	own := []string{"Authorization", "Bearer t0k"}
	const list = `{"jsonrpc":"2.0","id":2,"method":"tools/list"}`
	for _, a := range []struct {
		name, method, body string
		headers            []string
		status             int
	}{
		{"no token", "POST", initialize, nil, 401},
		{"another host", "POST", initialize, append([]string{"Host", "evil.example"}, own...), 403},
		{"another origin", "POST", initialize, append([]string{"Origin", "https://evil.example"}, own...), 403},
		{"a form", "POST", initialize, append([]string{"Content-Type", "text/plain"}, own...), 415},
		{"a body without an end", "POST", `{"jsonrpc":"2.0","id":1,"method":"` + strings.Repeat("x", 1<<20) + `"}`, own, 413},
		{"a session of one's own making", "POST", list, append([]string{"Mcp-Session-Id", "mine"}, own...), 404},
		{"a stream", "GET", "", own, 405},
	} {
		resp := post(h, a.method, a.body, a.headers...)
		body, err := io.ReadAll(resp.Body)
		if a.status == 413 && resp.StatusCode == 400 {
			continue // the library tells of it so where a session begins
		}
		if err != nil || resp.StatusCode != a.status {
			t.Errorf("%s: %d %s, want %d", a.name, resp.StatusCode, body, a.status)
		}
	}
}

// TestSessionsAreBounded: what a client leaves behind is bounded, and what it
// ends is gone.
func TestSessionsAreBounded(t *testing.T) {
	cfg := environmenttest.Config(1)
	cfg.Sessions = 2
	e, err := environment.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	h, err := mcp.New(e, mcp.Config{Task: "t1"})
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for range 2 {
		resp := post(h, "POST", initialize)
		if ids = append(ids, resp.Header.Get("Mcp-Session-Id")); resp.StatusCode != 200 || ids[len(ids)-1] == "" {
			t.Fatal(resp.Status)
		}
	}
	if resp := post(h, "POST", initialize); resp.Header.Get("Mcp-Session-Id") != "" {
		t.Error("a third session of two")
	}
	for _, id := range ids {
		if resp := post(h, "DELETE", "", "Mcp-Session-Id", id); resp.StatusCode != 204 {
			t.Error(resp.Status)
		}
		if _, err := e.Session(id); err == nil {
			t.Error("the episode of a session that was ended is there")
		}
	}
	if _, err := e.Open(); err != nil {
		t.Error(err)
	}
}
