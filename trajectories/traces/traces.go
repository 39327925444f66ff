// Package traces tells runs to the tools that show traces: it makes
// OpenTelemetry spans of a run's log, and sends them over OTLP.
//
//	log of a run                              spans
//	1        task    user -> team    0 s      invoke_workflow team        0.0 - 4.1 s
//	1.1      brief   team -> planner 0 s      ├─ invoke_agent planner     0.0 - 1.2 s
//	1.1.3    reply   planner         1.2 s    │  └─ chat gpt-4.1-mini     0.1 - 1.2 s
//	1.1.4    plan    planner -> team 1.2 s    │
//	1.2      brief   team -> analyst 1.2 s    ├─ invoke_agent analyst     1.2 - 2.9 s
//	1.2.3    reply   analyst         2.0 s    │  ├─ chat gpt-4.1-mini     1.2 - 2.0 s
//	1.2.4    result  analyst         2.1 s    │  ├─ execute_tool item_cf  2.0 - 2.1 s
//
// The log is the trajectory, and it knows when each thing was said and how long
// it took; so nothing is traced while a run is at work. Spans of any recorded run
// can be made, at any time, and are always the same: the ids of a trace and of
// its spans are hashes of the run, of when it began, and of the path IDs. What is
// sent twice is the same spans again.
//
// A span holds what was said when, by whom, with which model, and what it cost.
// It holds no text, of prompts, of replies, or of errors, unless that is asked
// for; keys are in no log.
//
// # What a log cannot tell
//
// A call that came to nothing is not in the log: [Spans] learns of it from the
// cause of the run's failure, and of its time only when it began. The attempts
// of one call are one span. A run that was resumed spans the pause, and the facts
// that it knew already are at the time at which they were fetched.
package traces

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/model/genai"
	"github.com/mars-rec/mars/trajectories"
)

// Span is one stretch of a run, as OpenTelemetry knows it.
type Span struct {
	Trace      trace.TraceID
	ID         trace.SpanID
	Parent     trace.SpanID // zero: it is the run's
	Path       message.ID   // of the message that it stands for
	Name       string       // operation and whom it asks
	Kind       trace.SpanKind
	Start, End time.Time
	Attributes []attribute.KeyValue
	Failure    string // class of the failure that it ended with, see genai.FailureIn; "": none
	Cause      string // the failure's text, where content is asked for
}

// Config says what is told. The zero value tells no texts.
type Config struct {
	// Content adds what was said: the messages that a model read and wrote, the
	// arguments and results of tools, the texts of failures.
	Content bool
}

// Spans makes the spans of a run, each after the one that it is within, in the
// order of the log. Of a run that has not ended there are the spans of what is
// recorded.
func Spans(t *trajectories.Trajectory, cfg Config) []Span {
	b := &builder{t: t, cfg: cfg, trace: traceID(t), at: map[message.ID]int{}, open: map[message.ID]bool{}}
	b.invoke(message.Root, "")
	for _, e := range t.Log {
		if e.ID.Within(message.Root) {
			b.message(e)
		}
	}
	b.failures()
	b.cover()
	slices.SortFunc(b.spans, func(x, y Span) int { return x.Path.Compare(y.Path) })
	return b.spans
}

// traceID is the id of a run's trace: a hash of what the run was made with, its
// own id, how often it was started, and when it began.
func traceID(t *trajectories.Trajectory) trace.TraceID {
	m := t.Run.Manifest
	m.Setup = nil // the same, in other words
	var began time.Time
	if first, ok := t.Find(message.Root); ok {
		began = first.Meta.Time
	}
	text, _ := json.Marshal(m) // texts and numbers: it has a JSON
	sum := sha256.Sum256(fmt.Appendf(nil, "mars trace 1\n%s\n%s\n%d\n%d\n", text, t.Run.ID, t.Run.Attempts, began.UnixNano()))
	return trace.TraceID(sum[:len(trace.TraceID{})])
}

