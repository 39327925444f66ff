package traces

import (
	"io"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/mars-rec/mars/message"
)

// The form of OTLP in JSON: ids in hex, whole numbers of 64 bits as text.
type (
	otlpTraces struct {
		ResourceSpans []otlpResource `json:"resourceSpans"`
	}
	otlpResource struct {
		Resource struct {
			Attributes []otlpAttribute `json:"attributes"`
		} `json:"resource"`
		ScopeSpans []otlpScope `json:"scopeSpans"`
	}
	otlpScope struct {
		Scope struct {
			Name    string `json:"name"`
			Version string `json:"version,omitempty"`
		} `json:"scope"`
		Spans []otlpSpan `json:"spans"`
	}
	otlpSpan struct {
		TraceID      string          `json:"traceId"`
		SpanID       string          `json:"spanId"`
		ParentSpanID string          `json:"parentSpanId,omitempty"`
		Flags        int             `json:"flags"`
		Name         string          `json:"name"`
		Kind         int             `json:"kind"`
		Start        string          `json:"startTimeUnixNano"`
		End          string          `json:"endTimeUnixNano"`
		Attributes   []otlpAttribute `json:"attributes"`
		Status       otlpStatus      `json:"status"`
	}
	otlpStatus struct {
		Message string `json:"message,omitempty"`
		Code    int    `json:"code,omitempty"`
	}
	otlpAttribute struct {
		Key   string    `json:"key"`
		Value otlpValue `json:"value"`
	}
	otlpValue struct {
		String *string    `json:"stringValue,omitempty"`
		Bool   *bool      `json:"boolValue,omitempty"`
		Int    *string    `json:"intValue,omitempty"`
		Array  *otlpArray `json:"arrayValue,omitempty"`
	}
	otlpArray struct {
		Values []otlpValue `json:"values"`
	}
)

// What the flags of a span say: that its trace is sampled, and that it is known
// that its parent is of the same program.
const flags = 0x1 | 0x100

// WriteJSON writes spans as one line of OTLP's JSON, which collectors read from
// files and take over HTTP.
func WriteJSON(w io.Writer, version string, spans []Span) error {
	var r otlpResource
	r.Resource.Attributes = values(attribute.String("service.name", "mars"), attribute.String("service.version", version))
	s := otlpScope{Spans: []otlpSpan{}}
	s.Scope.Name, s.Scope.Version = scope, version
	for _, each := range spans {
		s.Spans = append(s.Spans, each.json())
	}
	r.ScopeSpans = []otlpScope{s}
	line, err := message.Marshal(otlpTraces{[]otlpResource{r}})
	if err != nil {
		return err
	}
	_, err = w.Write(append(line, '\n'))
	return err
}

func (s Span) json() otlpSpan {
	out := otlpSpan{TraceID: s.Trace.String(), SpanID: s.ID.String(), Flags: flags, Name: s.Name, Kind: 1,
		Start: strconv.FormatInt(s.Start.UnixNano(), 10), End: strconv.FormatInt(s.End.UnixNano(), 10), Attributes: values(s.Attributes...)}
	if s.Kind == trace.SpanKindClient {
		out.Kind = 3
	}
	if s.Parent.IsValid() {
		out.ParentSpanID = s.Parent.String()
	}
	if s.Failure != "" {
		out.Status = otlpStatus{s.Cause, 2}
	}
	return out
}

func values(attributes ...attribute.KeyValue) []otlpAttribute {
	out := []otlpAttribute{}
	for _, a := range attributes {
		var v otlpValue
		switch a.Value.Type() {
		case attribute.BOOL:
			v.Bool = new(a.Value.AsBool())
		case attribute.INT64:
			v.Int = new(strconv.FormatInt(a.Value.AsInt64(), 10))
		case attribute.STRINGSLICE:
			v.Array = &otlpArray{}
			for _, each := range a.Value.AsStringSlice() {
				v.Array.Values = append(v.Array.Values, otlpValue{String: new(each)})
			}
		default:
			v.String = new(a.Value.String())
		}
		out = append(out, otlpAttribute{string(a.Key), v})
	}
	return out
}
