package trajectories

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/message/phase"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tools"
)

// Linear says how a log becomes one conversation. The zero value keeps all.
type Linear struct {
	// SkipRevised leaves out what was sent back: reflections that revise, and
	// the analyses that were written anew. The tool calls behind them stay, for
	// what they measured still holds.
	SkipRevised bool
	// Parallel tells what was done at once as done at once: members who have not
	// heard of each other, the analysts for one, call their tools in the same
	// turns, as parallel calls, and what they concluded comes after all of them.
	// A student of such rows answers in fewer turns.
	Parallel bool
	// Detail is how much the student is told.
	Detail Detail
}

// Serialize turns the log of a team into one linear conversation, as if one
// agent had done all the work. That is what a student learns from.
//
//	system     how to work, in which form
//	user       the task: moment, candidates by label
//	assistant  <plan>…</plan>, and the first analyst's tool calls
//	tool       their answers
//	assistant  <analysis role="divergence">…</analysis>, and the next one's calls
//	…
//	assistant  <analysis …>…, <reflection>…</reflection>, <recommend>[…]</recommend>
//
// The order is that of the path IDs, so the same log gives the same bytes.
// Prompts of the team's members are left out, and replies that were repaired
// or summarised a history; what each member concluded is written by
// [phase.Write]. Calls keep the IDs of the log; their arguments are spaced as
// [phase.Spaced] does. A call without an answer in the log was not made. A call
// that repeats an earlier one, as members who do not hear each other do, is
// told once: tools answer alike, and one agent has read the answer.
//
// A run of a student is one conversation already, and is told as it was.
//
// Each message's Ref is the first envelope that went into it.
func Serialize(t *Trajectory, how Linear) ([]model.Message, error) {
	if told, alone, err := t.alone(); err != nil {
		return nil, err
	} else if alone {
		return t.verbatim(told)
	}
	lines, err := t.candidates()
	if err != nil {
		return nil, err
	}
	conversation, err := how.Detail.Opening(t.Run.Task, lines)
	if err != nil {
		return nil, err
	}
	s := serializer{t: t, how: how, messages: conversation, results: map[string]tools.Result{}, refs: map[string]message.ID{}, made: map[string]bool{}}
	if err := s.index(); err != nil {
		return nil, err
	}
	for _, e := range t.Log {
		if !s.group.has(e) && !(how.Parallel && s.group.may(e)) {
			if err := s.tell(); err != nil {
				return nil, err
			}
		}
		if err := s.add(e); err != nil {
			return nil, err
		}
	}
	if err := s.tell(); err != nil {
		return nil, err
	}
	s.flush()
	if !s.ranked {
		return nil, fmt.Errorf("trajectory %s: nobody recommends: it cannot be told as one conversation", t.Run.ID)
	}
	return s.messages, nil
}

// serializer collects what the assistant says until it calls a tool.
type serializer struct {
	t        *Trajectory
	how      Linear
	messages []model.Message
	open     model.Message // the assistant's message that is being written
	results  map[string]tools.Result
	refs     map[string]message.ID // of the results
	made     map[string]bool       // calls, by name and arguments
	group    group
	analyses map[message.ID]phase.Analysis
	last     map[string]message.ID // of each role, its last analysis
	ranked   bool
}

// index finds the answers of calls and the last word of each analyst.
func (s *serializer) index() error {
	s.analyses, s.last = map[message.ID]phase.Analysis{}, map[string]message.ID{}
	for _, e := range s.t.Log {
		switch e.Kind {
		case (tools.Result{}).Kind():
			r, err := message.Decode[tools.Result](e)
			if err != nil {
				return err
			}
			s.results[r.Call], s.refs[r.Call] = r, e.ID
		case (phase.Analysis{}).Kind():
			a, err := message.Decode[phase.Analysis](e)
			if err != nil {
				return err
			}
			s.analyses[e.ID], s.last[a.Role] = a, e.ID
		}
	}
	return nil
}

