package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/mars-rec/mars/trajectories/store"
)

// otlpReceiver is a collector: it knows each span that it was sent, by its ids,
// and all that it was sent, in bytes.
type otlpReceiver struct {
	*httptest.Server
	mu    sync.Mutex
	spans map[string]string // name and parent
	all   bytes.Buffer
}

func receiveOTLP(t *testing.T) *otlpReceiver {
	r := &otlpReceiver{spans: map[string]string{}}
	r.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		var got collector.ExportTraceServiceRequest
		if err == nil {
			err = proto.Unmarshal(body, &got)
		}
		if err != nil {
			t.Error(err)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.all.Write(body)
		for _, resource := range got.ResourceSpans {
			for _, scope := range resource.ScopeSpans {
				for _, s := range scope.Spans {
					r.spans[hex.EncodeToString(s.TraceId)+" "+hex.EncodeToString(s.SpanId)] = s.Name + " < " + hex.EncodeToString(s.ParentSpanId)
				}
			}
		}
	}))
	t.Cleanup(r.Close)
	return r
}

// TestTracesOfASynthesis: each run is sent when it has ended, and mars trace sends
// the same spans again from the record, of runs that were done and of runs that
// failed.
func TestTracesOfASynthesis(t *testing.T) {
	smallWorld(t, "3")
	live, later := receiveOTLP(t), receiveOTLP(t)
	mars(t, "synth", "--data", "data", "--tasks", "tasks.jsonl", "--out", "run.db", "--otlp", live.URL)
	out := mars(t, "trace", "run.db", "--otlp", later.URL)
	if !maps.Equal(live.spans, later.spans) {
		t.Errorf("live\n%v\nlater\n%v", live.spans, later.spans)
	}
	st, err := store.Open(t.Context(), "run.db", store.Config{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	want := map[string]int{}
	for r, err := range st.Runs(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		want["invoke_workflow"]++
		want["chat"] += r.Calls
		want["execute_tool"] += r.Tools
		want["invoke_agent"] += 7
	}
	got := map[string]int{}
	for _, s := range later.spans {
		operation, _, _ := strings.Cut(s, " ")
		got[operation]++
	}
	if !maps.Equal(got, want) || want["chat"] == 0 || !strings.HasPrefix(out, fmt.Sprintf("3 runs, %d spans sent to", len(later.spans))) {
		t.Errorf("%d spans: %v, want %v; it says %s", len(later.spans), got, want, out)
	}
}

// TestTracesOfFailures: failed runs are traced too, and neither the key nor what
// the server said of it is in a span.
func TestTracesOfFailures(t *testing.T) {
	smallWorld(t, "2")
	const key = "sk-0123456789abcdef"
	t.Setenv("OPENAI_API_KEY", key)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnauthorized)
		io.WriteString(w, `{"error":{"message":"private words, and `+r.Header.Get("Authorization")+`"}}`) //nolint:errcheck // then the test fails
	}))
	defer server.Close()
	plain, content := receiveOTLP(t), receiveOTLP(t)
	var said bytes.Buffer
	args := []string{"synth", "--data", "data", "--tasks", "tasks.jsonl", "--model", "openai:x", "--base-url", server.URL, "--attempts", "1", "--out", "run.db", "--otlp", plain.URL}
	if code := run(context.Background(), args, strings.NewReader(""), &said, &said, time.Now); code != exitFailure {
		t.Fatalf("exit %d: %s", code, said.String())
	}
	mars(t, "trace", "run.db", "--otlp", content.URL, "--otlp-content")
	for name, sent := range map[string]*otlpReceiver{"plain": plain, "with content": content} {
		text := sent.all.String()
		if !strings.Contains(text, "chat x") || !strings.Contains(text, "error.type") || !strings.Contains(text, "401") {
			t.Errorf("%s: the failed call is not told: %q", name, text)
		}
		if strings.Contains(text, "private words") != (sent == content) || strings.Contains(text, key) {
			t.Errorf("%s: what is told is %q", name, text)
		}
	}
}

// TestADeadCollectorCostsNothing: the runs are done, and it is said once that they
// were not traced.
func TestADeadCollectorCostsNothing(t *testing.T) {
	smallWorld(t, "4")
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	var out, messages bytes.Buffer
	args := []string{"synth", "--data", "data", "--tasks", "tasks.jsonl", "--out", "run.db", "--otlp", gone.URL}
	if code := run(t.Context(), args, strings.NewReader(""), &out, &messages, time.Now); code != exitOK {
		t.Fatalf("exit %d: %s", code, messages.String())
	}
	if !strings.Contains(out.String(), "4 of 4 tasks done") || strings.Count(messages.String(), "mars: send traces: Post ") != 1 ||
		!strings.Contains(messages.String(), "4 of 4 runs were not traced") {
		t.Errorf("it says %s\n%s", out.String(), messages.String())
	}
	if code := run(t.Context(), []string{"trace", "run.db", "--otlp", gone.URL}, strings.NewReader(""), &out, &messages, time.Now); code != exitFailure {
		t.Errorf("mars trace to nobody: exit %d", code)
	}
	if _, err := os.Stat("run.db"); err != nil {
		t.Error(err)
	}
}
