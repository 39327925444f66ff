package trajectories

import (
	"fmt"
	"slices"
)

// Phases that a team may do without. A ranking every team has, and analyses are
// never asked for.
const (
	PlanPhase       = "plan"       // nobody plans
	ToolPhase       = "tool_call"  // nobody has a tool
	ReflectionPhase = "reflection" // nobody checks what was found
)

// Form says which conversation is well formed: one that has the phases that its
// team has.
//
//	team                      Without            a conversation
//	the paper's                                  <plan> <tool_call>… <reflection>… <recommend>
//	reflector: null           [reflection]       <plan> <tool_call>… <recommend>
//	no role has tools         [tool_call]        <plan> <reflection>… <recommend>
//
// The zero value is the paper's form, of roles that nobody has: what is read by
// it can give work to no one.
type Form struct {
	// Roles are those to whom a plan and reflections may give work.
	Roles []string `json:"roles"`
	// Without are the phases that need not be there, sorted. One that is there
	// all the same is held to its own form and to its place.
	Without []string `json:"without,omitempty"`
}

// Wants reports whether a conversation of the form has the phase.
func (f Form) Wants(phase string) bool { return !slices.Contains(f.Without, phase) }

// Check reports a phase that no team can be without.
func (f Form) Check() error {
	for _, p := range f.Without {
		if !slices.Contains([]string{PlanPhase, ToolPhase, ReflectionPhase}, p) {
			return fmt.Errorf("no team is without %q: it is %s, %s or %s", p, PlanPhase, ToolPhase, ReflectionPhase)
		}
	}
	return nil
}

// Form is that of the trajectory's team: the roles that it speaks of, and
// without the phases that the manifest says its team has not.
func (t *Trajectory) Form() (Form, error) {
	roles, err := t.Roles()
	return Form{Roles: roles, Without: t.Run.Manifest.Without}, err
}
