// Package phase is the language of a trajectory: the four things an agent can
// conclude ([Plan], [Analysis], [Reflection], [Recommend]) and the [Evidence]
// they stand on; how each is written for a model to read and how it is read
// from what a model wrote; and the one rule, [Clean], that keeps data from
// forging any of it.
//
//	planner    -> Plan        what each analyst should find out
//	analyst/*  -> Analysis    claims, and the evidence of the tools behind them
//	reflector  -> Reflection  accept, or send subtasks back
//	ranker     -> Recommend   the candidates' labels, best first
//
// Candidates go by labels (c01, c02, ...) in the order in which they are shown.
package phase

import "github.com/mars-rec/mars/message"

// Plan is the planner's answer: what each analyst is to find out.
type Plan struct {
	Summary  string    `json:"summary"`
	Subtasks []Subtask `json:"subtasks"`
}

// Kind implements [message.Body].
func (Plan) Kind() message.Kind { return "plan" }

// Subtask is one piece of work for one role.
type Subtask struct {
	Role          string `json:"role"` // profile, historical, recent, divergence, or a role of the user's own
	Goal          string `json:"goal"`
	Collaborative bool   `json:"collaborative"` // whether it needs evidence from other users
}

// Analysis is an analyst's answer.
type Analysis struct {
	Role    string   `json:"role"`
	Summary string   `json:"summary"`
	Claims  []string `json:"claims"`
	// Evidence is attached by the program from the results of the tools that
	// the analyst called; a model cannot write it.
	Evidence []Evidence `json:"evidence,omitempty"`
}

// Kind implements [message.Body].
func (Analysis) Kind() message.Kind { return "analysis" }

// Evidence is what one signal says of the candidates.
type Evidence struct {
	Call    string     `json:"call,omitempty"` // the tool call it came from
	Tool    string     `json:"tool"`
	Signal  string     `json:"signal"`  // item_cf, user_cf, popularity, ...: the feature names of graph/rank
	Ranking []Strength `json:"ranking"` // every candidate, best first
}

// Strength is one candidate's standing in a signal.
type Strength struct {
	Label string  `json:"label"`
	Level int     `json:"level"` // 0 to 9: the tenth of the way from the lowest score to the highest
	Score float64 `json:"score"`
}

// Verdict is what the reflector decides.
type Verdict string

// The two verdicts.
const (
	Accept Verdict = "accept"
	Revise Verdict = "revise"
)

// Reflection is the reflector's answer. With Revise it names at least one
// subtask to be done again.
type Reflection struct {
	Verdict  Verdict   `json:"verdict"`
	Issues   []string  `json:"issues"`
	Subtasks []Subtask `json:"subtasks,omitempty"`
}

// Kind implements [message.Body].
func (Reflection) Kind() message.Kind { return "reflection" }

// Recommend is the ranker's answer: the labels of all candidates, best first.
type Recommend struct {
	Ranking       []string `json:"ranking"`
	Justification string   `json:"justification,omitempty"`
}

// Kind implements [message.Body].
func (Recommend) Kind() message.Kind { return "recommend" }

// Summary is a step of the sliding window over a long history: what is kept of
// the distant part.
type Summary struct {
	Summary string `json:"summary"`
}

// Kind implements [message.Body].
func (Summary) Kind() message.Kind { return "summary" }
