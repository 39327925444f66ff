package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// gated is a server in front of another: its nth request, from 1, waits until the
// gate is opened, and the first is refused as one too many.
func gated(t *testing.T, to string, n int64) (url string, reached <-chan struct{}, open func()) {
	t.Helper()
	target, err := parsed(to)
	if err != nil {
		t.Fatal(err)
	}
	at, gate := make(chan struct{}), make(chan struct{})
	var asked atomic.Int64
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch asked.Add(1) {
		case 1:
			w.WriteHeader(http.StatusTooManyRequests)
			return
		case n:
			close(at)
			<-gate
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL + "/v1", at, func() { close(gate) }
}

func parsed(base string) (*url.URL, error) {
	u, err := url.Parse(base)
	if err == nil {
		u.Path = ""
	}
	return u, err
}

// working is a synthesis that has come to where its server's gate is closed.
func working(t *testing.T, args ...string) (said <-chan string, finish func() int) {
	t.Helper()
	smallWorld(t, "3")
	llm, _ := serveLLM(t)
	base, reached, open := gated(t, llm, 20)
	if err := os.WriteFile("prices.yaml", []byte("currency: EUR\nmodels:\n  openai:builtin: {input: 1, output: 4}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	lines, code := telling(t, reached, append([]string{"synth", "--data", "data", "--tasks", "tasks.jsonl", "--model", "openai:builtin", "--base-url", base,
		"--out", "run.db", "--prices", "prices.yaml", "--budget", "100", "--max-tokens", "1000", "--concurrency", "1"}, args...))
	return lines, func() int { open(); return <-code }
}

// telling starts a command and waits until it has reached the gate. What it says is
// read line by line.
func telling(t *testing.T, reached <-chan struct{}, all []string) (<-chan string, <-chan int) {
	t.Helper()
	r, w := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- run(context.Background(), all, strings.NewReader(""), io.Discard, w, time.Now)
		w.Close()
	}()
	lines := make(chan string, 1000)
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(r); s.Scan(); {
			lines <- s.Text()
		}
	}()
	select {
	case <-reached:
	case c := <-code:
		t.Fatalf("exit %d before the gate", c)
	}
	return lines, code
}

// address finds where the metrics are.
func address(said <-chan string) string {
	for line := range said {
		if _, url, ok := strings.Cut(line, "metrics at "); ok {
			return url
		}
	}
	return ""
}

// TestMetricsAndLogOfAWorker: a worker shows what it does in the way of a synthesis:
// its attempts, limits and breakers, its runs and what they fetch.
func TestMetricsAndLogOfAWorker(t *testing.T) {
	dir := smallWorld(t, "3")
	programs(t, dir)
	port := freePort(t)
	natsAt(t, filepath.Join(dir, "nats-store"), port)
	cluster := "nats://127.0.0.1:" + strconv.Itoa(port)
	llm, _ := serveLLM(t)
	base, reached, open := gated(t, llm, 20)
	synth := start(t, nil, "mars", "synth", "--data", "data", "--tasks", "tasks.jsonl", "--model", "openai:builtin", "--max-tokens", "1000", "--budget-tokens", "9000000",
		"--cluster", cluster, "--nats-unsynced", "--concurrency", "1", "--out", "run.db")
	said, code := telling(t, reached, []string{"worker", "--data", "data", "--cluster", cluster, "--base-url", base, "--concurrency", "1",
		"--metrics", "127.0.0.1:0", "--log", "worker.log", "--log-level", "debug"})
	got := fetch(t, address(said))
	for _, want := range []string{
		"mars_runs_in_flight 1\n", `mars_runs_ended_total{outcome="done"} 1`, `mars_model_attempts_total{model="openai:builtin",outcome="429",role="planner"} 1`,
		`mars_model_retries_total{error_type="429"} 1`, `mars_limiter_falls_total{model="openai:builtin"} 1`, `mars_breaker_open{provider="openai `,
		`gen_ai_client_inference_duration_seconds_count{gen_ai_operation_name="chat",gen_ai_provider_name="openai",gen_ai_request_model="builtin",mars_role="ranker"} 1`,
		`gen_ai_execute_tool_duration_seconds_count{error_type="",gen_ai_operation_name="execute_tool",gen_ai_tool_name="item_cf"} `,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is missing", want)
		}
	}
	if strings.Contains(got, "mars_store_") || strings.Contains(got, "mars_budget_") {
		t.Error("a worker tells of a store or a budget, which it has not")
	}
	open()
	if c := <-code; c != exitOK {
		t.Errorf("exit %d", c)
	}
	synth.exit(t, exitOK)
	b, err := os.ReadFile("worker.log")
	if err != nil {
		t.Fatal(err)
	}
	for event, n := range map[string]int{"run began": 3, "run ended": 3, "attempt over": 1} {
		if c := strings.Count(string(b), `"event":"`+event+`"`); c != n {
			t.Errorf("%s: %d lines, want %d", event, c, n)
		}
	}
	if strings.Count(string(b), `"event":"replied"`) < 30 || strings.Contains(string(b), "You are") {
		t.Errorf("%s", b)
	}
}

func fetch(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.Status + "\n" + string(b)
}

