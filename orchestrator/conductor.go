package orchestrator

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/mars-rec/mars/agents"
	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/message/phase"
)

// conductor leads a team through its workflow: it is the agent that answers
// the task. It works layer by layer, asks all seats of a layer at once, and
// hands each seat what those it hears have answered. It is immutable, and the
// same for all runs.
type conductor struct {
	team      Team
	layers    [][]agents.Seat
	upstream  map[message.Address][]message.Address // all whom a seat hears, directly or through others, sorted
	revisable map[message.Address][]agents.Seat     // the analysts that a seat hears, sorted by name
	plannable []string                              // the roles that a plan can give work to
}

// newConductor reads the workflow of a checked team.
func newConductor(team Team) *conductor {
	c := &conductor{team: team, layers: team.Layers(), upstream: map[message.Address][]message.Address{}, revisable: map[message.Address][]agents.Seat{}}
	for _, s := range team.Seats {
		c.upstream[s.Name] = team.upstream(s)
		if s.Kind == "analyst" {
			c.plannable = append(c.plannable, s.Role())
		}
		heard, _ := team.heard(s) // checked with the team
		for _, name := range heard {
			if h, _ := team.Seat(name); h.Kind == "analyst" {
				c.revisable[s.Name] = append(c.revisable[s.Name], h)
			}
		}
	}
	return c
}

// said is a seat's latest answer.
type said struct {
	id      message.ID
	body    message.Body
	written json.RawMessage // the JSON of an analysis, if that is known
}

// Handle implements [agents.Agent].
func (c *conductor) Handle(ctx context.Context, t *agents.Turn) (message.Body, error) {
	floor := map[message.Address]said{}
	var last message.Body
	for _, layer := range c.layers {
		asks := make([]ask, len(layer))
		for i, s := range layer {
			asks[i].seat = s
		}
		if err := c.ask(ctx, t, floor, asks); err != nil {
			return nil, err
		}
		for _, s := range layer {
			if err := c.reflect(ctx, t, floor, s); err != nil {
				return nil, err
			}
			last = floor[s.Name].body
		}
	}
	rec, ok := last.(phase.Recommend)
	if !ok {
		return nil, fmt.Errorf("%s: the last answer is a %s, want a recommend", TeamAddress, last.Kind())
	}
	return rec, nil
}

// reflect is the one way back: while a reflector sends subtasks back and rounds
// are left, those it names work again, and it looks again.
func (c *conductor) reflect(ctx context.Context, t *agents.Turn, floor map[message.Address]said, s agents.Seat) error {
	for round := 1; round <= c.team.Rounds; round++ {
		verdict, ok := floor[s.Name].body.(phase.Reflection)
		if !ok || verdict.Verdict != phase.Revise {
			return nil
		}
		var again []ask
		for _, seat := range c.revisable[s.Name] {
			for _, sub := range verdict.Subtasks {
				if sub.Role == seat.Role() {
					again = append(again, ask{seat: seat, goal: sub.Goal, round: round, reflection: &verdict, because: floor[s.Name].id})
					break
				}
			}
		}
		if len(again) == 0 {
			return nil
		}
		if err := c.ask(ctx, t, floor, again); err != nil {
			return err
		}
		if err := c.ask(ctx, t, floor, []ask{{seat: s, round: round}}); err != nil {
			return err
		}
	}
	return nil
}

// ask is one question that the conductor is about to put.
type ask struct {
	seat       agents.Seat
	goal       string // "" is what the plan says
	round      int
	reflection *phase.Reflection // why it is asked again
	because    message.ID        // the reflection's message
}

// ask puts the questions, all at once, and notes the answers.
func (c *conductor) ask(ctx context.Context, t *agents.Turn, floor map[message.Address]said, asks []ask) error {
	sends := make([]agents.Send, len(asks))
	for i, a := range asks {
		sends[i] = c.brief(t, floor, a)
	}
	answers, err := t.Ask(ctx, sends...)
	if err != nil {
		return err
	}
	for i, e := range answers {
		body, err := decode(e)
		if err != nil {
			return fmt.Errorf("%s: answer of %s: %w", TeamAddress, asks[i].seat.Name, err)
		}
		floor[asks[i].seat.Name] = said{e.ID, body, message.Written[phase.Analysis](e)}
	}
	return nil
}

// brief is the question to one seat: its goal and all that was said by those
// it hears, and by those whom they heard.
func (c *conductor) brief(t *agents.Turn, floor map[message.Address]said, a ask) agents.Send {
	b := phase.Brief{Goal: a.goal, Round: a.round, Reflection: a.reflection}
	refs := []message.ID{t.In.ID}
	for _, name := range c.upstream[a.seat.Name] {
		s, ok := floor[name]
		if !ok {
			continue
		}
		refs = append(refs, s.id)
		switch body := s.body.(type) {
		case phase.Plan:
			b.Plan = &body
		case phase.Analysis:
			b.Heard(body, s.written)
		case phase.Reflection:
			b.Reflection = &body
		}
	}
	if own, ok := floor[a.seat.Name].body.(phase.Analysis); ok { // sent back: what it found the first time
		b.Heard(own, floor[a.seat.Name].written)
		refs = append(refs, floor[a.seat.Name].id)
	}
	if a.because != "" {
		refs = append(refs, a.because)
	}
	if b.Goal == "" && b.Plan != nil {
		for _, sub := range b.Plan.Subtasks {
			if sub.Role == a.seat.Role() {
				b.Goal = sub.Goal
				break
			}
		}
	}
	switch a.seat.Kind {
	case "planner":
		b.Roles = c.plannable
	case "reflector":
		if a.round < c.team.Rounds {
			for _, s := range c.revisable[a.seat.Name] {
				b.Roles = append(b.Roles, s.Role())
			}
		}
	}
	slices.SortFunc(refs, message.ID.Compare)
	return agents.Send{To: a.seat.Name, Body: b, Refs: slices.Compact(refs)}
}

// upstream returns all whom the seat hears, directly or through others, sorted.
func (t Team) upstream(s agents.Seat) []message.Address {
	seen := map[message.Address]bool{}
	var walk func(agents.Seat)
	walk = func(s agents.Seat) {
		heard, _ := t.heard(s) // checked with the team
		for _, name := range heard {
			if !seen[name] {
				seen[name] = true
				next, _ := t.Seat(name)
				walk(next)
			}
		}
	}
	walk(s)
	return slices.Sorted(maps.Keys(seen))
}

// decode reads an answer by its kind.
func decode(e message.Envelope) (message.Body, error) {
	switch e.Kind {
	case phase.Plan{}.Kind():
		return message.Decode[phase.Plan](e)
	case phase.Analysis{}.Kind():
		return message.Decode[phase.Analysis](e)
	case phase.Reflection{}.Kind():
		return message.Decode[phase.Reflection](e)
	default:
		return message.Decode[phase.Recommend](e)
	}
}
