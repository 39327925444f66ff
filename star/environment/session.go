package environment

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tools"
)

// Session is one episode: one task, from its prompt to the reward. It is safe
// for concurrent use; what is done in it is done one after the other.
type Session struct {
	id  string
	env *Environment

	used     time.Time // these two belong to the environment's lock
	answered bool

	mu      sync.Mutex
	task    tasks.Task
	tools   tools.Set
	opening []model.Message
	said    []model.Message // after the opening: the assistant's words and calls, and their answers
	calls   int
	bytes   int
	outcome *Outcome
	kept    []*kept
}

// ID is the name under which the session is found.
func (s *Session) ID() string { return s.id }

// Begin gives the session its task. A session has one task.
func (s *Session) Begin(ctx context.Context, id string) error {
	i, ok := s.env.index[id]
	if !ok {
		return ErrNoTask
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tools != nil {
		return ErrBegun
	}
	task := s.env.cfg.Tasks[i]
	view, err := s.env.cfg.Source.View(task)
	if err != nil {
		return fmt.Errorf("task %s: %w", id, err)
	}
	lines, err := view.Lines(ctx)
	if err != nil {
		return fmt.Errorf("task %s: %w", id, err)
	}
	opening, err := s.env.cfg.Detail.Opening(task, lines)
	if err != nil {
		return err
	}
	set, err := tools.Open(view, s.env.cfg.Tools...)
	if err != nil {
		return fmt.Errorf("task %s: %w", id, err)
	}
	s.task, s.opening, s.tools = task, opening, set
	return nil
}

// Prompt returns the messages that the student's conversation starts with, and
// the id of the task.
func (s *Session) Prompt() (task string, messages []model.Message, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tools == nil {
		return "", nil, ErrNotBegun
	}
	return s.task.ID, slices.Clone(s.opening), nil
}

// ready reports what keeps the session from going on.
func (s *Session) ready() error {
	switch {
	case s.tools == nil:
		return ErrNotBegun
	case s.outcome != nil:
		return ErrEnded
	}
	return nil
}

// Call calls a tool and returns what the student is to read. A mistake in the
// call (an unknown tool, wrong arguments, one call too many) is such an answer
// too, and begins with "error: ". An error means that nothing has happened.
func (s *Session) Call(ctx context.Context, name string, arguments json.RawMessage) (answer string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ready(); err != nil {
		return "", err
	}
	if len(arguments) == 0 || string(arguments) == "null" {
		arguments = json.RawMessage("{}")
	}
	call := model.ToolCall{ID: fmt.Sprintf("call_%d", s.calls+1), Name: name, Arguments: string(arguments)}
	answers, err := s.turn(ctx, model.Message{Role: model.Assistant, ToolCalls: []model.ToolCall{call}})
	if err != nil {
		return "", err
	}
	return answers[0].Content, nil
}

// Step takes a whole message of the student's and makes its calls: one message
// for each, in their order. A message without a call is the answer and ends the
// session with an outcome.
func (s *Session) Step(ctx context.Context, m model.Message) ([]model.Message, *Outcome, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ready(); err != nil {
		return nil, nil, err
	}
	m.Role, m.Name, m.ToolCallID = model.Assistant, "", ""
	if len(m.ToolCalls) == 0 {
		outcome, err := s.end(append(slices.Clone(s.said), m))
		return nil, outcome, err
	}
	m.ToolCalls = slices.Clone(m.ToolCalls)
	for i := range m.ToolCalls {
		if m.ToolCalls[i].ID == "" {
			m.ToolCalls[i].ID = fmt.Sprintf("call_%d", s.calls+i+1)
		}
	}
	answers, err := s.turn(ctx, m)
	return answers, nil, err
}

// turn makes the calls of a message, and notes it with its answers.
func (s *Session) turn(ctx context.Context, m model.Message) ([]model.Message, error) {
	bytes := len(m.Content)
	var answers []model.Message
	for i, call := range m.ToolCalls {
		bytes += len(call.ID) + len(call.Name) + len(call.Arguments)
		if s.bytes+bytes > s.env.cfg.Bytes {
			return nil, ErrSpent
		}
		answer := tools.Result{Call: call.ID, Tool: call.Name}
		if s.calls+i >= s.env.cfg.Calls {
			answer.Error = fmt.Sprintf("%d calls were made, which is all: answer now", s.env.cfg.Calls)
		} else if err := s.call(ctx, call, &answer); err != nil {
			return nil, err
		}
		content, err := s.env.cfg.Detail.Answer(answer)
		if err != nil {
			s.env.cfg.Report(fmt.Errorf("task %s: %w", s.task.ID, err))
			return nil, fmt.Errorf("tool %s: %w", call.Name, errFailed)
		}
		bytes += len(content)
		answers = append(answers, model.Message{Role: model.ToolRole, Content: content, ToolCallID: call.ID, Name: call.Name})
	}
	s.calls += len(m.ToolCalls)
	s.bytes += bytes
	s.said = append(append(s.said, m), answers...)
	return answers, nil
}

// call fills in the answer of one call.
func (s *Session) call(ctx context.Context, call model.ToolCall, answer *tools.Result) error {
	tool, ok := s.tools.Find(call.Name)
	if !ok {
		answer.Error = fmt.Sprintf("there is no tool %q; the tools are %s", call.Name, strings.Join(s.tools.Names(), ", "))
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.env.cfg.Wait)
	defer cancel()
	value, err := tool.Call(ctx, json.RawMessage(call.Arguments))
	if bad := (*tools.InputError)(nil); errors.As(err, &bad) {
		answer.Error = bad.Reason
	} else if err != nil {
		s.env.cfg.Report(fmt.Errorf("task %s: tool %s: %w", s.task.ID, call.Name, err))
		return fmt.Errorf("tool %s: %w", call.Name, errFailed)
	}
	answer.Value = value
	return nil
}

// errFailed stands for a cause that only the operator is told.
var errFailed = errors.New("it failed, and this is not the caller's fault")
