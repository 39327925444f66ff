package mask

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/message/phase"
	"github.com/mars-rec/mars/model"
)

// Template is a chat template of Qwen3. What is trained must be what is served:
// its digest says which file that is.
type Template struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256"` // of the Jinja file that it renders as
	thinks thinks
}

// thinks says on which turns a template writes a think block.
type thinks int

const (
	never  thinks = iota
	late          // on the last message, and after the last question where there is a thought
	always        // on each turn of the assistant
)

// Training is the name of the template that TRL trains Qwen3 with.
const Training = "qwen3-training"

// Templates returns the templates that are known: the stock one of Qwen3, which
// writes an empty think block on the last message only; TRL's training variant
// of it, which writes one on each turn; and those of the Instruct models of
// July 2025, which know no thoughts, and whose variants render alike. The files
// are those of trl 1.16.0.
func Templates() []Template {
	return []Template{
		{"qwen3", "a55ee1b1660128b7098723e0abcd92caa0788061051c62d51cbe87d9cf1974d8", late},
		{Training, "1d944ff8f268b611abb296cdd24d0f51981eef1c8647ac321c3a0258f61eb6c9", always},
		{"qwen3-instruct-2507", "64f85b198065d0fba2a81f37e10ed68161ce2c19a754c7100e67e0ca2ee9c326", never},
		{"qwen3-instruct-2507-training", "48e17aa3caf5bf20075b6e7366864ee943e00b6f0752aadfe8b670c2ab0291a5", never},
	}
}

// NewTemplate returns the template of that name.
func NewTemplate(name string) (Template, error) {
	var names []string
	for _, t := range Templates() {
		if t.Name == name {
			return t, nil
		}
		names = append(names, t.Name)
	}
	return Template{}, fmt.Errorf("no chat template %q: there are %s", name, strings.Join(names, ", "))
}

// ToolJSON writes a tool as chat templates print it: an OpenAI function, with
// the spacing of json.dumps. Training and serving use the same.
func ToolJSON(spec model.ToolSpec) (string, error) {
	raw, err := message.Marshal(struct {
		Type     string         `json:"type"`
		Function model.ToolSpec `json:"function"`
	}{"function", spec})
	if err != nil {
		return "", fmt.Errorf("tool %s: %w", spec.Name, err)
	}
	return phase.Spaced(json.RawMessage(raw))
}

const (
	turn    = "<|im_start|>"
	turnEnd = "<|im_end|>\n"

	toolsBefore = "# Tools\n\nYou may call one or more functions to assist with the user query.\n\nYou are provided with function signatures within <tools></tools> XML tags:\n<tools>"
	toolsAfter  = "\n</tools>\n\nFor each function call, return a json object with function name and arguments within <tool_call></tool_call> XML tags:\n<tool_call>\n{\"name\": <function-name>, \"arguments\": <args-json-object>}\n</tool_call>"
)

// Render writes a conversation and its tools as the template does. It is an
// error if there are no messages, if a role is none that the template renders,
// or if a schema is not JSON.
func (t Template) Render(messages []model.Message, specs []model.ToolSpec) (Rendering, error) {
	if len(messages) == 0 {
		return Rendering{}, errors.New("mask: there are no messages")
	}
	w := &writer{question: lastQuestion(messages), template: t}
	if err := w.opening(messages[0], specs); err != nil {
		return Rendering{}, fmt.Errorf("mask: %w", err)
	}
	for i, m := range messages {
		w.message = i
		switch {
		case m.Role == model.System && i == 0:
		case m.Role == model.System, m.Role == model.User:
			w.put(Boilerplate, "", turn+string(m.Role)+"\n")
			w.put(map[model.Role]Kind{model.System: System, model.User: User}[m.Role], "", m.Content)
			w.put(Boilerplate, "", turnEnd)
		case m.Role == model.Assistant:
			w.assistant(m, i == len(messages)-1)
		case m.Role == model.ToolRole:
			if i == 0 || messages[i-1].Role != model.ToolRole {
				w.put(Boilerplate, "", turn+"user")
			}
			w.put(Boilerplate, "", "\n<tool_response>\n")
			w.put(Response, m.Name, m.Content)
			w.put(Boilerplate, "", "\n</tool_response>")
			if i == len(messages)-1 || messages[i+1].Role != model.ToolRole {
				w.put(Boilerplate, "", turnEnd)
			}
		default:
			return Rendering{}, fmt.Errorf("mask: message %d is of role %q, which the template does not render", i, m.Role)
		}
	}
	return Rendering{Template: t, Text: w.text.String(), Parts: w.parts}, nil
}

// lastQuestion returns the last message of the user that is not a tool's
// answer, as the stock template looks for it.
func lastQuestion(messages []model.Message) int {
	for i, m := range slices.Backward(messages) {
		if m.Role == model.User && !(strings.HasPrefix(m.Content, "<tool_response>") && strings.HasSuffix(m.Content, "</tool_response>")) {
			return i
		}
	}
	return len(messages) - 1
}

// writer collects a rendering.
type writer struct {
	template Template
	question int // the last message of the user that asks
	message  int // the message that is being written
	text     strings.Builder
	parts    []Part
}

// put adds a part. What follows a part of the same origin belongs to it.
func (w *writer) put(kind Kind, of, text string) {
	if text == "" {
		return
	}
	p := Part{Span{w.text.Len(), w.text.Len() + len(text)}, kind, of, w.message, false}
	w.text.WriteString(text)
	switch kind {
	case Think, Plan, Analysis, Reflection, Recommend, Words, Call, End:
		p.Trained = true
	case Boilerplate:
		if last := len(w.parts) - 1; last >= 0 && w.parts[last].Kind == kind && w.parts[last].Message == p.Message {
			w.parts[last].End = p.End
			return
		}
	}
	w.parts = append(w.parts, p)
}

// opening writes the system message with the tools.
func (w *writer) opening(first model.Message, specs []model.ToolSpec) error {
	system := first.Role == model.System
	if len(specs) == 0 {
		if system {
			w.put(Boilerplate, "", turn+"system\n")
			w.put(System, "", first.Content)
			w.put(Boilerplate, "", turnEnd)
		}
		return nil
	}
	w.put(Boilerplate, "", turn+"system\n")
	if system {
		w.put(System, "", first.Content)
		w.put(Boilerplate, "", "\n\n")
	}
	w.put(Boilerplate, "", toolsBefore)
	for _, spec := range specs {
		text, err := ToolJSON(spec)
		if err != nil {
			return err
		}
		w.put(Boilerplate, "", "\n")
		w.put(Tools, spec.Name, text)
	}
	w.put(Boilerplate, "", toolsAfter+turnEnd)
	return nil
}