// TestMetricsOfASynthesis reads the metrics while runs are at work.
func TestMetricsOfASynthesis(t *testing.T) {
	said, finish := working(t, "--metrics", "127.0.0.1:0", "--pprof")
	address := address(said)
	got := fetch(t, address)
	for _, want := range []string{
		"mars_runs_planned 3\n", "mars_runs_in_flight 1\n", `mars_runs_ended_total{outcome="done"} 1`,
		`mars_model_attempts_total{model="openai:builtin",outcome="429",role="planner"} 1`, `mars_model_retries_total{error_type="429"} 1`,
		`mars_model_attempts_in_flight{model="openai:builtin"} `, `mars_limiter_concurrency{model="openai:builtin"} 179`, `mars_limiter_falls_total{model="openai:builtin"} 1`,
		`mars_breaker_open{provider="openai `, `mars_spend_total{currency="EUR",model="openai:builtin",role="planner"} `,
		`mars_budget_limit{unit="EUR"} 100`, `mars_budget_left{unit="EUR"} `, `mars_budget_reserved{unit="EUR"} `, "mars_store_queue_length ",
		`gen_ai_client_inference_duration_seconds_count{gen_ai_operation_name="chat",gen_ai_provider_name="openai",gen_ai_request_model="builtin",mars_role="ranker"} 1`,
		`gen_ai_execute_tool_duration_seconds_count{error_type="",gen_ai_operation_name="execute_tool",gen_ai_tool_name="item_cf"} `, "go_goroutines ",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is missing", want)
		}
	}
	if t.Failed() {
		t.Log(got)
	}
	base := strings.TrimSuffix(address, "/metrics")
	if got := fetch(t, base+"/runs"); !strings.Contains(got, `"model":"openai:builtin"`) || !strings.Contains(got, `"path":"1.`) {
		t.Errorf("in flight: %s", got)
	}
	if got := fetch(t, base+"/debug/pprof/goroutine?debug=1"); !strings.Contains(got, "goroutine profile: total") {
		t.Errorf("profile: %.200s", got)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "evil.example"
	if resp, err := http.DefaultClient.Do(req); err != nil || resp.StatusCode != http.StatusForbidden {
		t.Errorf("under a foreign name: %v, %v", resp, err)
	} else {
		resp.Body.Close()
	}
	if code := finish(); code != exitOK {
		t.Errorf("exit %d", code)
	}
	if _, err := http.Get(address); err == nil {
		t.Error("the metrics are served after the end")
	}
}

// TestLogOfASynthesis: every line is JSON with the place of what it tells, and no
// line has a text of a prompt, or the key.
func TestLogOfASynthesis(t *testing.T) {
	t.Setenv("OPENAI_API_KEY", "sk-0123456789abcdef")
	_, finish := working(t, "--log", "synth.log", "--log-level", "debug")
	if code := finish(); code != exitOK {
		t.Fatalf("exit %d", code)
	}
	b, err := os.ReadFile("synth.log")
	if err != nil {
		t.Fatal(err)
	}
	events := map[string]int{}
	for line := range bytes.Lines(b) {
		var l struct {
			Time                                time.Time
			Event, Run, Path, Role, Model, Tool string
			Seconds                             *float64
			ErrorType                           string `json:"error_type"`
			Level                               string
		}
		if err := json.Unmarshal(line, &l); err != nil || l.Time.IsZero() || l.Run == "" {
			t.Fatalf("%s: %v", line, err)
		}
		events[l.Event]++
		switch l.Event {
		case "replied":
			if l.Path == "" || l.Role == "" || l.Model != "openai:builtin" || l.Seconds == nil {
				t.Errorf("%s", line)
			}
		case "tool called":
			if l.Path == "" || l.Role == "" || l.Tool == "" || l.Seconds == nil {
				t.Errorf("%s", line)
			}
		case "attempt over":
			if l.Path == "" || l.ErrorType != "429" || l.Level != "warn" {
				t.Errorf("%s", line)
			}
		}
	}
	if events["run ended"] != 3 || events["run began"] != 3 || events["attempt over"] != 1 || events["replied"] < 30 || events["tool called"] < 20 {
		t.Errorf("events: %v", events)
	}
	text := string(b)
	for _, private := range []string{"sk-0123", "You are", "c01 |"} {
		if strings.Contains(text, private) {
			t.Errorf("the log has %q", private)
		}
	}
}

func TestObserveFlags(t *testing.T) {
	for want, args := range map[string][]string{
		"--log-level is":       {"--log-level", "loud"},
		"go with --metrics":    {"--pprof"},
		"want host:port":       {"--metrics", "9464"},
		"add --metrics-open":   {"--metrics", ":9464"},
		"it is for this":       {"--metrics", ":9464", "--metrics-open", "--pprof"},
		"not of the form http": {"--otlp", "nowhere"},
	} {
		var said bytes.Buffer
		all := append([]string{"synth", "--data", "d", "--tasks", "t"}, args...)
		if code := run(t.Context(), all, strings.NewReader(""), &said, &said, time.Now); code != exitUsage || !strings.Contains(said.String(), want) {
			t.Errorf("%v: exit %d, %s", args, code, said.String())
		}
	}
}
