package monitor_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/orchestrator"
	"github.com/mars-rec/mars/orchestrator/monitor"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tools"
)

// kept keeps the events that it hears.
type kept []monitor.Event

func (k *kept) Observe(e monitor.Event) { *k = append(*k, e) }

func (k *kept) String() string {
	var b strings.Builder
	for _, e := range *k {
		fmt.Fprintf(&b, "%s %s %s %s %s %s", e.Kind, e.Run, e.Path, e.Role, e.Name, e.Took)
		if e.Usage != nil {
			fmt.Fprintf(&b, " %d+%d", e.Usage.InputTokens, e.Usage.OutputTokens)
		}
		fmt.Fprintf(&b, " refused=%v cached=%v %v\n", e.Refused, e.Cached, e.Err)
	}
	return b.String()
}

// TestModelTellsOfEachAttempt, with the place of the reply and the time it took.
func TestModelTellsOfEachAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var heard kept
		n := 0
		slow := model.Func(func(context.Context, model.Request) (model.Reply, error) {
			time.Sleep(time.Second)
			if n++; n == 1 {
				return model.Reply{}, &model.Error{Status: 429, Temporary: true, Err: errors.New("status 429: later")}
			}
			return model.Reply{Usage: &message.Usage{InputTokens: 7, OutputTokens: 2}}, nil
		})
		m := model.Retry(monitor.Model("openai:x", slow, &heard, nil), model.RetryConfig{Attempts: 2})
		if _, err := m.Generate(t.Context(), model.Request{Run: "r", Path: "1.2.3", Caller: "ranker"}); err != nil {
			t.Fatal(err)
		}
		const want = `attempt made r 1.2.3 ranker openai:x 0s refused=false cached=false <nil>
attempt over r 1.2.3 ranker openai:x 1s refused=false cached=false status 429: later
attempt made r 1.2.3 ranker openai:x 0s refused=false cached=false <nil>
attempt over r 1.2.3 ranker openai:x 1s 7+2 refused=false cached=false <nil>
`
		if heard.String() != want {
			t.Errorf("heard\n%s\nwant\n%s", heard.String(), want)
		}
	})
}

// shelf is a ledger that knows the fact at 1.1.2.
type shelf struct{ orchestrator.Entry }

func (s shelf) Begin(context.Context, string, tasks.Task) (orchestrator.Entry, error) { return s, nil }
func (shelf) Append(_ context.Context, e message.Envelope) error {
	if e.ID == "1.9.9" {
		return message.ErrConflict
	}
	return nil
}
func (shelf) Recall(id message.ID, _ string) (message.Envelope, bool, error) {
	return message.Envelope{}, id == "1.1.2", nil
}

// TestLedgerTellsOfWhatIsFetched, once, and not of what is recalled.
func TestLedgerTellsOfWhatIsFetched(t *testing.T) {
	var heard kept
	entry, err := monitor.Ledger(shelf{}, &heard).Begin(t.Context(), "r", tasks.Task{})
	if err != nil {
		t.Fatal(err)
	}
	fact := func(id message.ID, body message.Body, meta message.Meta) {
		t.Helper()
		meta.Digest = "d"
		text, err := message.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		_, _, _ = entry.Recall(id, "d")
		if err := entry.Append(t.Context(), message.Envelope{ID: id, From: "planner", Kind: body.Kind(), Body: text, Meta: meta}); err != nil && id != "1.9.9" {
			t.Fatal(err)
		}
	}
	fact("1.1.2", model.Output{}, message.Meta{Model: "m"}) // recalled
	for range 2 {
		fact("1.1.3", model.Output{}, message.Meta{Model: "m", Duration: time.Second, Usage: &message.Usage{InputTokens: 5, OutputTokens: 1}})
	}
	fact("1.1.4", tools.Result{Tool: "item_cf"}, message.Meta{Duration: time.Millisecond})
	fact("1.1.5", tools.Result{Tool: "item_cf", Error: "private"}, message.Meta{})
	fact("1.9.9", model.Output{}, message.Meta{Model: "m"}) // refused by the log
	_ = entry.Append(t.Context(), message.Envelope{ID: "1.1.6", Kind: "note", Body: json.RawMessage(`{}`)})
	const want = `replied r 1.1.3 planner m 1s 5+1 refused=false cached=false <nil>
tool called r 1.1.4 planner item_cf 1ms refused=false cached=false <nil>
tool called r 1.1.5 planner item_cf 0s refused=true cached=false <nil>
`
	if heard.String() != want {
		t.Errorf("heard\n%s\nwant\n%s", heard.String(), want)
	}
}

