package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/model/modeltest"
	"github.com/mars-rec/mars/model/openai/server"
)

var clock = func() time.Time { return time.Unix(1700000000, 0) }

// post sends a body to the handler and returns the answer. Each pair sets a
// header; "Host" sets the host.
func post(h http.Handler, path, body string, headers ...string) *http.Response {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.Host = "127.0.0.1:8088"
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

const chat = "/v1/chat/completions"

const hello = `{"model":"m","messages":[{"role":"user","content":"hello"}]}`

func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		name    string
		body    string
		headers []string
		status  int
		want    string
	}{
		{"not JSON", `{"model":`, nil, 400, "not a chat completion request"},
		{"another model", `{"model":"gpt-9"}`, nil, 404, `there is no model \"gpt-9\": this server has \"m\"`},
		{"no messages", `{"model":"m","messages":[]}`, nil, 400, "messages is empty"},
		{"unknown role", `{"model":"m","messages":[{"role":"oracle","content":"x"}]}`, nil, 400, "oracle"},
		{"an image", `{"model":"m","messages":[{"role":"user","content":[{"type":"image_url"}]}]}`, nil, 400, "only text is understood"},
		{"content that is a number", `{"model":"m","messages":[{"role":"user","content":7}]}`, nil, 400, "neither text nor a list"},
		{"two choices", hello[:len(hello)-1] + `,"n":2}`, nil, 400, "only 1 choice"},
		{"stop words", hello[:len(hello)-1] + `,"stop":["x","y"]}`, nil, 400, "stop has 2 texts"},
		{"a forced tool", hello[:len(hello)-1] + `,"tool_choice":"required"}`, nil, 400, "want auto or none"},
		{"a tool that is none", hello[:len(hello)-1] + `,"tools":[{"type":"retrieval"}]}`, nil, 400, "tools[0]"},
		{"a format without schema", hello[:len(hello)-1] + `,"response_format":{"type":"json_schema"}}`, nil, 400, "no name or no schema"},
		{"an unknown format", hello[:len(hello)-1] + `,"response_format":{"type":"xml"}}`, nil, 400, "xml"},
		{"a form", hello, []string{"Content-Type", "text/plain"}, 415, "application/json"},
		{"too long", `{"model":"m","messages":[{"role":"user","content":"` + strings.Repeat("x", 3000) + `"}]}`, nil, 413, "longer than 2000 bytes"},
		{"another host", hello, []string{"Host", "evil.example:8088"}, 403, "evil.example"},
		{"another origin", hello, []string{"Origin", "https://evil.example"}, 403, "evil.example"},
		{"no origin at all", hello, []string{"Origin", "null"}, 403, "null"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := server.New(modeltest.NewScript(), server.Config{Name: "m", Limit: 2000, Clock: clock})
			resp := post(h, chat, c.body, c.headers...)
			body, _ := io.ReadAll(resp.Body)
			var e struct {
				Error struct{ Message, Type, Code string }
			}
			if resp.StatusCode != c.status || !strings.Contains(string(body), c.want) {
				t.Errorf("status %d, body %s; want %d, %s", resp.StatusCode, body, c.status, c.want)
			}
			if err := json.Unmarshal(body, &e); err != nil || e.Error.Message == "" || e.Error.Type == "" || e.Error.Code == "" {
				t.Errorf("the error is not in OpenAI's form: %s", body)
			}
		})
	}
}

func TestAccepted(t *testing.T) {
	for name, c := range map[string]struct {
		body    string
		headers []string
	}{
		"plain":            {hello, nil},
		"content in parts": {`{"model":"m","messages":[{"role":"developer","content":[{"type":"text","text":"hel"},{"type":"text","text":"lo"}]}]}`, nil},
		"nulls":            {`{"model":"m","messages":[{"role":"user","content":"hello"}],"stop":null,"tools":null,"n":1,"seed":null,"response_format":null}`, nil},
		"localhost":        {hello, []string{"Host", "LOCALHOST"}},
		"IPv6":             {hello, []string{"Host", "[::1]:8088"}},
		"given name":       {hello, []string{"Host", "teacher.lan"}},
		"own page":         {hello, []string{"Origin", "http://localhost:3000"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := modeltest.NewScript(modeltest.Say("yes"))
			resp := post(server.New(s, server.Config{Name: "m", Hosts: []string{"teacher.lan"}, Clock: clock}), chat, c.body, c.headers...)
			if body, _ := io.ReadAll(resp.Body); resp.StatusCode != 200 || s.Requests()[0].Messages[0].Content != "hello" {
				t.Errorf("status %d: %s", resp.StatusCode, body)
			}
		})
	}
}

