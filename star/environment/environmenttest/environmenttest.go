// Package environmenttest is an environment to try the faces on: a small
// library, a task in it, and a policy that follows a script.
//
//	Config(8) ──environment.New──> the task, where label c08 is right
//	Calls     ──> what the policy calls      Words ──> what it says, Last at the end
//
// Everything is the same on every call: ids, clock, data. So two episodes that
// differ only in which item is right can be compared byte by byte, and what
// differs between them is what an environment tells of its gold.
package environmenttest

import (
	"encoding/json"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/mars-rec/mars/message/phase"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/star/environment"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tasks/gold"
	"github.com/mars-rec/mars/tasks/taskstest"
	"github.com/mars-rec/mars/tools/catalog"
	"github.com/mars-rec/mars/tools/cf"
	"github.com/mars-rec/mars/trajectories"
)

// Roles are those that the scripted plan speaks of.
func Roles() []string { return []string{"recent", "profile"} }

// Config returns the environment's configuration over the task of
// [taskstest.Library], where the candidate of that number, from 1, is right.
// With 0 there is no gold.
func Config(right int) environment.Config {
	source, task := taskstest.Library()
	cfg := environment.Config{
		Tasks: []tasks.Task{task}, Source: source, Form: trajectories.Form{Roles: Roles()},
		Tools:  slices.Concat(cf.Tools(cf.Config{}), catalog.Tools(catalog.Config{})),
		Clock:  func() time.Time { return time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC) },
		Random: Random(),
	}
	if right > 0 {
		cfg.Gold = map[string]gold.Gold{task.ID: {ID: task.ID, Items: []string{task.Candidates[right-1]}}}
	}
	return cfg
}

// New is [environment.New] for [Config]; a mistake in it panics.
func New(right int) *environment.Environment {
	e, err := environment.New(Config(right))
	if err != nil {
		panic(err)
	}
	return e
}

// Random returns the same bytes every time: for ids in tests, and only there.
func Random() io.Reader { return rand.NewChaCha8([32]byte{'m', 'a', 'r', 's'}) }

// Call is one call of the scripted policy.
type Call struct {
	Name      string
	Arguments json.RawMessage
}

// Calls are what the policy calls: two tools well, one wrongly, one that does
// not exist.
func Calls() []Call {
	return []Call{
		{"item_cf", json.RawMessage(`{"window":"all"}`)},
		{"user_profile", json.RawMessage(`{}`)},
		{"item_cf", json.RawMessage(`{"k":-1}`)},
		{"oracle", json.RawMessage(`{"gold":true}`)},
	}
}

// Bodies are what the policy concludes: before its calls a plan, after them
// the rest, with the candidates in the order of their labels.
func Bodies(labels []string) (plan phase.Plan, analysis phase.Analysis, reflection phase.Reflection, ranking phase.Recommend) {
	return phase.Plan{Summary: "Look at the history.", Subtasks: []phase.Subtask{{Role: "recent", Goal: "the last items", Collaborative: true}}},
		phase.Analysis{Role: "recent", Summary: "Thin.", Claims: []string{"c01 leads"}},
		phase.Reflection{Verdict: phase.Accept, Issues: []string{"thin"}},
		phase.Recommend{Ranking: labels}
}

// Words are what the policy says before its calls and after them.
func Words(labels []string) (first, last string) {
	plan, analysis, reflection, ranking := Bodies(labels)
	return phase.Write(plan), strings.Join([]string{phase.Write(analysis), phase.Write(reflection), phase.Write(ranking)}, "\n")
}

// Conversation is what the policy said and heard, told as messages, where
// answers are what its calls were answered, in their order.
func Conversation(labels, answers []string) []model.Message {
	first, last := Words(labels)
	said := model.Message{Role: model.Assistant, Content: first}
	var heard []model.Message
	for i, c := range Calls() {
		id := "call_" + string(rune('1'+i))
		said.ToolCalls = append(said.ToolCalls, model.ToolCall{ID: id, Name: c.Name, Arguments: string(c.Arguments)})
		heard = append(heard, model.Message{Role: model.ToolRole, Content: answers[i], ToolCallID: id, Name: c.Name})
	}
	return append(append([]model.Message{said}, heard...), model.Message{Role: model.Assistant, Content: last})
}
