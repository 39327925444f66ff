package traces

import (
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/model/genai"
	"github.com/mars-rec/mars/tools"
)

// message takes one message of the log into the spans: a question begins the
// turn of an agent, an answer ends it, a fact is a call, and the rest was said in
// the midst of a turn.
func (b *builder) message(e message.Envelope) {
	cause := e.ID.Cause()
	switch {
	case e.Kind == (model.Output{}).Kind():
		b.chat(e)
	case e.Kind == (tools.Result{}).Kind():
		b.tool(e)
	case b.answers(e):
		b.invoke(cause, e.From).reach(e.Meta.Time, began(e))
		delete(b.open, cause)
		if e.Fact() { // of an agent in another process
			b.spans[b.at[cause]].Kind = trace.SpanKindClient
		}
	case e.To != "":
		b.invoke(cause, e.From)
		b.invoke(e.ID, e.To).reach(e.Meta.Time)
		b.open[e.ID] = true
	default:
		b.invoke(cause, e.From).reach(e.Meta.Time)
	}
}

// answers reports whether a message is the answer to the one that caused it.
func (b *builder) answers(e message.Envelope) bool {
	q, ok := b.t.Find(e.ID.Cause())
	return ok && e.To != "" && q.To == e.From && q.From == e.To
}

// chat makes the span of a model's reply.
func (b *builder) chat(e message.Envelope) {
	b.invoke(e.ID.Cause(), e.From)
	about, kind := asked(e.From, e.Meta.Model)
	if e.Meta.Response != "" {
		about = append(about, attribute.String(genai.ResponseModel, e.Meta.Response))
	}
	if e.Meta.Provider != "" {
		about = append(about, attribute.String(genai.ResponseID, e.Meta.Provider))
	}
	if u := e.Meta.Usage; u != nil {
		about = append(about, attribute.Int(genai.InputTokens, u.InputTokens), attribute.Int(genai.OutputTokens, u.OutputTokens))
		if u.CachedTokens > 0 {
			about = append(about, attribute.Int(genai.CacheReadTokens, u.CachedTokens))
		}
	}
	if e.Meta.Attempts > 1 {
		about = append(about, attribute.Int(genai.Attempts, e.Meta.Attempts))
	}
	if e.Meta.Cached {
		about = append(about, attribute.Bool(genai.Cached, true))
	}
	if said, err := message.Decode[model.Output](e); err == nil {
		if said.Finish != "" {
			about = append(about, attribute.StringSlice(genai.FinishReasons, []string{said.Finish}))
		}
		if b.cfg.Content {
			about = append(about, b.conversation(e, said)...)
		}
	}
	s := b.add(e.ID, kind, genai.Chat, genai.EndpointOf(e.Meta.Model).Model, about...)
	s.reach(e.Meta.Time, began(e))
}

// asked is what is known of a model before it answers: by whom it is asked, and
// where it is.
func asked(by message.Address, name string) ([]attribute.KeyValue, trace.SpanKind) {
	at := genai.EndpointOf(name)
	about := []attribute.KeyValue{
		attribute.String(genai.ProviderName, at.Provider), attribute.String(genai.RequestModel, at.Model), attribute.String(genai.AgentName, string(by)),
	}
	if at.Address != "" {
		about = append(about, attribute.String(genai.ServerAddress, at.Address), attribute.Int(genai.ServerPort, at.Port))
	}
	if at.Local() {
		return about, trace.SpanKindInternal
	}
	return about, trace.SpanKindClient
}

// tool makes the span of a tool's result.
func (b *builder) tool(e message.Envelope) {
	b.invoke(e.ID.Cause(), e.From)
	result, err := message.Decode[tools.Result](e)
	if err != nil { // a log of other hands
		result = tools.Result{}
	}
	about := called(e.From, result.Tool)
	if result.Call != "" {
		about = append(about, attribute.String(genai.ToolCallID, result.Call))
	}
	if b.cfg.Content {
		about = append(about, b.exchange(e, result)...)
	}
	s := b.add(e.ID, trace.SpanKindInternal, genai.ExecuteTool, result.Tool, about...)
	s.reach(e.Meta.Time, began(e))
	if result.Error != "" {
		b.fail(s, genai.BadInput, result.Error)
	}
}

// called is what is known of a tool before it answers.
func called(by message.Address, tool string) []attribute.KeyValue {
	return []attribute.KeyValue{
		attribute.String(genai.ToolName, tool), attribute.String(genai.ToolType, "function"), attribute.String(genai.AgentName, string(by)),
	}
}