// some is a little of everything that happens.
func some(o monitor.Observer) {
	broken := &model.Error{Status: 503, Err: errors.New("status 503: a\nb")}
	for _, e := range []monitor.Event{
		{Kind: monitor.RunBegan, Run: "a"},
		{Kind: monitor.RunBegan, Run: "b"},
		{Kind: monitor.AttemptMade, Run: "a", Path: "1.1.3", Role: "planner", Name: "openai:x"},
		{Kind: monitor.AttemptOver, Run: "a", Path: "1.1.3", Role: "planner", Name: "openai:x", Took: time.Second, Err: broken},
		{Kind: monitor.Retried, Err: broken},
		{Kind: monitor.AttemptMade, Run: "a", Path: "1.1.3", Role: "planner", Name: "openai:x"},
		{Kind: monitor.AttemptOver, Run: "a", Path: "1.1.3", Role: "planner", Name: "openai:x", Took: time.Second},
		{Kind: monitor.Replied, Run: "a", Path: "1.1.3", Role: "planner", Name: "openai:x", Took: 3 * time.Second, Attempts: 2, Usage: &message.Usage{InputTokens: 100, OutputTokens: 20, CachedTokens: 60}},
		{Kind: monitor.Replied, Run: "a", Path: "1.2.3", Role: "ranker", Name: "openai:x", Cached: true, Usage: &message.Usage{InputTokens: 9}},
		{Kind: monitor.ToolCalled, Run: "a", Path: "1.2.4", Role: "ranker", Name: "item_cf", Took: time.Millisecond, Refused: true},
		{Kind: monitor.AttemptMade, Run: "b", Path: "1.1.3", Role: "planner", Name: "openai:x"},
		{Kind: monitor.RunEnded, Run: "a", Outcome: orchestrator.Done, Took: 4 * time.Second, Calls: 3, Usage: &message.Usage{InputTokens: 100, OutputTokens: 20}},
		{Kind: monitor.RunBegan, Run: "c"},
		{Kind: monitor.RunEnded, Run: "c", Outcome: orchestrator.Failed, Took: time.Second, Err: broken},
		{Kind: monitor.RunEnded, Run: "d", Outcome: orchestrator.Skipped},
	} {
		o.Observe(e)
	}
}

func TestMetrics(t *testing.T) {
	m := monitor.NewMetrics()
	m.Plan(4)
	m.Gauge("mars_limiter_concurrency", "limit", []string{"model"}, func(tell func(float64, ...string)) { tell(17, "openai:x") })
	some(m)
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	got := w.Body.String()
	for _, want := range []string{
		"mars_runs_planned 4\n", "mars_runs_in_flight 1\n",
		`mars_runs_ended_total{outcome="done"} 1`, `mars_runs_ended_total{outcome="failed"} 1`, `mars_runs_ended_total{outcome="skipped"} 1`,
		`mars_run_duration_seconds_sum{outcome="done"} 4`, `mars_run_failures_total{error_type="503"} 1`,
		`gen_ai_client_inference_duration_seconds_sum{gen_ai_operation_name="chat",gen_ai_provider_name="openai",gen_ai_request_model="x",mars_role="planner"} 3`,
		`gen_ai_client_inference_usage_input_tokens_total{gen_ai_operation_name="chat",gen_ai_provider_name="openai",gen_ai_request_model="x",mars_role="planner"} 100`,
		`gen_ai_client_inference_usage_output_tokens_total{gen_ai_operation_name="chat",gen_ai_provider_name="openai",gen_ai_request_model="x",mars_role="planner"} 20`,
		`gen_ai_client_inference_usage_cache_read_input_tokens_total{gen_ai_operation_name="chat",gen_ai_provider_name="openai",gen_ai_request_model="x",mars_role="planner"} 60`,
		`mars_model_replies_cached_total{model="openai:x",role="ranker"} 1`,
		`gen_ai_execute_tool_duration_seconds_count{error_type="input",gen_ai_operation_name="execute_tool",gen_ai_tool_name="item_cf"} 1`,
		`mars_model_attempts_total{model="openai:x",outcome="503",role="planner"} 1`, `mars_model_attempts_total{model="openai:x",outcome="ok",role="planner"} 1`,
		`mars_model_attempt_duration_seconds_sum{model="openai:x"} 2`, `mars_model_attempts_in_flight{model="openai:x"} 1`,
		`mars_model_retries_total{error_type="503"} 1`, `mars_limiter_concurrency{model="openai:x"} 17`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is missing", want)
		}
	}
	if t.Failed() {
		t.Log(got)
	}
}

