package phase

import "strings"

// ToolCall is a call that stands in a text, as models write it where no server
// takes it out. Arguments is JSON, spaced as [Spaced] does; of a call that
// cannot be read the name is "" and the arguments are the text of the block, so
// that whoever makes the calls can tell the model.
type ToolCall struct{ Name, Arguments string }

const callOpen, callClose = "<tool_call>", "</tool_call>"

// maxCalls is the most calls that are read from one text; more are left aside.
const maxCalls = 64

// ToolCalls takes the calls out of a text and returns what else was said. It
// reads a block with one call, with several, one after another or in an array,
// and one that is not closed; thoughts and what stands in a phase are no calls.
//
//	<plan>…</plan>
//	<tool_call>{"name": "item_cf", "arguments": {"window": "all"}}</tool_call>
//
// What it repaired or left aside is in the deviations. It takes time in
// proportion to the text.
func ToolCalls(text string) (said string, calls []ToolCall, deviations []Deviation) {
	if !strings.Contains(text, callOpen) {
		return text, nil, nil
	}
	n := &notes{}
	var rest strings.Builder
	open := map[string]bool{} // phases that are never closed from here on
	from, i := 0, 0
	for len(calls) < maxCalls {
		next := strings.IndexByte(text[i:], '<')
		if next < 0 {
			break
		}
		i += next
		switch {
		case strings.HasPrefix(text[i:], thinkOpen):
			i = afterThink(text, i)
		case strings.HasPrefix(text[i:], callOpen):
			rest.WriteString(text[from:i])
			var found []ToolCall
			found, i = callBlock(text, i, n)
			calls, from = append(calls, found...), i
		default:
			i = overPhase(text, i, open, n)
		}
	}
	if len(calls) >= maxCalls && strings.Contains(text[from:], callOpen) || len(calls) > maxCalls {
		n.add("too many calls", from, "%d are made", maxCalls)
		calls = calls[:maxCalls]
	}
	rest.WriteString(text[from:])
	return strings.TrimRight(rest.String(), " \t\r\n"), calls, n.list
}

// afterThink returns the offset after the thought that starts at i: the end of
// the text if the thought does not end.
func afterThink(text string, i int) int {
	if size := strings.Index(text[i:], thinkClose); size >= 0 {
		return i + size + len(thinkClose)
	}
	return len(text)
}

// overPhase passes over a phase that starts here and is closed, else over one
// byte.
func overPhase(text string, i int, open map[string]bool, n *notes) int {
	name, _, length := openTag(text[i:])
	if length == 0 || open[name] {
		return i + 1
	}
	size := strings.Index(text[i:], "</"+name+">")
	if size < 0 {
		open[name] = true
		return i + length
	}
	if at := strings.Index(text[i:i+size], callOpen); at >= 0 {
		n.add("call in a phase", i+at, "it is not made")
	}
	return i + size
}

// callBlock reads the block that starts at i and returns the offset after it.
func callBlock(text string, i int, n *notes) ([]ToolCall, int) {
	from := i + len(callOpen)
	to := len(text)
	if again := strings.Index(text[from:], callOpen); again >= 0 {
		to = from + again
	}
	end := to
	if size := strings.Index(text[from:to], callClose); size >= 0 {
		to, end = from+size, from+size+len(callClose)
	} else {
		n.add("unclosed tag", i, "<tool_call> is not closed")
	}
	s := scanner{text: text, notes: n}
	from, to = s.trim(from, to)
	r := reader{s: text[:to], i: from, notes: n}
	var calls []ToolCall
	for {
		r.space()
		if r.i >= to {
			break
		}
		if len(calls) > 0 {
			n.add("several calls", r.i, "in one block")
			if r.peek() == ',' {
				r.i++
				continue
			}
		}
		at := r.i
		var found []ToolCall
		v, err := r.value(0)
		readable := err == nil
		if readable {
			found, readable = callsOf(v, n)
		}
		if !readable {
			n.add("unreadable call", at, "want {\"name\": ..., \"arguments\": {...}}")
			calls = append(calls, ToolCall{Arguments: text[at:to]})
			break
		}
		calls = append(calls, found...)
	}
	if len(calls) == 0 {
		n.add("unreadable call", i, "the block is empty")
	}
	return calls, end
}

// callsOf reads a call, or an array of calls.
func callsOf(v value, n *notes) ([]ToolCall, bool) {
	if v.kind == anArray {
		var calls []ToolCall
		for _, e := range v.list {
			c, ok := callOf(e, n)
			if !ok {
				return nil, false
			}
			calls = append(calls, c)
		}
		if len(calls) > 1 {
			n.add("several calls", v.at, "in one block")
		}
		return calls, len(calls) > 0
	}
	c, ok := callOf(v, n)
	return []ToolCall{c}, ok
}

func callOf(v value, n *notes) (ToolCall, bool) {
	if inner, ok := v.get("function"); ok && inner.kind == anObject {
		n.add("wrapped", inner.at, "the call stands under the key \"function\"")
		v = inner
	}
	name, ok := v.get("name")
	if !ok || name.kind != aString || name.text == "" {
		return ToolCall{}, false
	}
	arguments, ok := v.get("arguments")
	if other, has := v.get("parameters"); !ok && has {
		n.add("other key", other.at, "\"parameters\" for \"arguments\"")
		arguments, ok = other, true
	}
	switch {
	case !ok:
		n.add("missing key", v.at, "the call has no arguments")
		return ToolCall{name.text, "{}"}, true
	case arguments.kind == aString:
		return ToolCall{name.text, arguments.text}, true // JSON in a string: whoever makes the call reads it
	}
	return ToolCall{name.text, string(arguments.append(nil))}, true
}
