package traces_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/mars-rec/mars/trajectories"
	"github.com/mars-rec/mars/trajectories/traces"
)

// receiver is a collector that keeps what it is sent.
type receiver struct {
	*httptest.Server
	mu       sync.Mutex
	requests []*collector.ExportTraceServiceRequest
	bodies   [][]byte
	headers  []http.Header
	paths    []string
}

func receive(t *testing.T) *receiver {
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		got := &collector.ExportTraceServiceRequest{}
		if err == nil && req.Header.Get("Content-Type") == "application/x-protobuf" {
			err = proto.Unmarshal(body, got)
		}
		if err != nil {
			t.Error(err)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.requests, r.bodies = append(r.requests, got), append(r.bodies, body)
		r.headers, r.paths = append(r.headers, req.Header), append(r.paths, req.URL.Path)
	}))
	t.Cleanup(r.Close)
	return r
}

// spans are all that came, in the order in which they came.
func (r *receiver) spans() []*otlp.Span {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []*otlp.Span
	for _, req := range r.requests {
		for _, resource := range req.ResourceSpans {
			for _, scope := range resource.ScopeSpans {
				all = append(all, scope.Spans...)
			}
		}
	}
	return all
}

func exporter(t *testing.T, url string) *traces.Exporter {
	t.Helper()
	x, err := traces.NewExporter(t.Context(), traces.ExportConfig{URL: url, Version: "1.2.3", Patience: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := x.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return x
}

// TestExport sends a run to a collector over HTTP: names, ids, links, times and
// attributes arrive as the spans have them.
func TestExport(t *testing.T) {
	r := receive(t)
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20t0k")
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=lab")
	spans := traces.Spans(small(), traces.Config{})
	if err := exporter(t, r.URL).Export(t.Context(), spans); err != nil {
		t.Fatal(err)
	}
	if len(r.paths) != 1 || r.paths[0] != "/v1/traces" || r.headers[0].Get("Authorization") != "Bearer t0k" {
		t.Errorf("requests to %v with %v", r.paths, r.headers)
	}
	about := r.requests[0].ResourceSpans[0].Resource.String()
	for _, want := range []string{`"service.name"`, `"mars"`, `"1.2.3"`, `"lab"`} {
		if !strings.Contains(about, want) {
			t.Errorf("the resource %s lacks %s", about, want)
		}
	}
	got := r.spans()
	if len(got) != len(spans) {
		t.Fatalf("%d spans arrived of %d", len(got), len(spans))
	}
	for i, s := range spans {
		g := got[i]
		if g.Name != s.Name || hex.EncodeToString(g.TraceId) != s.Trace.String() || hex.EncodeToString(g.SpanId) != s.ID.String() ||
			int64(g.StartTimeUnixNano) != s.Start.UnixNano() || int64(g.EndTimeUnixNano) != s.End.UnixNano() || int(g.Kind) != int(s.Kind) {
			t.Errorf("%s arrived as %v", s.Path, g)
		}
		if parent := hex.EncodeToString(g.ParentSpanId); (i == 0) != (parent == "") || i > 0 && parent != s.Parent.String() {
			t.Errorf("%s arrived under %q", s.Path, parent)
		}
		if failed := g.Status.GetCode() == otlp.Status_STATUS_CODE_ERROR; failed != (s.Failure != "") {
			t.Errorf("%s arrived with status %v", s.Path, g.Status)
		}
		var names, want []string
		for _, a := range g.Attributes {
			names = append(names, a.Key)
		}
		for _, a := range s.Attributes {
			want = append(want, string(a.Key))
		}
		if slices.Sort(names); !slices.Equal(names, slices.Sorted(slices.Values(want))) {
			t.Errorf("%s arrived with %v, want %v", s.Path, names, want)
		}
	}
}

// TestJSONIsWhatTheSDKSends holds the JSON to that of OpenTelemetry's exporter.
func TestJSONIsWhatTheSDKSends(t *testing.T) {
	r := receive(t)
	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json")
	spans := traces.Spans(small(), traces.Config{Content: true})
	if err := exporter(t, r.URL).Export(t.Context(), spans); err != nil {
		t.Fatal(err)
	}
	var ours bytes.Buffer
	if err := traces.WriteJSON(&ours, "1.2.3", spans); err != nil {
		t.Fatal(err)
	}
	got, want := scopeSpans(t, ours.Bytes()), scopeSpans(t, r.bodies[0])
	for i, s := range got["spans"].([]any) {
		w := want["spans"].([]any)[i].(map[string]any)
		for _, id := range []string{"traceId", "spanId", "parentSpanId"} {
			if hex, ok := w[id].(string); ok { // in either case, says OTLP
				w[id] = strings.ToLower(hex)
			}
		}
		if !reflect.DeepEqual(s, any(w)) {
			t.Errorf("a span is written as\n%v\nthe SDK sends\n%v", s, w)
		}
	}
	if !reflect.DeepEqual(got["scope"], want["scope"]) {
		t.Errorf("the scope is %v, want %v", got["scope"], want["scope"])
	}
}

func scopeSpans(t *testing.T, text []byte) map[string]any {
	t.Helper()
	var v struct {
		ResourceSpans []struct {
			ScopeSpans []map[string]any `json:"scopeSpans"`
		} `json:"resourceSpans"`
	}
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v.ResourceSpans[0].ScopeSpans[0]
}

// TestSampling: whether a run is sampled is decided for all of it.
func TestSampling(t *testing.T) {
	r := receive(t)
	t.Setenv("OTEL_TRACES_SAMPLER", "traceidratio")
	t.Setenv("OTEL_TRACES_SAMPLER_ARG", "0.5")
	x := exporter(t, r.URL)
	for i := range 40 {
		tr := small()
		tr.Run.ID = fmt.Sprint("run-", i)
		if err := x.Export(t.Context(), traces.Spans(tr, traces.Config{})); err != nil {
			t.Fatal(err)
		}
	}
	runs := map[string]int{}
	for _, s := range r.spans() {
		runs[hex.EncodeToString(s.TraceId)]++
	}
	if len(runs) < 8 || len(runs) > 32 {
		t.Errorf("%d of 40 runs are sampled", len(runs))
	}
	for id, n := range runs {
		if n != 6 {
			t.Errorf("%d spans of 6 of %s", n, id)
		}
	}
}

func TestCollectorURLs(t *testing.T) {
	r := receive(t)
	for path, want := range map[string]string{"": "/v1/traces", "/": "/v1/traces", "/api/otel": "/api/otel/v1/traces", "/api/v1/traces": "/api/v1/traces"} {
		r.paths = nil
		if err := exporter(t, r.URL+path).Export(t.Context(), traces.Spans(small(), traces.Config{})); err != nil || len(r.paths) != 1 || r.paths[0] != want {
			t.Errorf("%q: %v, %v, want %s", path, r.paths, err, want)
		}
	}
	for _, bad := range []string{"collector:4318", "ftp://host", "http://", "http://me:hush@host", "http://host/?key=hush"} {
		if _, err := traces.NewExporter(t.Context(), traces.ExportConfig{URL: bad}); err == nil || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// TestWhatACollectorRefusesIsAnError, also where it refuses a part.
func TestWhatACollectorRefusesIsAnError(t *testing.T) {
	answer := func(w http.ResponseWriter) { w.WriteHeader(http.StatusBadRequest) }
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { answer(w) }))
	defer server.Close()
	x := exporter(t, server.URL)
	spans := traces.Spans(small(), traces.Config{})
	if err := x.Export(t.Context(), spans); err == nil || !strings.Contains(err.Error(), "400") {
		t.Errorf("refused: %v", err)
	}
	answer = func(w http.ResponseWriter) {
		b, _ := proto.Marshal(&collector.ExportTraceServiceResponse{PartialSuccess: &collector.ExportTracePartialSuccess{RejectedSpans: 2, ErrorMessage: "too old"}})
		w.Header().Set("Content-Type", "application/x-protobuf")
		_, _ = w.Write(b)
	}
	if err := x.Export(t.Context(), spans); err == nil || !strings.Contains(err.Error(), "too old") {
		t.Errorf("refused in part: %v", err)
	}
}

// shelf holds the same run under every id but "missing".
type shelf struct{}

func (shelf) Trajectory(_ context.Context, id string) (*trajectories.Trajectory, error) {
	if id == "missing" {
		return nil, errors.New("there is no such run")
	}
	tr := small()
	tr.Run.ID = id
	return tr, nil
}

func TestQueueSendsRunsWhole(t *testing.T) {
	r := receive(t)
	q := traces.NewQueue(exporter(t, r.URL), shelf{}, traces.QueueConfig{Batch: 7})
	for i := range 50 {
		q.Put(fmt.Sprint("run-", i))
	}
	q.Put("missing")
	counts := q.Close(t.Context())
	if counts.Sent != 50 || counts.Failed != 1 || counts.Dropped != 0 || !strings.Contains(counts.Error, "no such run") || len(r.spans()) != 300 {
		t.Errorf("%+v, %d spans arrived", counts, len(r.spans()))
	}
	if q.Put("late"); q.Counts().Dropped != 1 {
		t.Errorf("a run that comes late: %+v", q.Counts())
	}
}

// TestQueueOfADeadCollector: runs do not wait for a collector that never answers,
// nor for one that is not there, and every run is counted.
func TestQueueOfADeadCollector(t *testing.T) {
	asked, free := make(chan struct{}, 100), make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		select {
		case <-free:
		case <-r.Context().Done():
		}
	}))
	defer slow.Close()
	defer close(free)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for name, url := range map[string]string{"slow": slow.URL, "gone": gone.URL} {
		t.Run(name, func(t *testing.T) {
			told := make(chan error, 100)
			q := traces.NewQueue(exporter(t, url), shelf{}, traces.QueueConfig{Size: 5, Batch: 1, OnFailure: func(err error) { told <- err }})
			q.Put("first")
			if name == "slow" {
				<-asked // it hangs from here on
			} else {
				<-told
			}
			for i := range 100 {
				q.Put(fmt.Sprint("run-", i))
			}
			end, cancel := context.WithCancel(t.Context())
			if name == "slow" {
				cancel() // there is no more time
			}
			counts := q.Close(end)
			cancel()
			if counts.Sent != 0 || counts.Failed+counts.Dropped != 101 || counts.Dropped < 1 || (name == "gone") != (counts.Error != "") {
				t.Errorf("%+v", counts)
			}
			if len(told) > 0 {
				t.Errorf("told again: %v", <-told)
			}
		})
	}
}
