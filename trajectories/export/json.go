package export

import "github.com/mars-rec/mars/message/rawjson"

// writeRow writes a row as encoding/json would; it fails on one of a type that
// is left to encoding/json.
func writeRow(w *rawjson.Writer, row any) {
	switch r := row.(type) {
	case chatRow:
		writeChat(w, r)
	case openAIRow:
		writeOpenAI(w, r)
	case sharegptRow:
		writeSharegpt(w, r)
	case textRow:
		writeText(w, r)
	default:
		w.Fail()
	}
}

func writeChat(w *rawjson.Writer, r chatRow) {
	w.Text("{")
	w.Key("messages")
	rawjson.WriteList(w, r.Messages, writeChatMessage)
	w.Key("tools")
	w.String(r.Tools)
	w.Key("run")
	w.String(r.Run)
	w.Key("candidates")
	rawjson.WriteStrings(w, r.Candidates)
	w.Text("}")
}

func writeChatMessage(w *rawjson.Writer, m chatMessage) {
	w.Text("{")
	w.Key("role")
	w.String(string(m.Role))
	w.Field("name", m.Name)
	w.Key("content")
	w.String(m.Content)
	w.Field("tool_call_id", m.Answers)
	if len(m.ToolCalls) > 0 {
		w.Key("tool_calls")
		rawjson.WriteList(w, m.ToolCalls, writeChatCall)
	}
	w.Text("}")
}

func writeChatCall(w *rawjson.Writer, c chatCall) {
	w.Text("{")
	w.Field("id", c.ID)
	w.Key("type")
	w.String(c.Type)
	w.Key("function")
	w.Text("{")
	w.Key("name")
	w.String(c.Function.Name)
	w.Key("arguments")
	w.String(c.Function.Arguments)
	w.Text("}}")
}

func writeOpenAI(w *rawjson.Writer, r openAIRow) {
	w.Text("{")
	w.Key("messages")
	rawjson.WriteList(w, r.Messages, writeChatMessage)
	w.Key("tools")
	w.Value(r.Tools)
	w.Text("}")
}

func writeSharegpt(w *rawjson.Writer, r sharegptRow) {
	w.Text("{")
	w.Key("conversations")
	rawjson.WriteList(w, r.Conversations, func(w *rawjson.Writer, t sharegptTurn) {
		w.Text("{")
		w.Key("from")
		w.String(t.From)
		w.Key("value")
		w.String(t.Value)
		w.Text("}")
	})
	w.Key("system")
	w.String(r.System)
	w.Key("tools")
	w.String(r.Tools)
	w.Key("run")
	w.String(r.Run)
	w.Key("candidates")
	rawjson.WriteStrings(w, r.Candidates)
	w.Text("}")
}

func writeText(w *rawjson.Writer, r textRow) {
	w.Text("{")
	w.Key("text")
	w.String(r.Text)
	w.Key("trained")
	rawjson.WriteList(w, r.Trained, func(w *rawjson.Writer, span []int) {
		rawjson.WriteList(w, span, func(w *rawjson.Writer, n int) { w.Int(int64(n)) })
	})
	w.Key("run")
	w.String(r.Run)
	w.Key("candidates")
	rawjson.WriteStrings(w, r.Candidates)
	w.Text("}")
}
