package tasks

import (
	"time"

	"github.com/mars-rec/mars/message/rawjson"
)

// WriteJSON implements [message.WritesJSON].
func (t Task) WriteJSON(w *rawjson.Writer) {
	w.Text("{")
	w.Key("id")
	w.String(t.ID)
	w.Key("dataset")
	w.String(t.Dataset)
	w.Key("user")
	w.String(t.User)
	w.Key("scenario")
	w.String(t.Scenario)
	w.Key("as_of")
	var room [len(time.RFC3339Nano)]byte
	at, err := t.AsOf.AppendText(room[:0])
	if err != nil { // a year beyond 9999
		w.Fail()
	}
	w.String(rawjson.Text(at))
	w.Key("candidates")
	rawjson.WriteStrings(w, t.Candidates)
	w.Text("}")
}

// ReadJSON implements [message.ReadsJSON].
func (t *Task) ReadJSON(r *rawjson.Reader) {
	r.Need("{")
	r.NeedKey("id")
	t.ID = r.String()
	r.NeedKey("dataset")
	t.Dataset = r.String()
	r.NeedKey("user")
	t.User = r.String()
	r.NeedKey("scenario")
	t.Scenario = r.String()
	r.NeedKey("as_of")
	if err := t.AsOf.UnmarshalText(r.Plain()); err != nil {
		r.Fail()
	}
	r.NeedKey("candidates")
	t.Candidates = rawjson.ReadStrings[string](r)
	r.Need("}")
}
