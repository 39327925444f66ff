package traces

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// scope is who makes the spans.
const scope = "github.com/mars-rec/mars/trajectories/traces"

// ExportConfig says where spans go. What it leaves out is taken from the
// variables OTEL_EXPORTER_OTLP_* (headers with keys among them), OTEL_RESOURCE_ATTRIBUTES,
// OTEL_SERVICE_NAME, OTEL_TRACES_SAMPLER and OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT,
// as with every program that OpenTelemetry watches.
type ExportConfig struct {
	// URL is that of a collector, such as http://127.0.0.1:4318; /v1/traces is
	// added if it does not end so. "": as the environment says.
	URL      string
	Version  string        // of the program
	Patience time.Duration // how long one batch is tried again while a collector says that it is busy; 0: 20 s
}

// Exporter sends spans over OTLP and HTTP. It is safe for concurrent use.
type Exporter struct {
	out      *otlptrace.Exporter
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer

	mu    sync.Mutex
	ended ended
}

// NewExporter returns an exporter; nothing is sent yet.
func NewExporter(ctx context.Context, cfg ExportConfig) (*Exporter, error) {
	options := []otlptracehttp.Option{otlptracehttp.WithRetry(otlptracehttp.RetryConfig{
		Enabled: true, InitialInterval: 500 * time.Millisecond, MaxInterval: 5 * time.Second, MaxElapsedTime: cmp.Or(cfg.Patience, 20*time.Second),
	})}
	if cfg.URL != "" {
		endpoint, err := collector(cfg.URL)
		if err != nil {
			return nil, err
		}
		options = append(options, otlptracehttp.WithEndpointURL(endpoint))
	}
	about, err := resource.New(ctx,
		resource.WithAttributes(attribute.String("service.name", "mars"), attribute.String("service.version", cfg.Version)),
		resource.WithTelemetrySDK(), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	out, err := otlptracehttp.New(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	x := &Exporter{out: out}
	x.provider = sdktrace.NewTracerProvider(sdktrace.WithResource(about), sdktrace.WithIDGenerator(given{}), sdktrace.WithSpanProcessor(&x.ended))
	x.tracer = x.provider.Tracer(scope, trace.WithInstrumentationVersion(cfg.Version))
	return x, nil
}

// collector completes the URL of a collector.
func collector(text string) (string, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Host == "", u.RawQuery != "", u.Fragment != "":
		return "", errors.New("traces: the URL is not of the form http://host:4318")
	case u.User != nil:
		return "", errors.New("traces: a URL with a password in it is not taken: set OTEL_EXPORTER_OTLP_HEADERS")
	}
	if u.Path = strings.TrimRight(u.Path, "/"); !strings.HasSuffix(u.Path, "/v1/traces") {
		u.Path += "/v1/traces"
	}
	return u.String(), nil
}

// Export sends spans in one request, each after the one that it is within, as
// [Spans] makes them. When it returns nil the collector has taken them all.
func (x *Exporter) Export(ctx context.Context, spans []Span) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.ended.spans = nil
	sampled := map[trace.TraceID]bool{}
	for _, s := range spans {
		x.record(s, sampled)
	}
	if len(x.ended.spans) == 0 {
		return nil // none is to be kept
	}
	if err := x.out.ExportSpans(ctx, x.ended.spans); err != nil {
		if inner := errors.Unwrap(err); inner != nil {
			err = inner // without the library's name for what it does
		}
		return fmt.Errorf("send traces: %w", err)
	}
	return nil
}

// record lets the SDK make a span under the ids that it has. Whether a trace is
// sampled is decided once, at its root.
func (x *Exporter) record(s Span, sampled map[trace.TraceID]bool) {
	ctx := context.WithValue(context.Background(), idsKey{}, ids{s.Trace, s.ID})
	options := []trace.SpanStartOption{trace.WithTimestamp(s.Start), trace.WithSpanKind(s.Kind), trace.WithAttributes(s.Attributes...)}
	if s.Parent.IsValid() {
		up := trace.SpanContextConfig{TraceID: s.Trace, SpanID: s.Parent}
		if sampled[s.Trace] {
			up.TraceFlags = trace.FlagsSampled
		}
		ctx = trace.ContextWithSpanContext(ctx, trace.NewSpanContext(up))
	} else {
		options = append(options, trace.WithNewRoot())
	}
	_, made := x.tracer.Start(ctx, s.Name, options...)
	if !s.Parent.IsValid() {
		sampled[s.Trace] = made.SpanContext().IsSampled()
	}
	if s.Failure != "" {
		made.SetStatus(codes.Error, s.Cause)
	}
	made.End(trace.WithTimestamp(s.End))
}

// Close releases the exporter. What is being sent is broken off.
func (x *Exporter) Close(ctx context.Context) error {
	return errors.Join(x.provider.Shutdown(ctx), x.out.Shutdown(ctx))
}

// ids are what a span is to be known by.
type ids struct {
	trace trace.TraceID
	span  trace.SpanID
}

type idsKey struct{}

// given is the source of ids: those that the context brings.
type given struct{}

// NewIDs implements [sdktrace.IDGenerator].
func (given) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	known, _ := ctx.Value(idsKey{}).(ids)
	return known.trace, known.span
}

// NewSpanID implements [sdktrace.IDGenerator].
func (given) NewSpanID(ctx context.Context, _ trace.TraceID) trace.SpanID {
	known, _ := ctx.Value(idsKey{}).(ids)
	return known.span
}

// ended keeps the spans that have ended, for one batch.
type ended struct{ spans []sdktrace.ReadOnlySpan }

// OnStart implements [sdktrace.SpanProcessor].
func (e *ended) OnStart(context.Context, sdktrace.ReadWriteSpan) {}

// OnEnd implements [sdktrace.SpanProcessor].
func (e *ended) OnEnd(s sdktrace.ReadOnlySpan) { e.spans = append(e.spans, s) }

// Shutdown implements [sdktrace.SpanProcessor].
func (e *ended) Shutdown(context.Context) error { return nil }

// ForceFlush implements [sdktrace.SpanProcessor].
func (e *ended) ForceFlush(context.Context) error { return nil }
