package traces

import (
	"regexp"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/model/genai"
	"github.com/mars-rec/mars/trajectories"
)

// fact is how an agent's error names the call that came to nothing: by whom it
// was made, what it was, and at which path its answer would be.
var fact = regexp.MustCompile(`^(?:.*: )?([^\s:]+): (?:generate|tool (\S+)) (\d+(?:\.\d+)*): (.*)$`)

// failures marks what a run failed of: the turns that were not ended, and the
// calls that its cause names. Causes are foreign text in parts: a call is believed
// only in a turn that was not ended, where the log has nothing.
func (b *builder) failures() {
	run := b.t.Run
	if run.Status != trajectories.Failed {
		return
	}
	b.fail(&b.spans[0], genai.FailureIn(run.Cause), run.Cause)
	whole := b.spans[0].Failure
	why := map[message.ID]string{}
	for line := range strings.Lines(run.Cause) {
		m := fact.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil {
			continue
		}
		who, tool, path, text := message.Address(m[1]), m[2], message.ID(m[3]), m[4]
		_, there := b.at[path]
		if there || !b.open[path.Cause()] {
			continue
		}
		class := genai.FailureIn(text)
		s := b.failed(path, who, tool)
		b.fail(s, class, text)
		for up := path.Cause(); up != ""; up = up.Cause() {
			why[up] = class
		}
	}
	for path := range b.open {
		if path == message.Root {
			continue
		}
		class, ok := why[path]
		if !ok {
			class = whole
		}
		b.fail(&b.spans[b.at[path]], class, "")
	}
}

// failed makes the span of a call that came to nothing. When it ended is not
// known; it began when the last thing before it in its turn was said.
func (b *builder) failed(path message.ID, who message.Address, tool string) *Span {
	var last time.Time
	for _, e := range b.t.Log {
		if (e.ID == path.Cause() || e.ID.Within(path.Cause())) && e.Meta.Time.After(last) {
			last = e.Meta.Time
		}
	}
	var s *Span
	if tool != "" {
		s = b.add(path, trace.SpanKindInternal, genai.ExecuteTool, tool, called(who, tool)...)
	} else {
		models := b.t.Run.Manifest.Models
		name, ok := models[string(who)]
		if !ok {
			name = models[trajectories.Everyone]
		}
		about, kind := asked(who, name)
		s = b.add(path, kind, genai.Chat, genai.EndpointOf(name).Model, about...)
	}
	s.reach(last)
	return s
}

// fail marks a span as failed. The text is told only where content is.
func (b *builder) fail(s *Span, class, text string) {
	if class == "" {
		class = genai.Other
	}
	s.Failure = class
	s.Attributes = append(s.Attributes, attribute.String(genai.ErrorType, class))
	if b.cfg.Content {
		s.Cause = text
	}
}

// began is when a fact was asked for.
func began(e message.Envelope) time.Time {
	if e.Meta.Time.IsZero() {
		return time.Time{}
	}
	return e.Meta.Time.Add(-e.Meta.Duration)
}
