package langchain_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/tmc/langchaingo/llms"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/message/phase"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/model/builtin"
	"github.com/mars-rec/mars/model/langchain"
	"github.com/mars-rec/mars/model/modeltest"
	"github.com/mars-rec/mars/model/openai/server"
)

func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func open(t *testing.T, provider, base string) *langchain.Model {
	t.Helper()
	m, err := langchain.Open(provider, "m", langchain.Access{BaseURL: base, Key: "sk-secret"})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func clock() time.Time { return time.Unix(1, 0) }

// TestContract: through langchaingo's OpenAI provider, over HTTP.
func TestContract(t *testing.T) {
	modeltest.Run(t, func(t *testing.T, far model.Model) model.Model {
		return open(t, "openai", serve(t, server.New(far, server.Config{Name: "m", Token: "sk-secret", Clock: clock}))+"/v1")
	}, modeltest.Lacks{Format: true, TopP: true})
}

// TestBuiltin: the rule-based teacher answers through langchaingo as it does in
// process.
func TestBuiltin(t *testing.T) {
	direct := builtin.New(builtin.Config{})
	far := open(t, "openai", serve(t, server.New(direct, server.Config{Name: "m", Clock: clock}))+"/v1")
	for _, req := range []model.Request{
		{Messages: []model.Message{{Role: model.System, Content: "Plan."}, {Role: model.User, Content: "c01 | Dune\n"}},
			Format: &model.Format{Name: "plan", Schema: phase.PlanSchema([]string{"profile", "recent"})}},
		{Messages: []model.Message{{Role: model.User, Content: "Look."}},
			Tools:  []model.ToolSpec{{Name: "item_cf", Parameters: []byte(`{"type":"object"}`)}, {Name: "user_cf", Parameters: []byte(`{"type":"object"}`)}},
			Format: &model.Format{Name: "analysis", Schema: phase.AnalysisSchema("historical")}},
	} {
		want, _ := direct.Generate(t.Context(), req)
		got, err := far.Generate(t.Context(), req)
		if err != nil || !reflect.DeepEqual(got.Message, want.Message) || got.Finish != want.Finish {
			t.Errorf("%+v, %v\nin process %+v", got, err, want)
		}
	}
}

// fake is a langchaingo model that answers what it is told to and keeps what it
// was asked.
type fake struct {
	response *llms.ContentResponse
	err      error
	messages []llms.MessageContent
	options  llms.CallOptions
}

func (f *fake) GenerateContent(ctx context.Context, messages []llms.MessageContent, options ...llms.CallOption) (*llms.ContentResponse, error) {
	f.messages, f.options = messages, llms.CallOptions{}
	for _, o := range options {
		o(&f.options)
	}
	if f.options.StreamingFunc != nil {
		for _, piece := range []string{"one ", "", "two"} {
			if err := f.options.StreamingFunc(ctx, []byte(piece)); err != nil {
				return nil, err
			}
		}
	}
	return f.response, f.err
}

func (f *fake) Call(context.Context, string, ...llms.CallOption) (string, error) {
	return "", errors.New("not used")
}

func TestAnyModel(t *testing.T) {
	call := llms.ToolCall{ID: "t1", FunctionCall: &llms.FunctionCall{Name: "f", Arguments: `{"a":1}`}}
	f := &fake{response: &llms.ContentResponse{Choices: []*llms.ContentChoice{
		{Content: "Let me look.", StopReason: "tool_use", GenerationInfo: map[string]any{"InputTokens": 5, "OutputTokens": 2, "CacheReadInputTokens": 3}},
		{ToolCalls: []llms.ToolCall{call}, StopReason: "tool_use"},
	}}}
	temperature, seed := 0.3, int64(9)
	var chunks []string
	reply, err := langchain.New("any", f, langchain.Traits{}).Generate(t.Context(), model.Request{
		Messages: []model.Message{
			{Role: model.System, Content: "S"}, {Role: model.User, Content: "U"},
			{Role: model.Assistant, Content: "A", ToolCalls: []model.ToolCall{{ID: "t0", Name: "g", Arguments: "{}"}}},
			{Role: model.ToolRole, ToolCallID: "t0", Name: "g", Content: "R"},
		},
		Tools:    []model.ToolSpec{{Name: "f", Parameters: []byte(`{"type":"object"}`)}},
		Format:   &model.Format{Name: "plan", Schema: []byte(`{}`)},
		Sampling: model.Sampling{Temperature: &temperature, Seed: &seed, MaxTokens: 7},
		OnChunk:  func(c model.Chunk) { chunks = append(chunks, c.Content) },
	})
	if err != nil {
		t.Fatal(err)
	}
	want := model.Reply{
		Message: model.Message{Role: model.Assistant, Content: "Let me look.", ToolCalls: []model.ToolCall{{ID: "t1", Name: "f", Arguments: `{"a":1}`}}},
		Finish:  "tool_calls", Model: "any", Usage: &message.Usage{InputTokens: 8, OutputTokens: 2, CachedTokens: 3},
	}
	if !reflect.DeepEqual(reply, want) {
		t.Errorf("reply %+v\nwant %+v", reply, want)
	}
	if fmt.Sprint(chunks) != "[Let me look.]" {
		t.Errorf("chunks %q: with tools the content comes in one piece", chunks)
	}
	sent := []llms.MessageContent{
		{Role: llms.ChatMessageTypeSystem, Parts: f.messages[0].Parts},
		{Role: llms.ChatMessageTypeHuman, Parts: []llms.ContentPart{llms.TextContent{Text: "U"}}},
		{Role: llms.ChatMessageTypeAI, Parts: []llms.ContentPart{llms.TextContent{Text: "A"},
			llms.ToolCall{ID: "t0", Type: "function", FunctionCall: &llms.FunctionCall{Name: "g", Arguments: "{}"}}}},
		{Role: llms.ChatMessageTypeTool, Parts: []llms.ContentPart{llms.ToolCallResponse{ToolCallID: "t0", Name: "g", Content: "R"}}},
	}
	if !reflect.DeepEqual(f.messages, sent) || !strings.HasPrefix(f.messages[0].Parts[0].(llms.TextContent).Text, "S\n\nAnswer with one JSON object") {
		t.Errorf("sent %+v", f.messages)
	}
	if o := f.options; !o.JSONMode || o.Temperature != 0.3 || o.Seed != 9 || o.MaxTokens != 7 || len(o.Tools) != 1 || o.Tools[0].Function.Name != "f" {
		t.Errorf("options %+v", o)
	}
}

func TestStreams(t *testing.T) {
	for traits, want := range map[langchain.Traits]string{{}: "[one  two]", {Whole: true}: "[one two]"} {
		f := &fake{response: &llms.ContentResponse{Choices: []*llms.ContentChoice{{Content: "one two"}}}}
		var chunks []string
		req := model.Request{OnChunk: func(c model.Chunk) { chunks = append(chunks, c.Content) }}
		if _, err := langchain.New("m", f, traits).Generate(t.Context(), req); err != nil || fmt.Sprint(chunks) != want {
			t.Errorf("%+v: %q, %v", traits, chunks, err)
		}
	}
}

// TestToolsInTheConversation: a provider without tools is told of them, and what
// it asks for is called.
func TestToolsInTheConversation(t *testing.T) {
	tools := []model.ToolSpec{{Name: "item_cf", Description: "neighbours.", Parameters: []byte(`{"type": "object"}`)}}
	conversation := []model.Message{
		{Role: model.System, Content: "You analyse."}, {Role: model.User, Content: "Look."},
		{Role: model.Assistant, ToolCalls: []model.ToolCall{{ID: "a", Name: "item_cf", Arguments: `{"k":1}`}, {ID: "b", Name: "item_cf", Arguments: `{"k`}}},
		{Role: model.ToolRole, ToolCallID: "a", Content: `{"evidence":[]}`}, {Role: model.ToolRole, ToolCallID: "b", Content: "error: no"},
	}
	for content, want := range map[string]string{
		`{"tool_calls":[{"name":"item_cf","arguments":{"k":2}},{"name":"item_cf","arguments":"{}"}]}`: `[{call_1 item_cf {"k":2}} {call_2 item_cf {}}]`,
		"```json\n{\"tool_calls\":[{\"name\":\"item_cf\",\"arguments\":{}}]}\n```":                    `[{call_1 item_cf {}}]`,
		`{"role":"recent","summary":"x","claims":[]}`:                                                 `[]`,
		`{"tool_calls":[{"name":""}]}`:                                                                `[]`,
		`{"tool_calls":[]}`:                                                                           `[]`,
		`I would call {"tool_calls":[{"name":"f"}]}`:                                                  `[]`,
		`{"tool_calls":[{"name":"f"}]} and then answer`:                                               `[]`,
	} {
		f := &fake{response: &llms.ContentResponse{Choices: []*llms.ContentChoice{{Content: content}}}}
		reply, err := langchain.New("m", f, langchain.Traits{NoTools: true}).Generate(t.Context(), model.Request{Messages: conversation, Tools: tools})
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(reply.Message.ToolCalls); got != want || (want == "[]") != (reply.Message.Content == content) || (want == "[]") != (reply.Finish == "stop") {
			t.Errorf("%s: calls %s, content %q, finish %s; want %s", content, got, reply.Message.Content, reply.Finish, want)
		}
		var sent []string
		for _, m := range f.messages {
			sent = append(sent, string(m.Role)+" "+m.Parts[0].(llms.TextContent).Text)
		}
		if !strings.HasPrefix(sent[0], "system You analyse.\n\nYou have these tools") || !strings.Contains(sent[0], `- item_cf: neighbours. {"type":"object"}`) {
			t.Errorf("the system message is %q", sent[0])
		}
		if rest := []string{"human Look.", `ai {"tool_calls":[{"name":"item_cf","arguments":{"k":1}},{"name":"item_cf","arguments":"{\"k"}]}`,
			`human Result of item_cf: {"evidence":[]}`, "human Result of item_cf: error: no"}; !reflect.DeepEqual(sent[1:], rest) {
			t.Errorf("sent %q", sent[1:])
		}
		if len(f.options.Tools) > 0 {
			t.Error("tools are offered to a provider that has none")
		}
	}
}

func TestFailures(t *testing.T) {
	half := 0.5
	said := &llms.ContentResponse{Choices: []*llms.ContentChoice{{Content: "half"}}}
	for _, c := range []struct {
		name      string
		fake      fake
		traits    langchain.Traits
		req       model.Request
		want      string
		temporary bool
	}{
		{"no choices", fake{response: &llms.ContentResponse{}}, langchain.Traits{}, model.Request{}, "no choices", false},
		{"cut", fake{response: said}, langchain.Traits{Reasons: true}, model.Request{}, "ended before the reply did", true},
		{"cut, uncounted", fake{response: said}, langchain.Traits{Counts: true}, model.Request{}, "ended before the reply did", true},
		{"top_p refused", fake{response: said}, langchain.Traits{NoTopP: true}, model.Request{Sampling: model.Sampling{TopP: &half}}, "no top_p", false},
		{"the network", fake{err: fmt.Errorf("read: %w", io.ErrUnexpectedEOF)}, langchain.Traits{}, model.Request{}, "langchain: m: read: unexpected EOF", true},
		{"anything", fake{err: errors.New("odd")}, langchain.Traits{}, model.Request{}, "langchain: m: odd", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := langchain.New("m", &c.fake, c.traits).Generate(t.Context(), c.req)
			if err == nil || !strings.Contains(err.Error(), c.want) || model.Temporary(err) != c.temporary {
				t.Errorf("error %v, temporary %v", err, model.Temporary(err))
			}
		})
	}
}

