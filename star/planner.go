package star

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/mars-rec/mars/agents"
	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/message/phase"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/trajectories"
)

// planStop is where the reply of a student ends who only plans: the calls that
// it would make are for others.
const planStop = "</plan>"

// Planner returns the agent that plans for a team as the student does: asked in
// the student's own words, with the team's tools told and none called.
//
//	system, user   the opening of the student's conversation
//	assistant      <plan>…</plan>                               the answer: phase.Plan
//
// It hears a [phase.Brief]; a plan that gives work to a role that is not in it
// cannot be used. Of the Config it takes Detail and OnChunk. Any model that
// writes such a plan will do, trained or not.
func (c Config) Planner(view tasks.View) agents.Agent {
	return planner{student{c, view}}
}

type planner struct{ student }

// Handle implements [agents.Agent]. A plan that cannot be used gets one repair,
// as the answers of a team's members do.
func (p planner) Handle(ctx context.Context, t *agents.Turn) (message.Body, error) {
	brief, err := message.Decode[phase.Brief](t.In)
	if err != nil {
		return nil, err
	}
	conversation, specs, err := p.begin(ctx, t)
	if err != nil {
		return nil, err
	}
	req := model.Request{Messages: conversation, Tools: specs, Stop: planStop, OnChunk: p.cfg.OnChunk}
	out, err := t.Generate(ctx, req)
	if err != nil {
		return nil, err
	}
	plan, wrong := readPlan(out, brief.Roles)
	if wrong == nil {
		return plan, nil
	}
	ask, err := t.Prompt(ctx, model.User, "Your plan cannot be used: "+phase.CleanReply(wrong.Error())+".\nWrite the plan again, between <plan> and </plan>.", out.Message.Ref)
	if err != nil {
		return nil, err
	}
	said := out.Message
	said.ToolCalls = nil // nobody has answered them
	if said.Content != "" {
		req.Messages = append(req.Messages[:len(req.Messages):len(req.Messages)], said)
	}
	req.Messages = append(req.Messages[:len(req.Messages):len(req.Messages)], ask)
	if out, err = t.Generate(ctx, req); err != nil {
		return nil, err
	}
	if plan, wrong = readPlan(out, brief.Roles); wrong != nil {
		return nil, fmt.Errorf("%s: reply %s cannot be used after a repair: %w", t.Self, out.Message.Ref, wrong)
	}
	return plan, nil
}

// readPlan reads the plan of a reply, which servers end before its closing tag
// or, where they do not know how, long after it.
func readPlan(out model.Output, roles []string) (phase.Plan, error) {
	said, _ := trajectories.Utterance(out.Message.Ref, out)
	text, _, closed := strings.Cut(said.Content, planStop)
	switch {
	case !strings.Contains(text, "<plan>"):
		return phase.Plan{}, errors.New("there is no <plan> in it")
	case !closed && out.Finish == "length":
		return phase.Plan{}, errors.New("the plan was cut off at the limit of tokens; be brief")
	}
	plan, _, err := phase.ParsePlan(text+planStop, roles)
	return plan, err
}
