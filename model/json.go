package model

import (
	"github.com/mars-rec/mars/message/rawjson"
)

// WriteJSON implements [message.WritesJSON].
func (m Message) WriteJSON(w *rawjson.Writer) {
	w.Text("{")
	w.Key("role")
	w.String(string(m.Role))
	w.Key("content")
	w.String(m.Content)
	if len(m.ToolCalls) > 0 {
		w.Key("tool_calls")
		rawjson.WriteList(w, m.ToolCalls, func(w *rawjson.Writer, c ToolCall) { c.WriteJSON(w) })
	}
	w.Field("tool_call_id", m.ToolCallID)
	w.Field("name", m.Name)
	w.Text("}")
}

// ReadJSON implements [message.ReadsJSON].
func (m *Message) ReadJSON(r *rawjson.Reader) {
	r.Need("{")
	r.NeedKey("role")
	m.Role = Role(r.String())
	r.NeedKey("content")
	m.Content = r.String()
	if r.Key("tool_calls") {
		m.ToolCalls = rawjson.ReadList(r, readCall)
	}
	m.ToolCallID = r.Field("tool_call_id")
	m.Name = r.Field("name")
	r.Need("}")
}

// WriteJSON implements [message.WritesJSON].
func (c ToolCall) WriteJSON(w *rawjson.Writer) {
	w.Text("{")
	w.Key("id")
	w.String(c.ID)
	w.Key("name")
	w.String(c.Name)
	w.Key("arguments")
	w.String(c.Arguments)
	w.Text("}")
}

func readCall(r *rawjson.Reader) (c ToolCall) {
	r.Need("{")
	r.NeedKey("id")
	c.ID = r.String()
	r.NeedKey("name")
	c.Name = r.String()
	r.NeedKey("arguments")
	c.Arguments = r.String()
	r.Need("}")
	return c
}

// WriteJSON implements [message.WritesJSON].
func (o Output) WriteJSON(w *rawjson.Writer) {
	w.Text("{")
	w.Key("message")
	o.Message.WriteJSON(w)
	w.Field("finish", o.Finish)
	w.Text("}")
}

// ReadJSON implements [message.ReadsJSON].
func (o *Output) ReadJSON(r *rawjson.Reader) {
	r.Need("{")
	r.NeedKey("message")
	o.Message.ReadJSON(r)
	o.Finish = r.Field("finish")
	r.Need("}")
}

// WriteJSON implements [message.WritesJSON].
func (s ToolSpec) WriteJSON(w *rawjson.Writer) {
	w.Text("{")
	w.Key("name")
	w.String(s.Name)
	w.Key("description")
	w.String(s.Description)
	w.Key("parameters")
	w.Value(s.Parameters)
	w.Text("}")
}

// WriteJSON implements [message.WritesJSON].
func (s Sampling) WriteJSON(w *rawjson.Writer) {
	w.Text("{")
	if s.Temperature != nil {
		w.Key("temperature")
		w.Float(*s.Temperature)
	}
	if s.TopP != nil {
		w.Key("top_p")
		w.Float(*s.TopP)
	}
	if s.MaxTokens != 0 {
		w.Key("max_tokens")
		w.Int(int64(s.MaxTokens))
	}
	if s.Seed != nil {
		w.Key("seed")
		w.Int(*s.Seed)
	}
	w.Text("}")
}

// WriteJSON implements [message.WritesJSON].
func (q Request) WriteJSON(w *rawjson.Writer) {
	w.Text("{")
	w.Key("messages")
	rawjson.WriteList(w, q.Messages, func(w *rawjson.Writer, m Message) { m.WriteJSON(w) })
	q.writeShape(w)
	q.writeRest(w)
	w.Text("}")
}

// writeShape writes what an agent asks for each time: its tools and the format.
func (q Request) writeShape(w *rawjson.Writer) {
	if len(q.Tools) > 0 {
		w.Text(`,"tools":`)
		rawjson.WriteList(w, q.Tools, func(w *rawjson.Writer, s ToolSpec) { s.WriteJSON(w) })
	}
	if q.Format != nil {
		w.Text(`,"format":{"name":`)
		w.String(q.Format.Name)
		w.Key("schema")
		w.Value(q.Format.Schema)
		w.Text("}")
	}
}

func (q Request) writeRest(w *rawjson.Writer) {
	if q.Stop != "" {
		w.Text(`,"stop":`)
		w.String(q.Stop)
	}
	if q.Sampling != (Sampling{}) {
		w.Text(`,"sampling":`)
		q.Sampling.WriteJSON(w)
	}
}
