package toolstest_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tasks/taskstest"
	"github.com/mars-rec/mars/tools"
	"github.com/mars-rec/mars/tools/toolstest"
)

type itemArgument struct {
	Item string `json:"item"`
}

// raw is a tool without the help of tools.New.
type raw struct {
	spec model.ToolSpec
	call func(args string) (string, error)
}

func (r raw) Spec() model.ToolSpec { return r.spec }

func (r raw) Call(_ context.Context, args json.RawMessage) (json.RawMessage, error) {
	v, err := r.call(string(args))
	return json.RawMessage(v), err
}

var spec = model.ToolSpec{Name: "try", Description: "Tries.", Parameters: json.RawMessage(`{"type":"object"}`)}

// strictly answers good calls by f and refuses what Check tries.
func strictly(f func() (string, error)) func(string) (string, error) {
	return func(args string) (string, error) {
		if args != `{}` {
			return "", tools.Inputf("want {}")
		}
		return f()
	}
}

func TestCheck(t *testing.T) {
	source, task := taskstest.Library()
	view, err := source.View(task)
	if err != nil {
		t.Fatal(err)
	}
	degree := tools.Define("degree", "Counts users.", func(_ context.Context, v tasks.View, a itemArgument) (int, error) {
		i, ok := v.Cut().Item(a.Item)
		if !ok {
			return 0, tools.Inputf("no such item")
		}
		return v.Cut().ItemDegree(i), nil
	})
	if err := toolstest.Check(t.Context(), degree.Factory, view, `{"item":"b01"}`, `{"item":"nothing"}`); err != nil {
		t.Errorf("a tool that is right: %v", err)
	}
	var n atomic.Int64
	for _, tc := range []struct {
		name, want string
		spec       model.ToolSpec
		call       func(string) (string, error)
	}{
		{"counts its calls", "gives", spec, strictly(func() (string, error) { return string(rune('0' + n.Add(1)%10)), nil })},
		{"takes anything", "want an InputError", spec, func(string) (string, error) { return `1`, nil }},
		{"fails", "no disk", spec, strictly(func() (string, error) { return "", errors.New("no disk") })},
		{"says no reason", "without a reason", spec, strictly(func() (string, error) { return "", &tools.InputError{} })},
		{"gives text", "not JSON", spec, strictly(func() (string, error) { return "hello", nil })},
		{"gives controls", "control character", spec, strictly(func() (string, error) { return "[\n1]", nil })},
		{"answers nothing", "no call gives a value", spec, strictly(func() (string, error) { return "", tools.Inputf("never") })},
		{"name", `name "a tool"`, model.ToolSpec{Name: "a tool", Description: "d", Parameters: spec.Parameters}, strictly(func() (string, error) { return "1", nil })},
		{"description", "no description", model.ToolSpec{Name: "t", Parameters: spec.Parameters}, strictly(func() (string, error) { return "1", nil })},
		{"schema", "parameters", model.ToolSpec{Name: "t", Description: "d", Parameters: json.RawMessage(`{"type":"objekt"`)}, strictly(func() (string, error) { return "1", nil })},
		{"not an object", "schema of an object", model.ToolSpec{Name: "t", Description: "d", Parameters: json.RawMessage(`{"type":"array"}`)}, strictly(func() (string, error) { return "1", nil })},
	} {
		t.Run(tc.name, func(t *testing.T) {
			factory := func(tasks.View) (tools.Tool, error) { return raw{tc.spec, tc.call}, nil }
			if err := toolstest.Check(t.Context(), factory, view, `{}`); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want an error with %q", err, tc.want)
			}
		})
	}
}

func TestLeaks(t *testing.T) {
	source, task := taskstest.Library()
	other := source.OtherFuture(task.AsOf)
	one, err := source.View(task)
	if err != nil {
		t.Fatal(err)
	}
	two, err := other.View(task)
	if err != nil {
		t.Fatal(err)
	}
	count := func(s *taskstest.Source, honest bool) func(context.Context, itemArgument) (int, error) {
		return func(_ context.Context, a itemArgument) (int, error) {
			at := task.AsOf
			if !honest {
				at = s.Graph().End() // the whole log
			}
			i, _ := s.Graph().At(at).Item(a.Item)
			return s.Graph().At(at).ItemDegree(i), nil
		}
	}
	for _, honest := range []bool{true, false} {
		factory := func(v tasks.View) (tools.Tool, error) {
			s := source
			if v.Cut() == two.Cut() {
				s = other
			}
			return tools.New("degree", "Counts users.", count(s, honest)), nil
		}
		if err := toolstest.Leaks(t.Context(), factory, one, two, `{"item":"b01"}`, `{"item":"b02"}`); (err == nil) != honest {
			t.Errorf("honest %v: got %v", honest, err)
		}
	}
}

func TestForges(t *testing.T) {
	source, task := taskstest.Hostile()
	view, err := source.View(task)
	if err != nil {
		t.Fatal(err)
	}
	for _, raw := range []bool{false, true} {
		title := tools.Define("title", "Tells the title.", func(ctx context.Context, v tasks.View, a itemArgument) (string, error) {
			if raw {
				item, _, err := source.Catalog().Item(ctx, a.Item)
				return item.Title, err
			}
			item, err := v.Item(ctx, a.Item)
			return item.Title, err
		})
		for _, item := range task.Candidates {
			call := `{"item":"` + item + `"}`
			if err := toolstest.Forges(t.Context(), title.Factory, view, call); (err != nil) != raw {
				t.Errorf("raw %v: %s: got %v", raw, item, err)
			}
		}
	}
}
