package agents

import (
	"strings"

	"github.com/mars-rec/mars/message"
)

// Seat is one place in a team, as data: who sits there, whom it hears, and
// what it may use.
type Seat struct {
	Name   message.Address   `yaml:"name" json:"name"`                       // the agent's address, such as analyst/recent
	Kind   string            `yaml:"kind" json:"kind"`                       // planner, analyst, reflector, ranker, or a kind of one's own
	After  []message.Address `yaml:"after" json:"after,omitempty"`           // those whose answers it is given: names, or patterns such as analyst/*
	Tools  []string          `yaml:"tools" json:"tools,omitempty"`           // the tools it may call
	Model  string            `yaml:"model" json:"model,omitempty"`           // the model it speaks with; "" is the team's
	Prompt string            `yaml:"prompt" json:"prompt,omitempty"`         // the file of its system prompt; "" is Name + ".md"
	Steps  int               `yaml:"steps" json:"steps,omitempty"`           // model calls of one turn, repairs apart; 0 is 4
	Calls  int               `yaml:"tool_calls" json:"tool_calls,omitempty"` // tool calls of one turn; 0 is 12
}

// Role is the last part of the seat's name: the word by which plans and
// reflections speak of it.
func (s Seat) Role() string {
	name := string(s.Name)
	return name[strings.LastIndexByte(name, '/')+1:]
}