func TestLogger(t *testing.T) {
	lines := func(level zapcore.Level) string {
		var b bytes.Buffer
		core := zapcore.NewCore(zapcore.NewJSONEncoder(zapcore.EncoderConfig{LevelKey: "level", MessageKey: "event", EncodeLevel: zapcore.LowercaseLevelEncoder}), zapcore.AddSync(&b), level)
		some(monitor.NewLogger(zap.New(core)))
		return b.String()
	}
	const failed = `{"level":"error","event":"run ended","run":"c","outcome":"failed","seconds":1,"error_type":"503","error":"status 503: a\nb"}` + "\n"
	const done = `{"level":"info","event":"run ended","run":"a","outcome":"done","seconds":4,"input_tokens":100,"output_tokens":20,"calls":3}` + "\n"
	const attempt = `{"level":"warn","event":"attempt over","run":"a","path":"1.1.3","role":"planner","model":"openai:x","seconds":1,"error_type":"503","error":"status 503: a\nb"}` + "\n"
	const replied = `{"level":"debug","event":"replied","run":"a","path":"1.1.3","role":"planner","model":"openai:x","seconds":3,"input_tokens":100,"output_tokens":20,"cached_tokens":60,"attempts":2}` + "\n"
	const tool = `{"level":"debug","event":"tool called","run":"a","path":"1.2.4","role":"ranker","tool":"item_cf","seconds":0.001,"error_type":"input"}` + "\n"
	if got := lines(zap.ErrorLevel); got != failed {
		t.Errorf("at error:\n%s", got)
	}
	if got, want := lines(zap.InfoLevel), attempt+done+failed; got != want {
		t.Errorf("at info:\n%s\nwant\n%s", got, want)
	}
	for _, want := range []string{attempt, replied, tool, done, failed} {
		if got := lines(zap.DebugLevel); !strings.Contains(got, want) {
			t.Errorf("at debug %s is missing from\n%s", want, got)
		}
	}
}

func TestLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := monitor.NewLive(nil)
		l.Observe(monitor.Event{Kind: monitor.RunBegan, Run: "a"})
		time.Sleep(time.Second)
		l.Observe(monitor.Event{Kind: monitor.RunBegan, Run: "b"})
		for _, path := range []message.ID{"1.10.3", "1.2.3", "1.3.3"} {
			l.Observe(monitor.Event{Kind: monitor.AttemptMade, Run: "b", Path: path, Role: "planner", Name: "m"})
		}
		l.Observe(monitor.Event{Kind: monitor.AttemptOver, Run: "b", Path: "1.3.3"})
		l.Observe(monitor.Event{Kind: monitor.AttemptMade, Run: "", Path: "1.1"}) // of nobody's run
		time.Sleep(time.Second)
		got := l.Slowest(5)
		if len(got) != 2 || got[0].Run != "a" || got[0].Seconds != 2 || len(got[1].Waits) != 2 || got[1].Waits[0].Path != "1.2.3" {
			t.Errorf("in flight: %+v", got)
		}
		w := httptest.NewRecorder()
		l.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/runs", nil))
		var told []monitor.Flight
		if err := json.Unmarshal(w.Body.Bytes(), &told); err != nil || len(told) != 2 || told[1].Waits[1].Role != "planner" {
			t.Errorf("served: %s, %v", w.Body, err)
		}
		l.Observe(monitor.Event{Kind: monitor.RunEnded, Run: "a", Outcome: orchestrator.Interrupted})
		if got := l.Slowest(5); len(got) != 1 || got[0].Run != "b" {
			t.Errorf("in flight: %+v", got)
		}
	})
}
