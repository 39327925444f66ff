package trajectories

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/message/phase"
	"github.com/mars-rec/mars/model"
)

const (
	responseOpen, responseClose = "<tool_response>", "</tool_response>"
	candidatesHead              = "\nCandidates:\n"
)

// Plain writes a conversation as one plain text with its tags, Figure 3 of the
// paper, and tells which stretches of it the assistant wrote, in characters
// (code points), each from its start to its end without the end.
//
//	You recommend items ...
//
//	Rank the candidates ...
//
//	<plan>…</plan>
//	<tool_call>{"name": "item_cf", "arguments": {"window": "all"}}</tool_call>
//	<tool_response>{"evidence":[…]}</tool_response>
//	<reflection>…</reflection>
//	<recommend>["c02", "c01"]</recommend>
func Plain(messages []model.Message) (text string, trained [][]int) {
	var b strings.Builder
	at := 0
	put := func(text string) {
		b.WriteString(text)
		at += utf8.RuneCountInString(text)
	}
	trained = [][]int{}
	for _, m := range messages {
		switch m.Role {
		case model.Assistant:
			start := at
			if m.Content != "" {
				put(m.Content + "\n")
			}
			for _, c := range m.ToolCalls {
				put(`<tool_call>{"name": "` + c.Name + `", "arguments": ` + c.Arguments + "}</tool_call>\n")
			}
			trained = append(trained, []int{start, at})
		case model.ToolRole:
			put(responseOpen + m.Content + responseClose + "\n")
		default:
			put(m.Content + "\n\n")
		}
	}
	return b.String(), trained
}

// ReadPlain is the inverse of [Plain], for texts that models wrote too: without
// the opening, or with calls as [phase.ToolCalls] repairs them. Calls get IDs
// by their order, call_1 and on; what was repaired is told, its offsets in the
// whole text. An answer of a tool that answers no call is an error, and so is
// one that does not end.
func ReadPlain(text string) ([]model.Message, []phase.Deviation, error) {
	messages, at, err := readOpening(text)
	if err != nil {
		return nil, nil, err
	}
	var deviations []phase.Deviation
	calls := 0
	for at < len(text) {
		end := len(text)
		if i := strings.Index(text[at:], responseOpen); i >= 0 {
			end = at + i
		}
		said, found, repaired := phase.ToolCalls(text[at:end])
		for _, d := range repaired {
			d.Offset += at
			deviations = append(deviations, d)
		}
		m := model.Message{Role: model.Assistant, Content: strings.TrimRight(said, "\n")}
		for _, c := range found {
			calls++
			m.ToolCalls = append(m.ToolCalls, model.ToolCall{ID: fmt.Sprintf("call_%d", calls), Name: c.Name, Arguments: c.Arguments})
		}
		if m.Content != "" || len(found) > 0 {
			messages = append(messages, m)
		}
		answers, next, err := readAnswers(text, end, m.ToolCalls)
		if err != nil {
			return nil, nil, err
		}
		messages, at = append(messages, answers...), next
	}
	return messages, deviations, nil
}

// readOpening reads the two messages of [Opening], if the text starts with
// them, and returns the offset after them.
func readOpening(text string) ([]model.Message, int, error) {
	system, err := systemPrompt()
	if err != nil {
		return nil, 0, err
	}
	rest, ok := strings.CutPrefix(text, system+"\n\n")
	if !ok {
		return nil, 0, nil
	}
	head, list, ok := strings.Cut(rest, candidatesHead)
	list, _, ended := strings.Cut(list, "\n\n")
	if !ok || !ended {
		return nil, 0, errors.New("the opening has no list of candidates that ends in an empty line")
	}
	user := head + candidatesHead + list
	return []model.Message{
		{Role: model.System, Content: system},
		{Role: model.User, Content: user},
	}, len(system) + len(user) + 4, nil
}

// readAnswers reads the answers of tools from the offset at on, one for each
// call.
func readAnswers(text string, at int, calls []model.ToolCall) ([]model.Message, int, error) {
	var answers []model.Message
	for strings.HasPrefix(text[at:], responseOpen) {
		from := at + len(responseOpen)
		size := strings.Index(text[from:], responseClose)
		switch {
		case size < 0:
			return nil, 0, fmt.Errorf("the answer at byte %d does not end", at)
		case len(answers) == len(calls):
			return nil, 0, fmt.Errorf("the answer at byte %d is to no call", at)
		}
		c := calls[len(answers)]
		answers = append(answers, model.Message{Role: model.ToolRole, Content: text[from : from+size], ToolCallID: c.ID, Name: c.Name})
		at = from + size + len(responseClose)
		at += len(text[at:]) - len(strings.TrimLeft(text[at:], "\n"))
	}
	return answers, at, nil
}

// Utterance is a student's reply as its message of the conversation: calls that
// its server left in the text are taken out of it, and a ranking that was
// stopped before its closing tag, as servers stop where they are asked to, is
// closed. A server that takes calls for it does the same where it can.
func Utterance(reply message.ID, out model.Output) (model.Message, []phase.Deviation) {
	m := out.Message
	m.Ref, m.Role = reply, model.Assistant
	said, calls, deviations := phase.ToolCalls(m.Content)
	m.Content = said
	for _, c := range calls {
		m.ToolCalls = append(m.ToolCalls[:len(m.ToolCalls):len(m.ToolCalls)], model.ToolCall{
			ID: model.CallID(reply, len(m.ToolCalls)+1), Name: c.Name, Arguments: c.Arguments,
		})
	}
	if out.Finish == "stop" && strings.LastIndex(m.Content, "<recommend>") > strings.LastIndex(m.Content, StudentStop) {
		m.Content += StudentStop
	}
	return m, deviations
}

// StudentStop is where a student's reply may end: nothing after it counts.
const StudentStop = "</recommend>"
