package openai_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/model/modeltest"
	"github.com/mars-rec/mars/model/openai"
	"github.com/mars-rec/mars/model/openai/server"
)

const key = "sk-very-secret"

// serve runs a handler over HTTP and returns the model behind it.
func serve(t *testing.T, h http.Handler, cfg openai.Config) *openai.Model {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	cfg.BaseURL = s.URL + "/v1/"
	m, err := openai.New("m", cfg)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestContract(t *testing.T) {
	for _, mode := range []openai.Mode{openai.Schema, openai.JSON, openai.Text} {
		t.Run(string(mode), func(t *testing.T) {
			modeltest.Run(t, func(t *testing.T, far model.Model) model.Model {
				h := server.New(far, server.Config{Name: "m", Token: key, Clock: func() time.Time { return time.Unix(1, 0) }})
				return serve(t, h, openai.Config{Key: key, Mode: mode})
			}, modeltest.Lacks{Format: true}) // the suite's request offers tools
		})
	}
}

// TestSchemaGoesWhereItBindsNoCall: a schema constrains the answer, but never
// in a request that offers tools.
func TestSchemaGoesWhereItBindsNoCall(t *testing.T) {
	far := modeltest.NewScript(modeltest.Say("a"), modeltest.Say("b"))
	m := serve(t, server.New(far, server.Config{Name: "m"}), openai.Config{})
	req := model.Request{
		Messages: []model.Message{{Role: model.System, Content: "s"}, {Role: model.User, Content: "u"}},
		Format:   &model.Format{Name: "plan", Schema: []byte(`{"type":"object"}`)},
	}
	for range 2 {
		if _, err := m.Generate(t.Context(), req); err != nil {
			t.Fatal(err)
		}
		req.Tools = []model.ToolSpec{{Name: "item_cf", Parameters: []byte(`{"type":"object"}`)}}
	}
	without, with := far.Requests()[0], far.Requests()[1]
	if without.Format == nil || without.Format.Name != "plan" || without.Messages[0].Content != "s" {
		t.Errorf("without tools the server got %+v: want the schema as the response's format", without)
	}
	if read := model.Instructed(with.Messages); with.Format != nil || read == nil || read.Name != "plan" {
		t.Errorf("with tools the server got %+v: want the schema in the conversation", with)
	}
}

// fixed answers everything with one body.
func fixed(status int, media, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", media)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// events answers with a stream of these data.
func events(data ...string) http.HandlerFunc {
	return fixed(200, "text/event-stream", "data: "+strings.Join(data, "\n\ndata: ")+"\n\n")
}

func request(stream bool) model.Request {
	req := model.Request{Messages: []model.Message{{Role: model.User, Content: "hi"}}}
	if stream {
		req.OnChunk = func(model.Chunk) {}
	}
	return req
}

func TestFaults(t *testing.T) {
	const piece = `{"id":"1","model":"m","choices":[{"index":0,"delta":{"content":"half"}}]}`
	for _, c := range []struct {
		name      string
		stream    bool
		handler   http.HandlerFunc
		want      string
		temporary bool
	}{
		{"no choices", false, fixed(200, "application/json", `{"id":"1","choices":[]}`), "no choices", false},
		{"not JSON", false, fixed(200, "application/json", `{"choices":[`), "unexpected EOF", true},
		{"another JSON", false, fixed(200, "application/json", `[1,2]`), "cannot unmarshal array", false},
		{"empty body", false, fixed(200, "application/json", ``), "EOF", false},
		{"error under 200", false, fixed(200, "application/json", `{"error":{"message":"overloaded"}}`), "overloaded", false},
		{"a page", false, fixed(200, "text/html", `<html><title>Welcome</title>`), "HTML", false},
		{"key echoed", false, fixed(401, "application/json", `{"error":{"message":"wrong key `+key+`"}}`), "wrong key [key]", false},
		{"refusal", false, fixed(200, "application/json", `{"choices":[{"message":{"refusal":"I cannot"},"finish_reason":"stop"}]}`), "refused: I cannot", false},
		{"rate limit", true, fixed(429, "application/json", `{"error":{"message":"slow"}}`), "slow", true},
		{"stream refused", true, fixed(200, "application/json", `{"choices":[{"message":{"content":"whole"}}]}`), "want text/event-stream", false},
		{"stream cut cleanly", true, events(piece), "ended before the reply did", true},
		{"stream cut with a goodbye", true, events(piece, "[DONE]"), "ended before the reply did", true},
		{"stream cut in an event", true, fixed(200, "text/event-stream", "data: "+piece[:20]), "ended before the reply did", true},
		{"stream cut in the connection", true, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprintf(w, "data: %s\n\n", piece)
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}, "unexpected EOF", true},
		{"error in the stream", true, events(piece, `{"error":{"message":"worker lost `+key+`","type":"server_error"}}`), "error in the stream: worker lost [key]", true},
		{"blame in the stream", true, events(`{"error":{"message":"too long","type":"BadRequestError","code":400}}`), "too long", false},
		{"garbage in the stream", true, events(piece, `{"choices":7}`), "cannot unmarshal", false},
		{"empty stream", true, fixed(200, "text/event-stream", ""), "ended before", true},
		{"refusal in a stream", true, events(`{"choices":[{"delta":{"refusal":"I cannot"},"finish_reason":"stop"}]}`, "[DONE]"), "refused: I cannot", false},
		{"too long", true, events(strings.Repeat("x", 5000)), "longer than 4000 bytes", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := serve(t, c.handler, openai.Config{Key: key, Limit: 4000}).Generate(t.Context(), request(c.stream))
			var e *model.Error
			if !errors.As(err, &e) || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "openai: m at http://") || strings.Contains(err.Error(), key) {
				t.Fatalf("error is %v, want %q in it", err, c.want)
			}
			if model.Temporary(err) != c.temporary {
				t.Errorf("temporary is %v: %v", e.Temporary, err)
			}
		})
	}
}

