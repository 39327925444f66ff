package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/mars-rec/mars/agents"
	"github.com/mars-rec/mars/bench/frameworks/workload"
	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/message/phase"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tools"
)

// asOf is the moment of all tasks.
var asOf = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

var items = func() []string {
	ids := make([]string, workload.Candidates)
	for i := range ids {
		ids[i] = fmt.Sprintf("item-%05d", i)
	}
	return ids
}()

// task is the nth task as the orchestrator takes it.
func task(n int) tasks.Task {
	id := strconv.Itoa(n)
	return tasks.Task{ID: id, Dataset: "bench", User: fmt.Sprintf("u%07d", n), Scenario: "classic", AsOf: asOf, Candidates: items}
}

func namedTools(world *workload.World) []tools.Named {
	var named []tools.Named
	for _, s := range workload.Tools {
		named = append(named, tools.Define(s.Name, s.Description, func(_ context.Context, _ tasks.View, a workload.Arguments) (json.RawMessage, error) {
			return world.Answer(s.Name, a), nil
		}))
	}
	return named
}

func toolNames() []string {
	var names []string
	for _, s := range workload.Tools {
		names = append(names, s.Name)
	}
	return names
}

// cast makes the agents of the team, by the kind of their seat.
func cast(world *workload.World) func(agents.Seat, tasks.View) (agents.Agent, error) {
	return func(seat agents.Seat, view tasks.View) (agents.Agent, error) {
		n, err := strconv.Atoi(view.Task().ID)
		if err != nil {
			return nil, err
		}
		t := world.Task(n)
		switch seat.Kind {
		case "planner":
			return agents.Func(planner{t}.handle), nil
		case "analyst":
			return agents.Func(analyst{t, seat.Role()}.handle), nil
		case "reflector":
			return agents.Func(reflector{t}.handle), nil
		}
		return agents.Func(ranker{t}.handle), nil
	}
}

type planner struct{ task workload.Task }

func (p planner) handle(ctx context.Context, t *agents.Turn) (message.Body, error) {
	text, err := ask(ctx, t, "planner", p.task.Planner())
	if err != nil {
		return nil, err
	}
	plan, err := workload.ReadPlan(text)
	if err != nil {
		return nil, err
	}
	out := phase.Plan{Summary: plan.Summary}
	for _, s := range plan.Subtasks {
		out.Subtasks = append(out.Subtasks, phase.Subtask{Role: s.Role, Goal: s.Goal})
	}
	return out, nil
}

type analyst struct {
	task workload.Task
	role string
}

func (a analyst) handle(ctx context.Context, t *agents.Turn) (message.Body, error) {
	brief, err := message.Decode[phase.Brief](t.In)
	if err != nil {
		return nil, err
	}
	talk, err := start(ctx, t, "analyst", a.task.Analyst(a.role, brief.Goal))
	if err != nil {
		return nil, err
	}
	specs, err := t.Tools().Specs()
	if err != nil {
		return nil, err
	}
	for {
		out, err := t.Generate(ctx, model.Request{Messages: talk, Tools: specs})
		if err != nil {
			return nil, err
		}
		if len(out.Message.ToolCalls) == 0 {
			return phase.Analysis{Role: a.role, Summary: out.Message.Content}, nil
		}
		talk = append(talk, out.Message)
		for _, call := range out.Message.ToolCalls {
			answer, _, err := t.Call(ctx, call, out.Message.Ref)
			if err != nil {
				return nil, err
			}
			talk = append(talk, answer)
		}
	}
}

type reflector struct{ task workload.Task }

func (r reflector) handle(ctx context.Context, t *agents.Turn) (message.Body, error) {
	brief, err := message.Decode[phase.Brief](t.In)
	if err != nil {
		return nil, err
	}
	text, err := ask(ctx, t, "reflector", r.task.Reflector(brief.Plan.Summary, said(brief)))
	return phase.Reflection{Verdict: phase.Accept, Issues: []string{text}}, err
}

type ranker struct{ task workload.Task }

func (r ranker) handle(ctx context.Context, t *agents.Turn) (message.Body, error) {
	brief, err := message.Decode[phase.Brief](t.In)
	if err != nil {
		return nil, err
	}
	text, err := ask(ctx, t, "ranker", r.task.Ranker(said(brief), brief.Reflection.Issues[0]))
	if err != nil {
		return nil, err
	}
	ranking, err := workload.ReadRanking(text)
	return phase.Recommend{Ranking: ranking.Ranking, Justification: ranking.Justification}, err
}

// said is what the analysts found, in the workload's order.
func said(b phase.Brief) []string {
	out := make([]string, len(workload.Analysts))
	for i, role := range workload.Analysts {
		for _, a := range b.Analyses {
			if a.Role == role {
				out[i] = a.Summary
			}
		}
	}
	return out
}

// start begins a conversation.
func start(ctx context.Context, t *agents.Turn, role, question string) ([]model.Message, error) {
	system, err := t.Prompt(ctx, model.System, workload.System(role))
	if err != nil {
		return nil, err
	}
	user, err := t.Prompt(ctx, model.User, question)
	return []model.Message{system, user}, err
}

// ask is a conversation of one question.
func ask(ctx context.Context, t *agents.Turn, role, question string) (string, error) {
	talk, err := start(ctx, t, role, question)
	if err != nil {
		return "", err
	}
	out, err := t.Generate(ctx, model.Request{Messages: talk})
	return out.Message.Content, err
}
