package message

import (
	"time"

	"github.com/mars-rec/mars/message/rawjson"
)

// WriteJSON implements [WritesJSON].
func (m Meta) WriteJSON(w *rawjson.Writer) {
	w.Text("{")
	if !m.Time.IsZero() {
		var room [len(time.RFC3339Nano)]byte
		at, err := m.Time.AppendText(room[:0])
		if err != nil { // a year beyond 9999
			w.Fail()
		}
		w.Field("time", rawjson.Text(at))
	}
	integer(w, "duration", int64(m.Duration))
	w.Field("digest", m.Digest)
	w.Field("model", m.Model)
	w.Field("response", m.Response)
	w.Field("provider", m.Provider)
	integer(w, "attempts", int64(m.Attempts))
	if m.Cached {
		w.Key("cached")
		w.Bool(true)
	}
	if m.Usage != nil {
		w.Key("usage")
		w.Text("{")
		w.Key("input_tokens")
		w.Int(int64(m.Usage.InputTokens))
		w.Key("output_tokens")
		w.Int(int64(m.Usage.OutputTokens))
		integer(w, "cached_tokens", int64(m.Usage.CachedTokens))
		w.Text("}")
	}
	w.Text("}")
}

// integer writes a member that is a number, unless it is 0.
func integer(w *rawjson.Writer, name string, n int64) {
	if n != 0 {
		w.Key(name)
		w.Int(n)
	}
}

// ReadJSON implements [ReadsJSON].
func (m *Meta) ReadJSON(r *rawjson.Reader) {
	r.Need("{")
	if r.Key("time") {
		if err := m.Time.UnmarshalText([]byte(r.String())); err != nil {
			r.Fail()
		}
	}
	if r.Key("duration") {
		m.Duration = time.Duration(r.Int())
	}
	m.Digest = r.Field("digest")
	m.Model = r.Field("model")
	m.Response = r.Field("response")
	m.Provider = r.Field("provider")
	if r.Key("attempts") {
		m.Attempts = int(r.Int())
	}
	if r.Key("cached") {
		m.Cached = r.Bool()
	}
	if r.Key("usage") {
		m.Usage = &Usage{}
		r.Need("{")
		r.NeedKey("input_tokens")
		m.Usage.InputTokens = int(r.Int())
		r.NeedKey("output_tokens")
		m.Usage.OutputTokens = int(r.Int())
		if r.Key("cached_tokens") {
			m.Usage.CachedTokens = int(r.Int())
		}
		r.Need("}")
	}
	r.Need("}")
}