func (s *serializer) add(e message.Envelope) error {
	turn := s.group.turn(e)
	switch e.Kind {
	case (model.Output{}).Kind():
		out, err := message.Decode[model.Output](e)
		if err != nil {
			return err
		}
		if len(out.Message.ToolCalls) > 0 {
			out.Message.Ref = e.ID
			turn.calls = append(turn.calls, out.Message)
		}
	case phase.Plan{}.Kind():
		return put[phase.Plan](turn, e)
	case phase.Analysis{}.Kind():
		if a := s.analyses[e.ID]; !(s.how.SkipRevised && s.last[a.Role] != e.ID) {
			turn.conclude(e.ID, phase.Write(s.how.Detail.analysis(a)))
		}
	case phase.Reflection{}.Kind():
		r, err := message.Decode[phase.Reflection](e)
		if err == nil && !(s.how.SkipRevised && r.Verdict == phase.Revise) {
			turn.conclude(e.ID, phase.Write(r))
		}
		return err
	case phase.Recommend{}.Kind():
		if s.ranked {
			return nil // the team's answer repeats its ranker's
		}
		s.ranked = true
		return put[phase.Recommend](turn, e)
	}
	return nil
}

// put concludes with a body.
func put[B message.Body](t *turn, e message.Envelope) error {
	b, err := message.Decode[B](e)
	if err == nil {
		t.conclude(e.ID, phase.Write(b))
	}
	return err
}

// tell adds what the group said: the calls of its members, round by round, and
// then what each of them concluded.
func (s *serializer) tell() error {
	for round := 0; ; round++ {
		replies := s.group.round(round)
		if len(replies) == 0 {
			break
		}
		if err := s.call(replies); err != nil {
			return err
		}
	}
	for _, t := range s.group.turns {
		for _, m := range t.words {
			s.say(m.Ref, m.Content)
		}
	}
	s.group = group{}
	return nil
}

// say adds words to the assistant's message.
func (s *serializer) say(id message.ID, text string) {
	if text == "" {
		return
	}
	if s.open.Ref == "" {
		s.open.Ref = id
	}
	if s.open.Content != "" {
		s.open.Content += "\n"
	}
	s.open.Content += text
}

// call ends the assistant's message with the tool calls of replies, if there
// are any that have an answer and were not made before, and adds their answers.
func (s *serializer) call(replies []model.Message) error {
	var calls []model.ToolCall
	var answers []model.Message
	for _, reply := range replies {
		before := len(calls)
		for _, call := range reply.ToolCalls {
			r, ok := s.results[call.ID]
			if !ok {
				continue
			}
			call.Arguments = spacedArguments(call.Arguments)
			key := call.Name + " " + call.Arguments
			if s.made[key] {
				continue
			}
			s.made[key] = true
			told, err := s.how.Detail.Answer(r)
			if err != nil {
				return err
			}
			calls = append(calls, call)
			answers = append(answers, model.Message{Ref: s.refs[call.ID], Role: model.ToolRole, Content: told, ToolCallID: call.ID, Name: call.Name})
		}
		if len(calls) > before {
			s.say(reply.Ref, phase.CleanReply(reply.Content))
			if s.open.Ref == "" {
				s.open.Ref = reply.Ref
			}
		}
	}
	if len(calls) > 0 {
		s.open.ToolCalls = calls
		s.flush()
		s.messages = append(s.messages, answers...)
	}
	return nil
}

// spacedArguments writes a call's arguments as they are trained on. Nothing
// means none, as tools take it; what is no JSON stays, and was answered by an
// error.
func spacedArguments(arguments string) string {
	if strings.TrimSpace(arguments) == "" {
		return "{}"
	}
	if spaced, err := phase.Spaced(json.RawMessage(arguments)); err == nil {
		return spaced
	}
	return arguments
}

func (s *serializer) flush() {
	if s.open.Ref != "" {
		s.open.Role = model.Assistant
		s.messages = append(s.messages, s.open)
	}
	s.open = model.Message{}
}

// candidates returns what the agents were shown of the candidates, a line
// each: "c01 | Title (1999) | categories". It is in the first prompt that has a
// line for each label, one after the other.
func (t *Trajectory) candidates() ([]string, error) {
	labels := t.Run.Task.Labels()
	for _, e := range t.Log {
		if e.Kind != (model.Message{}).Kind() {
			continue
		}
		m, err := message.Decode[model.Message](e)
		if err != nil {
			return nil, err
		}
		if lines := candidateLines(m.Content, labels); m.Role == model.User && lines != nil {
			return lines, nil
		}
	}
	return nil, fmt.Errorf("trajectory %s: no prompt lists the %d candidates, one a line as \"%s | title\"", t.Run.ID, len(labels), tasks.Label(0))
}

func candidateLines(text string, labels []string) []string {
	var found []string
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if len(found) < len(labels) && strings.HasPrefix(line, labels[len(found)]+" | ") {
			found = append(found, line)
		} else if len(found) == len(labels) {
			break
		} else {
			found = nil
		}
	}
	if len(found) < len(labels) {
		return nil
	}
	return found
}
