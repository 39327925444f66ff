package trajectories

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/message/phase"
	"github.com/mars-rec/mars/model"
)

// Reading is a linear conversation, read back: its phases in order.
type Reading struct {
	Plan        phase.Plan
	Analyses    []phase.Analysis
	Reflections []phase.Reflection
	Recommend   phase.Recommend
	Calls       int // tool calls
	Deviations  []Deviation
}

// Deviation is what was repaired in one message of a conversation.
type Deviation struct {
	Message int // its place, from 0
	phase.Deviation
}

// Parse reads a conversation as [Serialize] writes it, or as a student did. It
// holds it to the form: a plan, at least one reflection and a ranking of all
// labels, in this order, each phase well formed, the ranking last and once; at
// least one tool call before the first reflection, and none after the ranking
// (an environment hears of calls before it hears of the plan); every call has
// arguments that are a JSON object, and its answer right after it, in the order
// of the calls. What the form is without may be absent, and so may analyses.
// Subtasks go to the form's roles. What is wrong is the error; what has one
// reading only is repaired, and told.
func Parse(messages []model.Message, labels []string, form Form) (Reading, error) {
	p := parser{labels: labels, form: form}
	for i, m := range messages {
		p.at = i
		if len(p.waiting) > 0 && m.Role != model.ToolRole {
			return p.read, fmt.Errorf("message %d: the call of %s has no answer", i, p.waiting[0].Name)
		}
		var err error
		switch m.Role {
		case model.Assistant:
			err = p.assistant(m)
		case model.ToolRole:
			err = p.answer(m)
		}
		if err != nil {
			return p.read, fmt.Errorf("message %d: %w", i, err)
		}
	}
	return p.read, p.end()
}

// parser holds a conversation against the form.
type parser struct {
	at              int // the message that is read
	labels          []string
	form            Form
	read            Reading
	begun           bool // something was said
	planned, ranked bool
	waiting         []model.ToolCall // calls without an answer yet
}

func (p *parser) assistant(m model.Message) error {
	if p.ranked {
		return errors.New("the conversation goes on after the ranking")
	}
	if len(m.Content) > phase.MaxReply {
		return fmt.Errorf("the message has %d bytes: at most %d are read", len(m.Content), phase.MaxReply)
	}
	blocks, err := phase.Blocks(m.Content)
	if err != nil {
		return err
	}
	for _, b := range blocks {
		if err := p.block(b); err != nil {
			return err
		}
	}
	for _, c := range m.ToolCalls {
		var arguments map[string]json.RawMessage
		if err := json.Unmarshal([]byte(c.Arguments), &arguments); err != nil || arguments == nil {
			return fmt.Errorf("the arguments of %s are no JSON object", c.Name)
		}
	}
	if p.ranked && len(m.ToolCalls) > 0 {
		return errors.New("a tool is called after the ranking")
	}
	p.waiting = append(p.waiting, m.ToolCalls...)
	p.read.Calls += len(m.ToolCalls)
	return nil
}

func (p *parser) block(b phase.Block) (err error) {
	switch {
	case p.ranked:
		return fmt.Errorf("<%s> comes after the ranking", b.Tag)
	case p.form.Wants(PlanPhase) && !p.planned && b.Tag != "plan":
		return fmt.Errorf("<%s> comes before the plan", b.Tag)
	case p.planned && b.Tag == "plan":
		return errors.New("there are two plans")
	case p.begun && b.Tag == "plan":
		return errors.New("the plan does not come first")
	}
	p.begun = true
	var repaired []phase.Deviation
	defer func() {
		for _, d := range repaired {
			p.read.Deviations = append(p.read.Deviations, Deviation{p.at, d})
		}
	}()
	switch b.Tag {
	case "plan":
		p.planned = true
		p.read.Plan, repaired, err = phase.ParsePlan(b.Text, p.form.Roles)
	case "analysis":
		var a phase.Analysis
		a, repaired, err = phase.ParseAnalysis(b.Text, b.Role, p.labels)
		p.read.Analyses = append(p.read.Analyses, a)
	case "reflection":
		if p.read.Calls == 0 && p.form.Wants(ToolPhase) {
			return errors.New("no tool is called before the <reflection>")
		}
		var r phase.Reflection
		r, repaired, err = phase.ParseReflection(b.Text, p.form.Roles)
		p.read.Reflections = append(p.read.Reflections, r)
	case "recommend":
		if len(p.read.Reflections) == 0 && p.form.Wants(ReflectionPhase) {
			return errors.New("<recommend> comes before a reflection")
		}
		p.ranked = true
		p.read.Recommend, repaired, err = phase.ParseRecommend(b.Text, p.labels)
	}
	return err
}

func (p *parser) answer(m model.Message) error {
	if len(p.waiting) == 0 {
		return errors.New("an answer without a call")
	}
	if c := p.waiting[0]; m.ToolCallID != c.ID || m.Name != c.Name {
		return fmt.Errorf("the answer is to %s %s, the call is %s %s", m.Name, m.ToolCallID, c.Name, c.ID)
	}
	p.waiting = p.waiting[1:]
	return nil
}

func (p *parser) end() error {
	switch {
	case len(p.waiting) > 0:
		return fmt.Errorf("the call of %s has no answer", p.waiting[0].Name)
	case !p.planned && p.form.Wants(PlanPhase):
		return errors.New("there is no <plan>")
	case p.read.Calls == 0 && p.form.Wants(ToolPhase):
		return errors.New("no tool is called")
	case len(p.read.Reflections) == 0 && p.form.Wants(ReflectionPhase):
		return errors.New("there is no <reflection>")
	case !p.ranked:
		return errors.New("there is no <recommend>")
	}
	return nil
}

// Roles returns the roles that the trajectory speaks of, in the order of the
// log: those who analysed, and those whom a plan or a reflection gave work.
func (t *Trajectory) Roles() ([]string, error) {
	var roles []string
	add := func(role string) {
		if role != "" && !slices.Contains(roles, role) {
			roles = append(roles, role)
		}
	}
	for _, e := range t.Log {
		var subtasks []phase.Subtask
		switch e.Kind {
		case phase.Plan{}.Kind():
			p, err := message.Decode[phase.Plan](e)
			if err != nil {
				return nil, err
			}
			subtasks = p.Subtasks
		case phase.Analysis{}.Kind():
			a, err := message.Decode[phase.Analysis](e)
			if err != nil {
				return nil, err
			}
			add(a.Role)
		case phase.Reflection{}.Kind():
			r, err := message.Decode[phase.Reflection](e)
			if err != nil {
				return nil, err
			}
			subtasks = r.Subtasks
		}
		for _, s := range subtasks {
			add(s.Role)
		}
	}
	return roles, nil
}