func TestStreamsOfManyServers(t *testing.T) {
	done := `{"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}`
	part := func(call string) string {
		return `{"choices":[{"index":0,"delta":{"tool_calls":[` + call + `]}}]}`
	}
	for _, c := range []struct {
		name string
		data []string
		want string
	}{
		{"parts of two calls interleaved", []string{
			part(`{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}`),
			part(`{"index":1,"id":"b","type":"function","function":{"name":"g","arguments":"{"}}`),
			part(`{"index":0,"function":{"arguments":"{\"x\""}}`),
			part(`{"index":1,"function":{"arguments":"}"}},{"index":0,"function":{"arguments":":1}"}}`), done,
		}, `[{a f {"x":1}} {b g {}}]`},
		{"whole calls without an index", []string{
			part(`{"id":"a","function":{"name":"f","arguments":"{}"}}`), part(`{"id":"b","function":{"name":"g","arguments":"{}"}}`), done,
		}, `[{a f {}} {b g {}}]`},
		{"all calls at index 0", []string{
			part(`{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}`), part(`{"index":0,"id":"b","function":{"name":"f","arguments":"{}"}}`), done,
		}, `[{a f {}} {b f {}}]`},
		{"the id repeated", []string{
			part(`{"index":0,"id":"a","function":{"name":"f","arguments":"{"}}`), part(`{"index":0,"id":"a","function":{"arguments":"}"}}`), done,
		}, `[{a f {}}]`},
		{"another choice besides", []string{
			`{"choices":[{"index":1,"delta":{"content":"no"},"finish_reason":"stop"},{"index":0,"delta":{"reasoning_content":"hm"}}]}`, done,
		}, `[]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := events(append(c.data, `{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":8}}}`, "[DONE]")...)
			reply, err := serve(t, h, openai.Config{}).Generate(t.Context(), request(true))
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprint(reply.Message.ToolCalls); got != c.want || reply.Finish != "tool_calls" || reply.Message.Content != "" {
				t.Errorf("calls %s, finish %s, content %q; want %s", got, reply.Finish, reply.Message.Content, c.want)
			}
			if reply.Usage == nil || *reply.Usage != (message.Usage{InputTokens: 9, OutputTokens: 2, CachedTokens: 8}) {
				t.Errorf("usage %+v", reply.Usage)
			}
		})
	}
}

func TestKeepAlivesDoNotCount(t *testing.T) {
	body := strings.Repeat(": still here\n\n", 1000) + `data: {"choices":[{"delta":{"content":"ok"},"finish_reason":"stop"}]}` + "\n\ndata: [DONE]\n\n"
	reply, err := serve(t, fixed(200, "text/event-stream", body), openai.Config{}).Generate(t.Context(), request(true))
	if err != nil || reply.Message.Content != "ok" {
		t.Errorf("%+v, %v", reply, err)
	}
}

func TestWhatIsSent(t *testing.T) {
	zero, seed := 0.0, int64(3)
	req := model.Request{
		Messages: []model.Message{{Role: model.User, Content: `say "temperature":1e-45`}},
		Format:   &model.Format{Name: "plan", Schema: []byte(`{"type":"object"}`)},
		Sampling: model.Sampling{Temperature: &zero, MaxTokens: 5, Seed: &seed},
	}
	var got, authorization string
	h := func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got, authorization = string(body), r.Header.Get("Authorization")
		fixed(200, "application/json", `{"choices":[{"message":{"content":"x"},"finish_reason":"stop"}]}`)(w, r)
	}
	if _, err := serve(t, http.HandlerFunc(h), openai.Config{Key: key}).Generate(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"model":"m"`, `say \"temperature\":1e-45`, `"temperature":0,`, `"max_tokens":5`, `"seed":3`,
		`"response_format":{"type":"json_schema","json_schema":{"name":"plan","schema":{"type":"object"},"strict":true}}`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is not in %s", want, got)
		}
	}
	if strings.Contains(got, "top_p") || authorization != "Bearer "+key {
		t.Errorf("authorization %q, body %s", authorization, got)
	}
}

func TestNewChecks(t *testing.T) {
	for _, bad := range []struct {
		name string
		cfg  openai.Config
	}{
		{"", openai.Config{}},
		{"m", openai.Config{BaseURL: "127.0.0.1:8000"}},
		{"m", openai.Config{BaseURL: "http://user:" + key + "@host/v1"}},
		{"m", openai.Config{BaseURL: "http://host/v1?key=" + key}},
		{"m", openai.Config{Mode: "xml"}},
	} {
		if _, err := openai.New(bad.name, bad.cfg); err == nil || strings.Contains(err.Error(), key) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}
