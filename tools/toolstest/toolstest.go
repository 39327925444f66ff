// Package toolstest holds tools to their contract: whoever writes a tool calls
// it in a test.
//
//	Check   one view, some calls  ──> what breaks the contract of a tool
//	Leaks   two futures, one past ──> the call that tells them apart
//	Forges  hostile texts         ──> the answer that lets structure through
//
// The checks return errors rather than take a testing.T, so that they can be
// tried on tools that ought to fail.
package toolstest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"regexp"
	"strings"
	"sync"
	"unicode"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tools"
)

// name is what providers take for the name of a function.
var name = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)

// Check reports all that is wrong with the tool that a factory makes for the
// view, given calls to try: the JSON of the arguments of each.
//
//   - The spec has a name that providers take, a description, and a schema of
//     an object that is valid JSON Schema; it is the same on every tool made.
//   - A call gives JSON without control characters or an InputError with a
//     reason, never another error; at least one of the calls gives JSON.
//   - The same call gives the same bytes: again, concurrently, after other
//     calls, and by another tool made for the same view.
//   - An argument that the schema does not know, arguments that are no object
//     and arguments that are not JSON are each an InputError.
func Check(ctx context.Context, factory tools.Factory, view tasks.View, calls ...string) error {
	one, err := factory(view)
	if err != nil {
		return fmt.Errorf("factory: %w", err)
	}
	two, err := factory(view)
	if err != nil {
		return fmt.Errorf("factory, second time: %w", err)
	}
	errs := []error{checkSpec(one.Spec()), sameSpec(one.Spec(), two.Spec())}
	for _, wrong := range []string{`{"no such argument":1}`, `[]`, `"text"`, `{"`, `{} {}`} {
		_, err := one.Call(ctx, json.RawMessage(wrong))
		if bad := (*tools.InputError)(nil); !errors.As(err, &bad) {
			errs = append(errs, fmt.Errorf("call %s: got error %v, want an InputError", wrong, err))
		}
	}
	answered := len(calls) == 0
	first := make([]string, len(calls))
	for i, call := range calls {
		value, err := answer(ctx, one, call)
		errs = append(errs, err)
		first[i] = value
		answered = answered || json.Valid([]byte(value))
	}
	if !answered {
		errs = append(errs, fmt.Errorf("no call gives a value: the first gives %s", first[0]))
	}
	return errors.Join(append(errs, again(ctx, one, two, calls, first))...)
}

// again makes all calls once more, all at once, of both tools.
func again(ctx context.Context, one, two tools.Tool, calls, want []string) error {
	errs := make([]error, 2*len(calls))
	var wg sync.WaitGroup
	for i, call := range calls {
		for j, tool := range []tools.Tool{one, two} {
			wg.Go(func() {
				if got, _ := answer(ctx, tool, call); got != want[i] {
					errs[2*i+j] = fmt.Errorf("call %s: gives %s, then %s", call, want[i], got)
				}
			})
		}
	}
	wg.Wait()
	return errors.Join(errs...)
}

// answer is what a call comes to as text: the value, or the reason of an input
// error. The error says what breaks the contract.
func answer(ctx context.Context, tool tools.Tool, call string) (string, error) {
	value, err := tool.Call(ctx, json.RawMessage(call))
	if bad := (*tools.InputError)(nil); errors.As(err, &bad) {
		if bad.Reason == "" {
			return "error: ", fmt.Errorf("call %s: an InputError without a reason", call)
		}
		return "error: " + bad.Reason, control(call, bad.Reason)
	}
	if err != nil {
		return "failure: " + err.Error(), fmt.Errorf("call %s: %w", call, err)
	}
	if !json.Valid(value) {
		return string(value), fmt.Errorf("call %s: %s is not JSON", call, value)
	}
	return string(value), control(call, string(value))
}

func control(call, text string) error {
	for _, r := range text {
		if unicode.IsControl(r) {
			return fmt.Errorf("call %s: the answer has the control character %U: %q", call, r, text)
		}
	}
	return nil
}

