package mask

import (
	"strings"

	"github.com/mars-rec/mars/message/phase"
	"github.com/mars-rec/mars/model"
)

const thinkOpen, thinkClose = "<think>", "</think>"

// assistant writes a turn of the assistant: a thought, what it says, its calls.
func (w *writer) assistant(m model.Message, last bool) {
	w.put(Boilerplate, "", turn+"assistant\n")
	thought, content := "", m.Content
	if w.template.thinks != never {
		thought, content = cutThought(content)
	}
	said := content
	if w.template.thinks == always || w.template.thinks == late && w.message > w.question && (last || thought != "") {
		w.put(Think, "", thinkOpen+"\n"+strings.Trim(thought, "\n")+"\n"+thinkClose+"\n\n")
		said = strings.TrimLeft(content, "\n")
	}
	w.phases(said)
	for i, c := range m.ToolCalls {
		before := ""
		if i > 0 || content != "" {
			before = "\n"
		}
		w.put(Call, c.Name, before+"<tool_call>\n{\"name\": \""+c.Name+"\", \"arguments\": "+c.Arguments+"}\n</tool_call>")
	}
	w.put(End, "", turnEnd)
}

// cutThought takes the thought out of a message as the templates do: what
// stands between the last <think> before the first </think> and that; said is
// what follows the last </think>.
func cutThought(content string) (thought, said string) {
	before, _, found := strings.Cut(content, thinkClose)
	if !found {
		return "", content
	}
	before = strings.TrimRight(before, "\n")
	if i := strings.LastIndex(before, thinkOpen); i >= 0 {
		before = before[i+len(thinkOpen):]
	}
	said = content[strings.LastIndex(content, thinkClose)+len(thinkClose):]
	return strings.TrimLeft(before, "\n"), strings.TrimLeft(said, "\n")
}

// phases writes what the assistant says, phase by phase; as mere words, if its
// phases are not well formed.
func (w *writer) phases(content string) {
	blocks, err := phase.Blocks(content)
	if err != nil {
		blocks = nil
	}
	for _, b := range blocks {
		before, after, _ := strings.Cut(content, b.Text)
		w.put(Words, "", before)
		w.put(map[string]Kind{"plan": Plan, "analysis": Analysis, "reflection": Reflection, "recommend": Recommend}[b.Tag], b.Role, b.Text)
		content = after
	}
	w.put(Words, "", content)
}