// TestStatuses: through each provider, a failure keeps its status and its wait.
func TestStatuses(t *testing.T) {
	busy := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "3")
		w.WriteHeader(http.StatusTooManyRequests)
		_, _ = io.WriteString(w, `{"error":{"message":"slow down, sk-secret"}}`)
	})
	for _, provider := range langchain.Providers() {
		_, err := open(t, provider, serve(t, busy)).Generate(t.Context(), model.Request{Messages: []model.Message{{Role: model.User, Content: "x"}}})
		var e *model.Error
		if !errors.As(err, &e) || e.Status != 429 || e.RetryAfter != 3*time.Second || !e.Temporary {
			t.Errorf("%s: error %#v", provider, err)
		}
		if want := "langchain: " + provider + "/m: status 429: slow down, [key]"; err.Error() != want {
			t.Errorf("%s: error %q, want %q", provider, err, want)
		}
	}
}

// TestAnthropic: several calls in one message, and their results, reach a
// provider that reads one part of each message; its blocks become one reply.
func TestAnthropic(t *testing.T) {
	var body string
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		body = string(b)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"id":"1","type":"message","role":"assistant","model":"m","stop_reason":"max_tokens","content":[`+
			`{"type":"text","text":"Well."},{"type":"tool_use","id":"b","name":"g","input":{"k":2}}],"usage":{"input_tokens":4,"output_tokens":2}}`)
	})
	reply, err := open(t, "anthropic", serve(t, h)).Generate(t.Context(), model.Request{Messages: []model.Message{
		{Role: model.User, Content: "x"},
		{Role: model.Assistant, ToolCalls: []model.ToolCall{{ID: "a", Name: "f", Arguments: `{"k":1}`}, {ID: "a2", Name: "f", Arguments: `{}`}}},
		{Role: model.ToolRole, ToolCallID: "a", Content: "one"}, {Role: model.ToolRole, ToolCallID: "a2", Content: "two"},
	}, Tools: []model.ToolSpec{{Name: "f", Parameters: []byte(`{"type":"object"}`)}}})
	if err != nil {
		t.Fatal(err)
	}
	if reply.Message.Content != "Well." || fmt.Sprint(reply.Message.ToolCalls) != `[{b g {"k":2}}]` || reply.Finish != "length" || reply.Usage.InputTokens != 4 {
		t.Errorf("reply %+v", reply)
	}
	for _, want := range []string{`"id":"a"`, `"id":"a2"`, `"tool_use_id":"a"`, `"tool_use_id":"a2"`, `"temperature":1`} {
		if !strings.Contains(body, want) {
			t.Errorf("%s is not in %s", want, body)
		}
	}
}

func TestOllama(t *testing.T) {
	whole := `{"model":"m","message":{"role":"assistant","content":"Dune"},"done":false}
{"model":"m","message":{"role":"assistant","content":"."},"done":true,"prompt_eval_count":3,"eval_count":2}
`
	for _, c := range []struct {
		body string
		ok   bool
	}{{whole, true}, {whole[:strings.Index(whole, "\n")+1], false}} {
		m := open(t, "ollama", serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/x-ndjson")
			_, _ = io.WriteString(w, c.body)
		})))
		reply, err := m.Generate(t.Context(), model.Request{Messages: []model.Message{{Role: model.User, Content: "x"}}})
		if c.ok != (err == nil) || (c.ok && (reply.Message.Content != "Dune." || reply.Usage.OutputTokens != 2)) {
			t.Errorf("%+v, %v", reply, err)
		}
	}
}

func TestOpenChecks(t *testing.T) {
	for _, c := range []struct{ provider, name, base, key string }{
		{"oracle", "m", "", "k"}, {"openai", "", "", "k"}, {"openai", "m", "127.0.0.1:80", "k"}, {"ollama", "m", "http://[::1", ""},
	} {
		if _, err := langchain.Open(c.provider, c.name, langchain.Access{BaseURL: c.base, Key: c.key}); err == nil {
			t.Errorf("%+v is opened", c)
		}
	}
}
