package tools

import "github.com/mars-rec/mars/message/rawjson"

// WriteJSON implements [message.WritesJSON].
func (r Result) WriteJSON(w *rawjson.Writer) {
	w.Text("{")
	w.Key("call")
	w.String(r.Call)
	w.Key("tool")
	w.String(r.Tool)
	if len(r.Value) > 0 {
		w.Key("value")
		w.Value(r.Value)
	}
	w.Field("error", r.Error)
	w.Text("}")
}

// ReadJSON implements [message.ReadsJSON]. The value is a part of the text.
func (r *Result) ReadJSON(in *rawjson.Reader) {
	in.Need("{")
	in.NeedKey("call")
	r.Call = in.String()
	in.NeedKey("tool")
	r.Tool = in.String()
	if in.Key("value") {
		r.Value = in.Last()
	}
	r.Error = in.Field("error")
	in.Need("}")
}