// spanID is the id of the span of a message.
func spanID(t trace.TraceID, path message.ID) trace.SpanID {
	sum := sha256.Sum256(append(t[:], path...))
	return trace.SpanID(sum[:len(trace.SpanID{})])
}

// builder makes the spans of one run.
type builder struct {
	t     *trajectories.Trajectory
	cfg   Config
	trace trace.TraceID
	spans []Span
	at    map[message.ID]int  // where the span of a message is
	open  map[message.ID]bool // questions that nobody has answered yet
}

// add makes the span of the message at a path. It covers no time yet.
func (b *builder) add(path message.ID, kind trace.SpanKind, operation, whom string, attributes ...attribute.KeyValue) *Span {
	s := Span{Trace: b.trace, ID: spanID(b.trace, path), Path: path, Kind: kind, Name: operation,
		Attributes: []attribute.KeyValue{attribute.String(genai.OperationName, operation)}}
	if whom != "" {
		s.Name += " " + whom
	}
	if path != message.Root {
		s.Parent = spanID(b.trace, path.Cause())
	}
	s.Attributes = append(s.Attributes, attributes...)
	s.Attributes = append(s.Attributes, attribute.String(genai.RunID, b.t.Run.ID), attribute.String(genai.PathID, string(path)))
	b.at[path] = len(b.spans)
	b.spans = append(b.spans, s)
	return &b.spans[len(b.spans)-1]
}

// invoke makes the span of the agent that answers the message at a path, if there
// is none, and of those above it: the log of a run that was cut off has its facts,
// and not the questions that led to them.
func (b *builder) invoke(path message.ID, who message.Address) *Span {
	if path == "" {
		path = message.Root
	}
	if i, ok := b.at[path]; ok {
		return &b.spans[i]
	}
	if path == message.Root {
		return b.run()
	}
	b.invoke(path.Cause(), "")
	var name []attribute.KeyValue
	if who != "" {
		name = append(name, attribute.String(genai.AgentName, string(who)))
	}
	return b.add(path, trace.SpanKindInternal, genai.InvokeAgent, string(who), name...)
}

// run makes the span of the whole run, named after whom its task was put to.
func (b *builder) run() *Span {
	who, run := "", b.t.Run
	if first, ok := b.t.Find(message.Root); ok {
		who = string(first.To)
	}
	var about []attribute.KeyValue
	for _, pair := range [][2]string{{genai.AgentName, who}, {genai.RunStatus, string(run.Status)}, {genai.Dataset, run.Task.Dataset}, {genai.Scenario, run.Task.Scenario}} {
		if pair[1] != "" {
			about = append(about, attribute.String(pair[0], pair[1]))
		}
	}
	if run.Attempts > 0 {
		about = append(about, attribute.Int(genai.RunAttempt, run.Attempts))
	}
	return b.add(message.Root, trace.SpanKindInternal, genai.InvokeWorkflow, who, about...)
}

// cover makes each span reach from the first to the last of what is within it.
func (b *builder) cover() {
	for i := len(b.spans) - 1; i > 0; i-- { // what is within comes after
		if up, ok := b.at[b.spans[i].Path.Cause()]; ok {
			b.spans[up].reach(b.spans[i].Start, b.spans[i].End)
		}
	}
	for i := range b.spans {
		s := &b.spans[i]
		if !s.Start.IsZero() {
			continue
		}
		s.Start = time.Unix(0, 0) // a log without times
		if up, ok := b.at[s.Path.Cause()]; ok {
			s.Start = b.spans[up].Start
		}
		s.End = s.Start
	}
}

// reach lets a span reach over some moments; one that is zero is not known.
func (s *Span) reach(moments ...time.Time) {
	for _, m := range moments {
		if m.IsZero() {
			continue
		}
		if s.Start.IsZero() || m.Before(s.Start) {
			s.Start = m
		}
		if m.After(s.End) {
			s.End = m
		}
	}
}