func checkSpec(spec model.ToolSpec) error {
	var errs []error
	if !name.MatchString(spec.Name) {
		errs = append(errs, fmt.Errorf("name %q: want %s", spec.Name, name))
	}
	if spec.Description == "" {
		errs = append(errs, errors.New("the spec has no description"))
	}
	var schema jsonschema.Schema
	if err := json.Unmarshal(spec.Parameters, &schema); err != nil {
		errs = append(errs, fmt.Errorf("parameters %s: %w", spec.Parameters, err))
	} else if _, err := schema.Resolve(&jsonschema.ResolveOptions{ValidateDefaults: true}); err != nil {
		errs = append(errs, fmt.Errorf("parameters %s: %w", spec.Parameters, err))
	} else if schema.Type != "object" {
		errs = append(errs, fmt.Errorf("parameters %s: want the schema of an object", spec.Parameters))
	}
	return errors.Join(errs...)
}

func sameSpec(one, two model.ToolSpec) error {
	if one.Name != two.Name || one.Description != two.Description || !bytes.Equal(one.Parameters, two.Parameters) {
		return fmt.Errorf("two tools of one factory have the specs %v and %v", one, two)
	}
	return nil
}

// Leaks makes the same calls of the tools that a factory makes for two views,
// whose data differ only at or after the views' moment, and returns an error
// that shows the first call answered differently: the tool sees the future.
// Package tasks/taskstest makes such data: a Source and its OtherFuture.
func Leaks(ctx context.Context, factory tools.Factory, one, other tasks.View, calls ...string) error {
	a, err := factory(one)
	if err != nil {
		return fmt.Errorf("factory: %w", err)
	}
	b, err := factory(other)
	if err != nil {
		return fmt.Errorf("factory, other future: %w", err)
	}
	for _, call := range calls {
		x, _ := answer(ctx, a, call)
		y, _ := answer(ctx, b, call)
		if x != y {
			return fmt.Errorf("call %s of %s sees the future: with one it gives %s, with another %s", call, a.Spec().Name, x, y)
		}
	}
	return nil
}

// Forges makes calls of a tool over data whose texts try to forge structure
// (package tasks/taskstest has such a world, Hostile) and returns an error that
// shows the first string of an answer that holds any: angle brackets, braces,
// brackets, bars, backquotes, controls, entities, or the label of a candidate that there
// is not.
func Forges(ctx context.Context, factory tools.Factory, view tasks.View, calls ...string) error {
	tool, err := factory(view)
	if err != nil {
		return fmt.Errorf("factory: %w", err)
	}
	labels := map[string]bool{}
	for _, l := range view.Task().Labels() {
		labels[l] = true
	}
	for _, call := range calls {
		text, err := answer(ctx, tool, call)
		if err != nil {
			return err
		}
		var value any = text // an input error
		if !strings.HasPrefix(text, "error: ") {
			if err := json.Unmarshal([]byte(text), &value); err != nil {
				return fmt.Errorf("call %s: %w", call, err)
			}
		}
		if s, ok := forged(value, labels); ok {
			return fmt.Errorf("call %s of %s: %q holds structure", call, tool.Spec().Name, s)
		}
	}
	return nil
}

// hidden reports whether r is a control, a format or a line separator.
func hidden(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) }

// label is a word with the form of a candidate's label.
var label = regexp.MustCompile(`\bc[0-9]+\b`)

// forged finds a string with structure in it.
func forged(value any, labels map[string]bool) (string, bool) {
	switch v := value.(type) {
	case string:
		if strings.ContainsAny(v, "<>[]{}|`") || strings.ContainsFunc(v, hidden) || html.UnescapeString(v) != v {
			return v, true
		}
		for _, l := range label.FindAllString(v, -1) {
			if !labels[l] {
				return v, true
			}
		}
	case []any:
		for _, e := range v {
			if s, ok := forged(e, labels); ok {
				return s, true
			}
		}
	case map[string]any:
		for k, e := range v {
			if s, ok := forged(k, labels); ok {
				return s, true
			}
			if s, ok := forged(e, labels); ok {
				return s, true
			}
		}
	}
	return "", false
}
