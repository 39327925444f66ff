package phase

import (
	"encoding/json"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/message/rawjson"
)

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

	written []json.RawMessage // of the analyses, as far as it is known
}

// Heard adds what an analyst has found. Written is its JSON, which is then not
// made again, or nil.
func (b *Brief) Heard(a Analysis, written json.RawMessage) {
	for len(b.written) < len(b.Analyses) {
		b.written = append(b.written, nil)
	}
	b.Analyses, b.written = append(b.Analyses, a), append(b.written, written)
}

// writeAnalysis writes the ith of them.
func (b *Brief) writeAnalysis(w *rawjson.Writer, i int) {
	if i < len(b.written) && b.written[i] != nil {
		w.Text(rawjson.Text(b.written[i]))
	} else {
		b.Analyses[i].WriteJSON(w)
	}
}

// Kind implements [message.Body].
func (Brief) Kind() message.Kind { return "brief" }