func TestToken(t *testing.T) {
	h := server.New(modeltest.NewScript(modeltest.Say("yes")), server.Config{Name: "m", Token: "t0k", Clock: clock})
	for _, c := range []struct {
		header string
		status int
	}{{"", 401}, {"Bearer other", 401}, {"t0k", 401}, {"Bearer t0k", 200}} {
		if resp := post(h, chat, hello, "Authorization", c.header); resp.StatusCode != c.status {
			t.Errorf("%q: status %d, want %d", c.header, resp.StatusCode, c.status)
		}
	}
}

func TestPaths(t *testing.T) {
	h := server.New(modeltest.NewScript(), server.Config{Name: "m", Clock: clock})
	for _, c := range []struct {
		path   string
		status int
		want   string
	}{
		{"/health", 200, `{"status":"ok"}`},
		{"/v1/models", 200, `"id":"m"`},
		{"/v1/models/m", 200, `"id":"m"`},
		{"/v1/models/x/y", 404, "model_not_found"},
		{"/v1/embeddings", 404, "there is no GET /v1/embeddings"},
	} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, c.path, nil)
		r.Host = "localhost"
		h.ServeHTTP(w, r)
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.want) {
			t.Errorf("%s: %d %s", c.path, w.Code, w.Body)
		}
	}
}

func TestFailuresOfTheModel(t *testing.T) {
	for _, c := range []struct {
		err    error
		status int
		after  string
	}{
		{&model.Error{Status: 429, RetryAfter: 1500 * time.Millisecond, Temporary: true, Err: errors.New("slow down")}, 429, "2"},
		{&model.Error{Temporary: true, Err: errors.New("lost")}, 503, ""},
		{&model.Error{Err: errors.New("not like this")}, 400, ""},
		{fmt.Errorf("where: %w", context.DeadlineExceeded), 504, ""},
		{errors.New("odd"), 500, ""},
	} {
		for _, stream := range []string{"", `,"stream":true`} {
			m := model.Func(func(context.Context, model.Request) (model.Reply, error) { return model.Reply{}, c.err })
			resp := post(server.New(m, server.Config{Name: "m", Clock: clock}), chat, hello[:len(hello)-1]+stream+"}")
			if resp.StatusCode != c.status || resp.Header.Get("Retry-After") != c.after {
				t.Errorf("%v%s: status %d, Retry-After %q", c.err, stream, resp.StatusCode, resp.Header.Get("Retry-After"))
			}
		}
	}
}

func TestAStreamThatStartsAnewSaysSo(t *testing.T) {
	m := model.Func(func(_ context.Context, req model.Request) (model.Reply, error) {
		req.OnChunk(model.Chunk{Content: "one"})
		req.OnChunk(model.Chunk{Reset: true})
		req.OnChunk(model.Chunk{Content: "two"})
		return modeltest.Say("two"), nil
	})
	resp := post(server.New(m, server.Config{Name: "m", Clock: clock}), chat, hello[:len(hello)-1]+`,"stream":true}`)
	body, _ := io.ReadAll(resp.Body)
	if got := string(body); !strings.Contains(got, "started its answer anew") || strings.Contains(got, "two") || strings.Contains(got, "[DONE]") {
		t.Errorf("stream is %s", got)
	}
}

func TestServeStopsWithItsContext(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	asked, release := make(chan struct{}), make(chan struct{})
	m := model.Func(func(context.Context, model.Request) (model.Reply, error) {
		close(asked)
		<-release
		return modeltest.Say("in time"), nil
	})
	ctx, cancel := context.WithCancel(t.Context())
	cfg := server.Config{Name: "m", Clock: clock}
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, l, server.New(m, cfg), cfg) }()
	answer := make(chan string, 1)
	go func() {
		resp, err := http.Post("http://"+l.Addr().String()+chat, "application/json", strings.NewReader(hello))
		if err != nil {
			answer <- err.Error()
			return
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		answer <- string(body)
	}()
	<-asked
	cancel() // with a request in flight
	close(release)
	if got := <-answer; !strings.Contains(got, "in time") {
		t.Errorf("the request in flight got %s", got)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}
