package server

import (
	"context"
	"net/http"
	"strings"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/model"
)

// complete answers POST /v1/chat/completions.
func (s *server) complete(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), s.cfg.Time)
	defer cancel()
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
		fail(w, &refusal{http.StatusServiceUnavailable, "server_error", "busy", "the server is busy"})
		return
	}
	c, err := s.read(r)
	if err != nil {
		fail(w, err)
		return
	}
	req, err := c.request()
	if err != nil {
		fail(w, err)
		return
	}
	digest := model.Digest(s.cfg.Name, req)
	a := answer{id: "chatcmpl-" + digest[len(digest)-24:], model: s.cfg.Name, created: s.cfg.Clock().Unix()}
	if c.Stream {
		s.stream(ctx, w, req, a, c.StreamOptions.IncludeUsage)
		return
	}
	reply, err := s.model.Generate(ctx, req)
	if err != nil {
		fail(w, err)
		return
	}
	write(w, http.StatusOK, a.whole(reply))
}

// answer is what all parts of one answer have in common.
type answer struct {
	id, model string
	created   int64
}

// whole is a reply in one piece.
func (a answer) whole(reply model.Reply) map[string]any {
	said := map[string]any{"role": "assistant", "content": reply.Message.Content}
	if calls := wire(reply.Message.ToolCalls); calls != nil {
		said["tool_calls"] = calls
		if reply.Message.Content == "" {
			said["content"] = nil
		}
	}
	out := a.object("chat.completion", map[string]any{"index": 0, "message": said, "finish_reason": finish(reply), "logprobs": nil})
	if u := counted(reply.Usage); u != nil {
		out["usage"] = u
	}
	return out
}

func (a answer) object(kind string, choices ...any) map[string]any {
	if choices == nil {
		choices = []any{}
	}
	return map[string]any{"id": a.id, "object": kind, "created": a.created, "model": a.model, "choices": choices}
}

// finish is the reply's finish reason; a reply that has none ended by itself.
func finish(reply model.Reply) string {
	switch {
	case reply.Finish != "":
		return reply.Finish
	case len(reply.Message.ToolCalls) > 0:
		return "tool_calls"
	}
	return "stop"
}

func wire(calls []model.ToolCall) []call {
	var out []call
	for _, c := range calls {
		w := call{ID: c.ID, Type: "function"}
		w.Function.Name, w.Function.Arguments = c.Name, c.Arguments
		out = append(out, w)
	}
	return out
}

// stream answers in server-sent events. The first one is sent when the model
// says something, so that a failure before that has its status.
func (s *server) stream(ctx context.Context, w http.ResponseWriter, req model.Request, a answer, wantUsage bool) {
	e := &events{w: w, flush: http.NewResponseController(w)}
	var sent strings.Builder
	void := false // the model took back what was already sent
	req.OnChunk = func(c model.Chunk) {
		switch {
		case void:
		case c.Reset:
			void = sent.Len() > 0
		case c.Content != "":
			sent.WriteString(c.Content)
			e.send(a.delta(map[string]any{"content": c.Content}, nil))
		}
	}
	reply, err := s.model.Generate(ctx, req)
	rest, ok := strings.CutPrefix(reply.Message.Content, sent.String())
	switch {
	case err != nil && !e.started:
		fail(w, err)
		return
	case err != nil:
		e.send(refused(err).body())
		return
	case void || !ok:
		e.send((&refusal{http.StatusBadGateway, "server_error", "restarted", "the model started its answer anew: ask again"}).body())
		return
	}
	if rest != "" {
		e.send(a.delta(map[string]any{"content": rest}, nil))
	}
	for i, c := range wire(reply.Message.ToolCalls) {
		arguments := call{Index: &i}
		arguments.Function.Arguments = c.Function.Arguments
		c.Index, c.Function.Arguments = &i, ""
		e.send(a.delta(map[string]any{"tool_calls": []call{c}}, nil))
		e.send(a.delta(map[string]any{"tool_calls": []call{arguments}}, nil))
	}
	e.send(a.delta(map[string]any{}, finish(reply)))
	if u := counted(reply.Usage); u != nil && wantUsage {
		last := a.object("chat.completion.chunk")
		last["usage"] = u
		e.send(last)
	}
	e.end()
}

func (a answer) delta(delta map[string]any, finish any) map[string]any {
	return a.object("chat.completion.chunk", map[string]any{"index": 0, "delta": delta, "finish_reason": finish, "logprobs": nil})
}

// events writes server-sent events.
type events struct {
	w       http.ResponseWriter
	flush   *http.ResponseController
	started bool
}

func (e *events) send(v map[string]any) {
	if !e.started {
		e.started = true
		e.w.Header().Set("Content-Type", "text/event-stream")
		e.w.WriteHeader(http.StatusOK)
		if choices, ok := v["choices"].([]any); ok && len(choices) > 0 {
			choices[0].(map[string]any)["delta"].(map[string]any)["role"] = "assistant"
		}
	}
	body, err := message.Marshal(v)
	if err != nil {
		body = []byte(`{"error":{"message":"the answer has no JSON form","type":"server_error"}}`)
	}
	e.write(body)
}

func (e *events) end() { e.write([]byte("[DONE]")) }

// write sends one event at once. A client that is gone ends the request's
// context, so errors need no word here.
func (e *events) write(data []byte) {
	_, _ = e.w.Write(append(append([]byte("data: "), data...), "\n\n"...))
	_ = e.flush.Flush()
}
