package trajectories

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/tasks"
)

// Relabel tells a conversation of [Serialize] as it would be told under another
// order of the task's candidates: the candidate at order[i] goes by the ith
// label. Order is a permutation. Relabelled are the candidate list, which is put
// in the order of the new labels, calls and what tools answered, and all that
// the assistant says; the system message speaks of no candidate, and stays.
//
//	order [2 0 1]    c01 | Dune       c01 | Ulysses
//	                 c02 | Emma    ─> c02 | Dune
//	                 c03 | Ulysses    c03 | Emma
//	                 c02 leads        c03 leads
//
// A label is a whole word: the texts of items hold none, see [phase.Clean]. The
// rest stays byte by byte, so relabelling by the inverse permutation gives the
// messages that were given. That holds for lists within a text or an answer
// too: what a tool has listed by label is in the old order.
func Relabel(task tasks.Task, messages []model.Message, order []int) ([]model.Message, error) {
	labels := task.Labels()
	if len(order) != len(labels) {
		return nil, fmt.Errorf("task %s: an order of %d for %d candidates", task.ID, len(order), len(labels))
	}
	if len(messages) < 2 || messages[1].Role != model.User {
		return nil, fmt.Errorf("task %s: the conversation does not begin with the task", task.ID)
	}
	names := make(map[string]string, len(order))
	items := make([]string, len(order))
	for place, from := range order {
		if from < 0 || from >= len(labels) || names[labels[from]] != "" {
			return nil, fmt.Errorf("task %s: %v is no order of the candidates", task.ID, order)
		}
		names[labels[from]], items[place] = labels[place], task.Candidates[from]
	}
	detail, err := DetailOf(messages)
	if err != nil {
		return nil, fmt.Errorf("task %s: %w", task.ID, err)
	}
	lines := candidateLines(messages[1].Content, labels)
	if detail.short() {
		lines = labels // it tells no more of them
	}
	if lines == nil {
		return nil, fmt.Errorf("task %s: its message does not list the candidates", task.ID)
	}
	ordered := make([]string, len(lines))
	for place, from := range order {
		ordered[place] = labels[place] + strings.TrimPrefix(lines[from], labels[from])
	}
	task.Candidates = items
	opening, err := detail.Opening(task, ordered)
	if err != nil {
		return nil, err
	}
	out := make([]model.Message, len(messages))
	copy(out, messages)
	out[1].Content = opening[1].Content
	for i := 2; i < len(out); i++ {
		out[i].Content = rename(out[i].Content, out[i].Role == model.ToolRole && json.Valid([]byte(out[i].Content)), names)
		calls := make([]model.ToolCall, len(out[i].ToolCalls))
		for j, c := range out[i].ToolCalls {
			c.Arguments = rename(c.Arguments, json.Valid([]byte(c.Arguments)), names)
			calls[j] = c
		}
		if len(calls) > 0 {
			out[i].ToolCalls = calls
		}
	}
	return out, nil
}

// rename puts new names for words into a text. In JSON, escapes are read as the
// characters that they stand for, and stay as they are.
func rename(text string, escaped bool, names map[string]string) string {
	var b strings.Builder
	start := -1   // of the word that is being read
	plain := true // no part of it is an escape
	kept := 0     // up to which the text is written
	end := func(at int) {
		if start >= 0 && plain {
			if name, ok := names[text[start:at]]; ok {
				b.WriteString(text[kept:start] + name)
				kept = at
			}
		}
		start, plain = -1, true
	}
	for i := 0; i < len(text); {
		c, size := text[i], 1
		if escaped && c == '\\' && i+1 < len(text) {
			if c, size = ' ', 2; text[i+1] == 'u' && i+6 <= len(text) {
				var r rune
				size = 6
				if json.Unmarshal([]byte(`"`+text[i:i+6]+`"`), (*jsonRune)(&r)) == nil && r < utf8.RuneSelf {
					c = byte(r)
				}
			}
		}
		switch {
		case !wordByte(c):
			end(i)
		case start < 0:
			start, plain = i, size == 1
		default:
			plain = plain && size == 1
		}
		i += size
	}
	end(len(text))
	return b.String() + text[kept:]
}

// jsonRune is the first character of a JSON string.
type jsonRune rune

// UnmarshalText implements encoding.TextUnmarshaler.
func (r *jsonRune) UnmarshalText(text []byte) error {
	first, _ := utf8.DecodeRune(text)
	*r = jsonRune(first)
	return nil
}

func wordByte(b byte) bool {
	return b == '_' || b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z'
}
