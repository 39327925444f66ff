package main

import (
	"context"
	"slices"
	"strings"

	"github.com/mars-rec/mars/agents"
	"github.com/mars-rec/mars/message/phase"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/model/builtin"
	"github.com/mars-rec/mars/orchestrator"
	"github.com/mars-rec/mars/star"
	"github.com/mars-rec/mars/tasks"
)

// asStudent marks the model of a planner that is asked as a student is:
// student:openai:star, say, for the model openai:star.
const asStudent = "student:"

// bare is the model that a spec names, however it is asked.
func bare(spec string) string { return strings.TrimPrefix(spec, asStudent) }

// isHybrid reports whether a student plans for the team of others.
func isHybrid(team orchestrator.Team) bool {
	return slices.ContainsFunc(team.Seats, plansAsStudent)
}

func plansAsStudent(s agents.Seat) bool { return strings.HasPrefix(s.Model, asStudent) }

// hybridTeam is a team whose student is told of the tools that all of it may
// call, as it is when it works alone.
func hybridTeam(team orchestrator.Team) orchestrator.Team {
	var names []string
	for _, spec := range toolSpecs(team) {
		names = append(names, spec.Name)
	}
	team.Seats = slices.Clone(team.Seats)
	for i := range team.Seats {
		if plansAsStudent(team.Seats[i]) {
			team.Seats[i].Tools = names
		}
	}
	return team
}

// checkHybrid refuses a student in a place where it cannot speak its own form.
func (s setup) checkHybrid() error {
	if strings.HasPrefix(s.Model, asStudent) {
		return hinted(usagef("--model %s: a student is one role of a team, its planner", s.Model), "--model-for planner=%s, or --student --model %s for a student that works alone", s.Model, bare(s.Model))
	}
	for _, seat := range s.Team.Seats {
		if plansAsStudent(seat) && seat.Kind != "planner" {
			return hinted(usagef("%s has the model %s: a student can plan for a team, and do nothing else in it", seat.Name, seat.Model), "give %s, or give the student to the planner", bare(seat.Model))
		}
	}
	return nil
}

// castHybrid lets the student of the setup's team plan, and the others work as
// cast says. Who it is goes by the name of the seat: those of a fork are of
// another team.
func (s setup) castHybrid(cast func(agents.Seat, tasks.View) (agents.Agent, error)) func(agents.Seat, tasks.View) (agents.Agent, error) {
	student := star.Config{Detail: s.Detail}
	return func(seat agents.Seat, view tasks.View) (agents.Agent, error) {
		if own, ok := s.Team.Seat(seat.Name); ok && plansAsStudent(own) {
			return student.Planner(view), nil
		}
		return cast(seat, view)
	}
}

// estimatedPlan answers a student's question as builtin plans for the team: for
// an estimate, where nobody else can be asked.
func estimatedPlan(team orchestrator.Team) model.Model {
	format := model.Format{Name: "plan", Schema: phase.PlanSchema(roleNames(team))}
	planner := builtin.New(builtin.Config{})
	return model.Func(func(ctx context.Context, req model.Request) (model.Reply, error) {
		req.Format, req.Tools = &format, nil
		reply, err := planner.Generate(ctx, req)
		reply.Message.Content = "<plan>" + reply.Message.Content + "</plan>"
		return reply, err
	})
}
