package openai

import (
	"encoding/json"
	"slices"
	"strings"

	goopenai "github.com/sashabaranov/go-openai"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/message/rawjson"
	"github.com/mars-rec/mars/model"
)

// encode hands the body of a request for a whole reply to use: the JSON of what
// [Model.request] returns, but for the order of the names and escapes for HTML.
func (m *Model) encode(req *model.Request, use func(text []byte)) error {
	if err := m.refuses(req); err != nil {
		return err
	}
	format, placed := m.place(*req)
	if !message.Write(func(w *rawjson.Writer) { m.write(w, &placed, format) }, use) {
		return m.noJSON(*req)
	}
	return nil
}

func (m *Model) write(w *rawjson.Writer, req *model.Request, format *goopenai.ChatCompletionResponseFormat) {
	w.Text("{")
	w.Key("model")
	w.String(m.name)
	w.Key("messages")
	rawjson.WriteList(w, req.Messages, writeMessage)
	if len(req.Tools) > 0 {
		w.Key("tools")
		rawjson.WriteList(w, req.Tools, writeTool)
	}
	if format != nil {
		w.Key("response_format")
		writeFormat(w, format)
	}
	if req.Stop != "" {
		w.Key("stop")
		rawjson.WriteStrings(w, []string{req.Stop})
	}
	m.writeSampling(w, req.Sampling)
	w.Text("}")
}

// refuses reports what of a request the client library knows that OpenAI's own
// models do not take.
func (m *Model) refuses(req *model.Request) error {
	if !slices.ContainsFunc([]string{"o1", "o3", "o4", "gpt-5", "gpt-6"}, func(p string) bool { return strings.HasPrefix(m.name, p) }) {
		return nil
	}
	wire, err := m.request(*req)
	if err != nil {
		return err
	}
	return goopenai.NewReasoningValidator().Validate(wire)
}

// noJSON says what of a request could not be written.
func (m *Model) noJSON(req model.Request) error {
	wire, err := m.request(req)
	if err == nil {
		_, err = json.Marshal(wire)
	}
	if err == nil {
		err = permanent("the request cannot be written as JSON")
	}
	return err
}

func writeMessage(w *rawjson.Writer, msg model.Message) {
	w.Text("{")
	w.Key("role")
	w.String(string(msg.Role))
	w.Field("content", msg.Content)
	w.Field("name", msg.Name)
	if len(msg.ToolCalls) > 0 {
		w.Key("tool_calls")
		rawjson.WriteList(w, msg.ToolCalls, func(w *rawjson.Writer, call model.ToolCall) {
			w.Text("{")
			w.Field("id", call.ID)
			w.Key("type")
			w.String("function")
			w.Key("function")
			w.Text("{")
			w.Field("name", call.Name)
			w.Field("arguments", call.Arguments)
			w.Text("}}")
		})
	}
	w.Field("tool_call_id", msg.ToolCallID)
	w.Text("}")
}

func writeTool(w *rawjson.Writer, tool model.ToolSpec) {
	w.Text(`{"type":"function","function":{`)
	w.Key("name")
	w.String(tool.Name)
	w.Field("description", tool.Description)
	w.Key("parameters")
	w.Value(tool.Parameters)
	w.Text("}}")
}

func writeFormat(w *rawjson.Writer, f *goopenai.ChatCompletionResponseFormat) {
	w.Text("{")
	w.Key("type")
	w.String(string(f.Type))
	if f.JSONSchema != nil {
		schema, err := f.JSONSchema.Schema.MarshalJSON()
		if err != nil {
			w.Fail()
		}
		w.Key("json_schema")
		w.Text("{")
		w.Key("name")
		w.String(f.JSONSchema.Name)
		w.Key("schema")
		w.Value(schema)
		w.Key("strict")
		w.Bool(f.JSONSchema.Strict)
		w.Text("}")
	}
	w.Text("}")
}

func (m *Model) writeSampling(w *rawjson.Writer, s model.Sampling) {
	for _, one := range []struct {
		name string
		x    *float64
	}{{"temperature", s.Temperature}, {"top_p", s.TopP}} {
		if one.x != nil {
			w.Key(one.name)
			w.Float(*one.x)
		}
	}
	if s.Seed != nil {
		w.Key("seed")
		w.Int(*s.Seed)
	}
	if s.MaxTokens != 0 {
		w.Key(m.maxTokens())
		w.Int(int64(s.MaxTokens))
	}
}
