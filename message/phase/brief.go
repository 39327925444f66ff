package phase

import "github.com/mars-rec/mars/message"

// Brief is what a team asks of one of its members: the goal, and what the
// members before it have found.
type Brief struct {
	Goal  string `json:"goal,omitempty"`
	Round int    `json:"round,omitempty"` // how often this member's work was sent back
	// Roles are those that can be given subtasks; for a planner and a
	// reflector. A reflector without any can only accept.
	Roles      []string    `json:"roles,omitempty"`
	Plan       *Plan       `json:"plan,omitempty"`
	Analyses   []Analysis  `json:"analyses,omitempty"`
	Reflection *Reflection `json:"reflection,omitempty"`
}

// Kind implements [message.Body].
func (Brief) Kind() message.Kind { return "brief" }
