// Package star is the student: one agent, one context. Where the team of the
// teacher has seven members who tell each other what they found, the student
// plans, calls tools, reflects and ranks in one conversation with one model:
//
//	system     how to work, in which form                  trajectories.Opening
//	user       the task: moment, candidates by label
//	assistant  <plan>…</plan>, tool calls
//	tool       their answers
//	assistant  <analysis …>…, more calls, …
//	assistant  <reflection>…</reflection> <recommend>["c03", …]</recommend>
//
// These are the bytes that it was trained on: the opening, the tools' specs and
// their answers are those of the training rows and of package environment.
//
// The student is an [agents.Agent], so that it can sit in a team of one
// ([Seat]): its runs are recorded, replayed, forked, scored and exported as
// those of a teacher are. [Student.Recommend] asks it directly. In a hybrid it
// sits in the team of others as their planner ([Config.Planner]): its plan, in
// its own form, is what analysts, reflector and ranker work by.
//
// # Servers
//
// A server may take tool calls out of the reply or leave them in its text, and
// vLLM's parser does the latter with a whole reply as soon as one call in it is
// broken; both are read (see [trajectories.Utterance]). Replies end at
// </recommend>. What is sent first never changes between tasks (system, tools),
// so that a server's prefix cache holds it.
package star

import (
	"context"
	"fmt"

	"github.com/mars-rec/mars/agents"
	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/message/phase"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tools"
	"github.com/mars-rec/mars/trajectories"
)

// Kind is the kind of the student's seat, and its name.
const Kind = "student"

// Seat is the student's place in a team of one, with the tools that it may
// call.
func Seat(tools []string) agents.Seat {
	return agents.Seat{Name: Kind, Kind: Kind, Tools: tools}
}

// Config of a student. The zero value works, but for roles: a plan that gives
// work to a role that is not among them is not in the form.
type Config struct {
	Form    trajectories.Form   // of the team that taught it
	Detail  trajectories.Detail // how much it is told, which is what it was trained on
	Steps   int                 // model calls of one task, at most; 0: 16
	Calls   int                 // tool calls of one task, at most; 0: 64
	OnChunk func(model.Chunk)   // hears the replies as they are written; nil: nobody
}

// Agent returns the agent that works on the view's task.
func (c Config) Agent(view tasks.View) agents.Agent {
	c.Steps, c.Calls = orDefault(c.Steps, 16), orDefault(c.Calls, 64)
	return student{c, view}
}

func orDefault(n, otherwise int) int {
	if n == 0 {
		return otherwise
	}
	return n
}

// student works on one task.
type student struct {
	cfg  Config
	view tasks.View
}

// Handle implements [agents.Agent]. Its answer is a [phase.Recommend]; before
// it the log gets what else could be read of the conversation, so that a run of
// the student shows its plan, analyses and reflections as a team's does.
func (s student) Handle(ctx context.Context, t *agents.Turn) (message.Body, error) {
	conversation, specs, err := s.begin(ctx, t)
	if err != nil {
		return nil, err
	}
	calls := 0
	for range s.cfg.Steps {
		out, err := t.Generate(ctx, model.Request{Messages: conversation, Tools: specs, Stop: trajectories.StudentStop, OnChunk: s.cfg.OnChunk})
		if err != nil {
			return nil, err
		}
		said, _ := trajectories.Utterance(out.Message.Ref, out)
		conversation = append(conversation, said)
		if len(said.ToolCalls) == 0 {
			return s.conclude(ctx, t, conversation, out.Finish)
		}
		for _, call := range said.ToolCalls {
			answer, err := s.call(ctx, t, call, said.Ref, &calls)
			if err != nil {
				return nil, err
			}
			conversation = append(conversation, answer)
		}
	}
	return nil, fmt.Errorf("%s: there is no answer after %d replies", t.Self, s.cfg.Steps)
}

// begin starts the conversation, and returns what is told of the tools.
func (s student) begin(ctx context.Context, t *agents.Turn) ([]model.Message, []model.ToolSpec, error) {
	conversation, err := s.open(ctx, t)
	if err != nil {
		return nil, nil, err
	}
	specs, err := t.Tools().Specs()
	if err == nil {
		specs, err = s.cfg.Detail.Specs(specs)
	}
	return conversation, specs, err
}

// open writes the opening.
func (s student) open(ctx context.Context, t *agents.Turn) ([]model.Message, error) {
	lines, err := s.view.Lines(ctx)
	if err != nil {
		return nil, err
	}
	opening, err := s.cfg.Detail.Opening(s.view.Task(), lines)
	if err != nil {
		return nil, err
	}
	for i, m := range opening {
		if opening[i], err = t.Prompt(ctx, m.Role, m.Content, t.In.ID); err != nil {
			return nil, err
		}
	}
	return opening, nil
}

// call makes a tool call, or tells the student that it has made too many.
func (s student) call(ctx context.Context, t *agents.Turn, call model.ToolCall, reply message.ID, made *int) (model.Message, error) {
	if *made++; *made <= s.cfg.Calls {
		answer, result, err := t.Call(ctx, call, reply)
		if err == nil {
			answer.Content, err = s.cfg.Detail.Answer(result)
		}
		return answer, err
	}
	refused := tools.Result{Call: call.ID, Tool: call.Name, Error: fmt.Sprintf("%d calls were made, which is all: answer now", s.cfg.Calls)}
	id, err := t.Note(ctx, refused, reply)
	return model.Message{Ref: id, Role: model.ToolRole, Content: refused.Content(), ToolCallID: call.ID, Name: call.Name}, err
}

// conclude reads the last reply. Only the ranking must be in it; whether the
// whole is in the form is for a reward to say.
func (s student) conclude(ctx context.Context, t *agents.Turn, conversation []model.Message, finish string) (message.Body, error) {
	labels := s.view.Task().Labels()
	last := conversation[len(conversation)-1]
	if finish == "length" {
		return nil, fmt.Errorf("%s: reply %s was cut off at the limit of tokens", t.Self, last.Ref)
	}
	answer, _, err := phase.ParseRecommend(last.Content, labels)
	if err != nil {
		return nil, fmt.Errorf("%s: reply %s: %w", t.Self, last.Ref, err)
	}
	// What is wrong with the rest shows where it is scored: what was read until there is noted.
	read, _ := trajectories.Parse(conversation, labels, s.cfg.Form)
	var notes []message.Body
	if len(read.Plan.Subtasks) > 0 {
		notes = append(notes, read.Plan)
	}
	for _, a := range read.Analyses {
		notes = append(notes, a)
	}
	for _, r := range read.Reflections {
		notes = append(notes, r)
	}
	for _, b := range notes {
		if _, err := t.Note(ctx, b, last.Ref); err != nil {
			return nil, err
		}
	}
	return answer, nil
}
