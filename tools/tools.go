// Package tools is what agents can do besides talking: a [Tool] takes JSON and
// returns JSON, and says what it takes in a [model.ToolSpec].
//
// A tool never sees the future: it is made, by a [Factory], for one
// [tasks.View], which is the data cut at the moment of the task. It is
// read-only, calls no model, and has no state that one call could leave to the
// next, so that a call can be replayed from the record or executed anew with
// the same answer.
//
//	view ──Factory──> Tool ──Set──> agents.Turn.Call ──> Result in the log
//
// The model's mistakes (unknown tool, bad arguments, an item that does not
// exist) are an [InputError]: they go back to the model as the tool's answer.
// Any other error fails the run.
package tools

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/message/rawjson"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/tasks"
)

// Tool is something that an agent may call. Call takes a JSON object that
// follows the spec's schema and returns JSON; it is safe for concurrent use.
type Tool interface {
	Spec() model.ToolSpec
	Call(ctx context.Context, args json.RawMessage) (json.RawMessage, error)
}

// Canonical is a tool that can write the arguments of a call in their one form:
// in the order of the schema, what was left out filled in with its default.
// Calls with the same canonical arguments have the same answer. Tools of [New]
// and [Define] can.
type Canonical interface {
	// Canonical returns an [InputError] where Call would, for the same reason.
	Canonical(args json.RawMessage) (json.RawMessage, error)
}

// Factory makes a tool for one view of the data.
type Factory func(tasks.View) (Tool, error)

// InputError is the caller's mistake. Its reason is the tool's answer to the
// model, so it says what would be right.
type InputError struct{ Reason string }

func (e *InputError) Error() string { return e.Reason }

// Inputf returns an [InputError] with a formatted reason.
func Inputf(format string, args ...any) error {
	return &InputError{Reason: fmt.Sprintf(format, args...)}
}

// Result is what a call came to, as it stands in the log: a value or an error.
type Result struct {
	Call  string          `json:"call"` // the id of the call that is answered
	Tool  string          `json:"tool"`
	Value json.RawMessage `json:"value,omitempty"`
	Error string          `json:"error,omitempty"`
}

// Kind implements [message.Body].
func (Result) Kind() message.Kind { return "result" }

// Content is what the model reads: the value's JSON, or the error. It has the
// bytes of Value, which do not change once a call is answered.
func (r Result) Content() string {
	if r.Error != "" {
		return "error: " + r.Error
	}
	return rawjson.Text(r.Value)
}

// Set is the tools at hand, in the order in which a model is told of them.
type Set []Tool

// Specs returns the specs of the named tools, in the order of the set; of all
// tools if no name is given. An unknown name is an error.
func (s Set) Specs(names ...string) ([]model.ToolSpec, error) {
	var specs []model.ToolSpec
	for _, t := range s {
		if spec := t.Spec(); len(names) == 0 || slices.Contains(names, spec.Name) {
			specs = append(specs, spec)
		}
	}
	for _, name := range names {
		if _, ok := s.Find(name); !ok {
			return nil, fmt.Errorf("no tool %q: there are %s", name, strings.Join(s.Names(), ", "))
		}
	}
	return specs, nil
}

// Find returns the tool of that name.
func (s Set) Find(name string) (Tool, bool) {
	for _, t := range s {
		if t.Spec().Name == name {
			return t, true
		}
	}
	return nil, false
}

// Names returns the names of the tools, in order.
func (s Set) Names() []string {
	names := make([]string, len(s))
	for i, t := range s {
		names[i] = t.Spec().Name
	}
	return names
}

// New makes a tool of a function. The schema of the arguments is that of A, a
// struct whose fields carry json and jsonschema tags; a field without omitzero
// or omitempty is required. The tags minimum, maximum, enum (choices apart by
// commas) and default say what else holds, and are checked and filled in before
// f sees them:
//
//	K int `json:"k,omitzero" jsonschema:"how many" minimum:"1" maximum:"100" default:"20"`
//
// What has one reading is read (an integer as a string, an id as a number);
// arguments that are unknown, given twice, missing, of the wrong type or out
// of bounds are an [InputError]. New panics if A has no schema: that is a bug
// of the program, not of its input.
func New[A, R any](name, description string, f func(context.Context, A) (R, error)) Tool {
	spec, arguments := describe[A](name, description)
	return &function[A, R]{spec, arguments, f}
}

func describe[A any](name, description string) (model.ToolSpec, *arguments) {
	a, err := newArguments(name, reflect.TypeFor[A]())
	if err != nil {
		panic(fmt.Sprintf("tools: arguments of %s: %v", name, err))
	}
	parameters, err := message.Marshal(a.schema)
	if err != nil {
		panic(fmt.Sprintf("tools: schema of %s: %v", name, err))
	}
	return model.ToolSpec{Name: name, Description: description, Parameters: parameters}, a
}

type function[A, R any] struct {
	spec      model.ToolSpec
	arguments *arguments
	f         func(context.Context, A) (R, error)
}

func (t *function[A, R]) Spec() model.ToolSpec { return t.spec }

func (t *function[A, R]) Canonical(args json.RawMessage) (json.RawMessage, error) {
	var a A
	if err := t.arguments.read(args, &a); err != nil {
		return nil, err
	}
	return message.Marshal(a)
}

func (t *function[A, R]) Call(ctx context.Context, args json.RawMessage) (json.RawMessage, error) {
	var a A
	if err := t.arguments.read(args, &a); err != nil {
		return nil, err
	}
	r, err := t.f(ctx, a)
	if err != nil {
		return nil, err
	}
	return message.Marshal(r)
}
