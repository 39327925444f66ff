package tools

import (
	"context"
	"fmt"

	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/tasks"
)

// Named is a tool that can be made for any view: its spec, which is known
// before there is a view, and its factory. A family of tools is a list of
// them, so that whoever wires a team can say which tools there are.
type Named struct {
	model.ToolSpec
	Factory Factory
}

// Define is [New] for a tool that needs a view: f gets the view that the tool
// was made for.
func Define[A, R any](name, description string, f func(context.Context, tasks.View, A) (R, error)) Named {
	spec, arguments := describe[A](name, description)
	return Named{spec, func(view tasks.View) (Tool, error) {
		return &function[A, R]{spec, arguments, func(ctx context.Context, a A) (R, error) { return f(ctx, view, a) }}, nil
	}}
}

// Open makes the tools for one view, in order. A name given twice is an error.
func Open(view tasks.View, named ...Named) (Set, error) {
	set := make(Set, 0, len(named))
	for _, n := range named {
		if _, ok := set.Find(n.Name); ok {
			return nil, fmt.Errorf("tool %s is listed twice", n.Name)
		}
		t, err := n.Factory(view)
		if err != nil {
			return nil, fmt.Errorf("tool %s: %w", n.Name, err)
		}
		if got := t.Spec().Name; got != n.Name {
			return nil, fmt.Errorf("tool %s calls itself %s", n.Name, got)
		}
		set = append(set, t)
	}
	return set, nil
}
