package phase

import (
	"strings"

	"github.com/mars-rec/mars/message/rawjson"
)

// WriteJSON implements [message.WritesJSON].
func (p Plan) WriteJSON(w *rawjson.Writer) {
	w.Text("{")
	w.Key("summary")
	w.String(p.Summary)
	w.Key("subtasks")
	rawjson.WriteList(w, p.Subtasks, writeSubtask)
	w.Text("}")
}

// ReadJSON implements [message.ReadsJSON].
func (p *Plan) ReadJSON(r *rawjson.Reader) {
	r.Need("{")
	r.NeedKey("summary")
	p.Summary = r.String()
	r.NeedKey("subtasks")
	p.Subtasks = rawjson.ReadList(r, readSubtask)
	r.Need("}")
}

func writeSubtask(w *rawjson.Writer, s Subtask) {
	w.Text("{")
	w.Key("role")
	w.String(s.Role)
	w.Key("goal")
	w.String(s.Goal)
	w.Key("collaborative")
	w.Bool(s.Collaborative)
	w.Text("}")
}

func readSubtask(r *rawjson.Reader) (s Subtask) {
	r.Need("{")
	r.NeedKey("role")
	s.Role = r.String()
	r.NeedKey("goal")
	s.Goal = r.String()
	r.NeedKey("collaborative")
	s.Collaborative = r.Bool()
	r.Need("}")
	return s
}

// WriteJSON implements [message.WritesJSON].
func (a Analysis) WriteJSON(w *rawjson.Writer) {
	w.Text("{")
	w.Key("role")
	w.String(a.Role)
	w.Key("summary")
	w.String(a.Summary)
	w.Key("claims")
	rawjson.WriteStrings(w, a.Claims)
	if len(a.Evidence) > 0 {
		w.Key("evidence")
		rawjson.WriteList(w, a.Evidence, writeEvidence)
	}
	w.Text("}")
}

// ReadJSON implements [message.ReadsJSON].
func (a *Analysis) ReadJSON(r *rawjson.Reader) {
	r.Need("{")
	r.NeedKey("role")
	a.Role = r.String()
	r.NeedKey("summary")
	a.Summary = r.String()
	r.NeedKey("claims")
	a.Claims = rawjson.ReadStrings[string](r)
	if r.Key("evidence") {
		a.Evidence = rawjson.ReadList(r, readEvidence)
	}
	r.Need("}")
}

func readAnalysis(r *rawjson.Reader) (a Analysis) {
	a.ReadJSON(r)
	return a
}

func writeEvidence(w *rawjson.Writer, e Evidence) {
	w.Text("{")
	w.Field("call", e.Call)
	w.Key("tool")
	w.String(e.Tool)
	w.Key("signal")
	w.String(e.Signal)
	w.Key("ranking")
	rawjson.WriteList(w, e.Ranking, writeStrength)
	w.Text("}")
}

func readEvidence(r *rawjson.Reader) (e Evidence) {
	r.Need("{")
	e.Call = r.Field("call")
	r.NeedKey("tool")
	e.Tool = r.String()
	r.NeedKey("signal")
	e.Signal = r.String()
	r.NeedKey("ranking")
	e.Ranking = rawjson.ReadList(r, readStrength)
	r.Need("}")
	return e
}

// Rankings is what the value of a tool's result says of the candidates; the
// value may say more.
type Rankings struct {
	Rankings []Evidence `json:"rankings"`
}

// ReadJSON implements [message.ReadsJSON].
func (x *Rankings) ReadJSON(r *rawjson.Reader) {
	if r.ToLast("rankings") {
		x.Rankings = rawjson.ReadList(r, readEvidence)
		r.Need("}")
		return
	}
	found := false
	for r.Need("{"); !r.Failed() && !r.Take("}"); {
		switch key := r.NextKey(); {
		case key == "rankings" && !found:
			found, x.Rankings = true, rawjson.ReadList(r, readEvidence)
		case strings.EqualFold(key, "rankings"):
			r.Fail() // encoding/json would take it for the same
		default:
			r.Value()
		}
	}
}

func writeStrength(w *rawjson.Writer, s Strength) {
	if !s.valid() {
		w.Fail()
		return
	}
	w.Append(func(text []byte) []byte { return append(s.append(append(text, '"')), '"') })
}

func readStrength(r *rawjson.Reader) Strength {
	s, ok := parseStrength(r.Plain())
	if !ok {
		r.Fail()
	}
	return s
}

// WriteJSON implements [message.WritesJSON].
func (r Reflection) WriteJSON(w *rawjson.Writer) {
	w.Text("{")
	w.Key("verdict")
	w.String(string(r.Verdict))
	w.Key("issues")
	rawjson.WriteStrings(w, r.Issues)
	if len(r.Subtasks) > 0 {
		w.Key("subtasks")
		rawjson.WriteList(w, r.Subtasks, writeSubtask)
	}
	w.Text("}")
}

// ReadJSON implements [message.ReadsJSON].
func (r *Reflection) ReadJSON(in *rawjson.Reader) {
	in.Need("{")
	in.NeedKey("verdict")
	r.Verdict = Verdict(in.String())
	in.NeedKey("issues")
	r.Issues = rawjson.ReadStrings[string](in)
	if in.Key("subtasks") {
		r.Subtasks = rawjson.ReadList(in, readSubtask)
	}
	in.Need("}")
}

// WriteJSON implements [message.WritesJSON].
func (r Recommend) WriteJSON(w *rawjson.Writer) {
	w.Text("{")
	w.Key("ranking")
	rawjson.WriteStrings(w, r.Ranking)
	w.Field("justification", r.Justification)
	w.Text("}")
}

// ReadJSON implements [message.ReadsJSON].
func (r *Recommend) ReadJSON(in *rawjson.Reader) {
	in.Need("{")
	in.NeedKey("ranking")
	r.Ranking = rawjson.ReadStrings[string](in)
	r.Justification = in.Field("justification")
	in.Need("}")
}

// WriteJSON implements [message.WritesJSON].
func (b Brief) WriteJSON(w *rawjson.Writer) {
	w.Text("{")
	w.Field("goal", b.Goal)
	if b.Round != 0 {
		w.Key("round")
		w.Int(int64(b.Round))
	}
	if len(b.Roles) > 0 {
		w.Key("roles")
		rawjson.WriteStrings(w, b.Roles)
	}
	if b.Plan != nil {
		w.Key("plan")
		b.Plan.WriteJSON(w)
	}
	if len(b.Analyses) > 0 {
		w.Key("analyses")
		w.Text("[")
		for i := range b.Analyses {
			if i > 0 {
				w.Text(",")
			}
			b.writeAnalysis(w, i)
		}
		w.Text("]")
	}
	if b.Reflection != nil {
		w.Key("reflection")
		b.Reflection.WriteJSON(w)
	}
	w.Text("}")
}

// ReadJSON implements [message.ReadsJSON].
func (b *Brief) ReadJSON(r *rawjson.Reader) {
	r.Need("{")
	b.Goal = r.Field("goal")
	if r.Key("round") {
		b.Round = int(r.Int())
	}
	if r.Key("roles") {
		b.Roles = rawjson.ReadStrings[string](r)
	}
	if r.Key("plan") {
		b.Plan = &Plan{}
		b.Plan.ReadJSON(r)
	}
	if r.Key("analyses") {
		b.Analyses = rawjson.ReadList(r, readAnalysis)
	}
	if r.Key("reflection") {
		b.Reflection = &Reflection{}
		b.Reflection.ReadJSON(r)
	}
	r.Need("}")
}
