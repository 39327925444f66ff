package environment

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/tools"
	"github.com/mars-rec/mars/trajectories/reward"
)

// Outcome is how an episode ended. Parts are those that the reward is made of,
// as they are before they are weighted, and always "format", +1 or -1. Without
// gold there is no reward, and only the format is judged.
type Outcome struct {
	Scored bool
	Reward float64
	Parts  map[string]float64
	Note   string // what is wrong with the form, if anything
}

// answerArguments are those of the tool that ends an episode.
type answerArguments struct {
	Text string `json:"text" jsonschema:"all that you said, from <plan> to </recommend>"`
}

// answerTool reads the arguments of the tool that ends an episode.
func answerTool() tools.Tool {
	return tools.New("answer", "Ends the task. Takes all that you said, in order: <plan>, any <analysis>, <reflection> and last <recommend> with the labels of all candidates.",
		func(_ context.Context, a answerArguments) (answerArguments, error) { return a, nil })
}

// AnswerSpec tells of a tool besides the student's own, for protocols that
// carry tool calls and nothing else of what a student says: its call is the
// answer. Whoever serves it reads the arguments by [AnswerText].
func AnswerSpec() model.ToolSpec { return answerTool().Spec() }

// AnswerText returns the text in the arguments of the tool that [AnswerSpec]
// tells of. Every error is a [tools.InputError].
func AnswerText(arguments json.RawMessage) (string, error) {
	raw, err := answerTool().Call(context.Background(), arguments)
	if err != nil {
		return "", err
	}
	var a answerArguments
	err = json.Unmarshal(raw, &a)
	return a.Text, err
}

// Answer ends the session with the last words of the student. They follow what
// was said in [Session.Step]. Where only tools were called, by [Session.Call],
// nothing else has been heard of the student: then the text is all that it
// said, from the plan to the ranking.
func (s *Session) Answer(text string) (Outcome, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ready(); err != nil {
		return Outcome{}, err
	}
	return result(s.end(append(slices.Clone(s.said), model.Message{Role: model.Assistant, Content: text})))
}

// Judge ends the session with the conversation as whoever held it tells it, in
// the place of what the session heard itself. A trainer that parses calls out of
// the student's text and makes them by [Session.Call] ends so. The system and
// user messages of the prompt may be among the messages or not.
func (s *Session) Judge(conversation []model.Message) (Outcome, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ready(); err != nil {
		return Outcome{}, err
	}
	return result(s.end(conversation))
}

// Score says what a conversation over the session's task would get, and ends
// nothing: for trainers that rank several conversations of one task.
func (s *Session) Score(conversation []model.Message) (Outcome, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tools == nil {
		return Outcome{}, ErrNotBegun
	}
	return s.judge(conversation)
}

// Outcome returns how the session ended, or false if it has not.
func (s *Session) Outcome() (Outcome, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.outcome == nil {
		return Outcome{}, false
	}
	return *s.outcome, true
}

func result(o *Outcome, err error) (Outcome, error) {
	if err != nil {
		return Outcome{}, err
	}
	return *o, nil
}

// end judges the conversation, once.
func (s *Session) end(conversation []model.Message) (*Outcome, error) {
	if size(conversation) > s.env.cfg.Bytes {
		return nil, ErrSpent
	}
	o, err := s.judge(conversation)
	if err != nil {
		return nil, err
	}
	s.outcome, s.said = &o, nil
	s.env.answeredBy(s)
	return &o, nil
}

func size(messages []model.Message) int {
	n := 0
	for _, m := range messages {
		n += len(m.Content)
		for _, c := range m.ToolCalls {
			n += len(c.ID) + len(c.Name) + len(c.Arguments)
		}
	}
	return n
}

func (s *Session) judge(conversation []model.Message) (Outcome, error) {
	if s.env.cfg.Gold == nil {
		if err := reward.Form(s.task, conversation, s.env.cfg.Form); err != nil {
			return Outcome{Parts: map[string]float64{"format": -1}, Note: err.Error()}, nil
		}
		return Outcome{Parts: map[string]float64{"format": 1}}, nil
	}
	if !slices.ContainsFunc(conversation, prompts) { // what it told counts as told, whoever sends it
		conversation = slices.Concat(s.opening, conversation)
	}
	judge := reward.Conversation
	if s.env.cfg.Reward != nil {
		judge = s.env.cfg.Reward.Conversation
	}
	score, err := judge(s.task, conversation, s.env.cfg.Form, s.env.cfg.Gold[s.task.ID])
	if err != nil {
		s.env.cfg.Report(fmt.Errorf("task %s: %w", s.task.ID, err))
		return Outcome{}, fmt.Errorf("the reward: %w", errFailed)
	}
	for part := range score.Parts { // the rank would tell which item is right, and so may others
		if part != "format" && !s.env.weighs(part) {
			delete(score.Parts, part)
		}
	}
	return Outcome{Scored: true, Reward: score.Value, Parts: score.Parts, Note: score.Note}, nil
}

// prompts reports whether a message is one of those that a conversation starts
// with.
func prompts(m model.Message) bool { return m.Role == model.System || m.Role == model.User }

// weighs reports whether a part is in the reward.
func (e *Environment) weighs(part string) bool {
	if e.cfg.Reward == nil {
		return part == "format" || part == "outcome"
	}
	return e.cfg.Reward.Weighs(part)
}
