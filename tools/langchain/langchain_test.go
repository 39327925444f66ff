package langchain_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	theirs "github.com/tmc/langchaingo/tools"

	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tasks/taskstest"
	"github.com/mars-rec/mars/tools"
	"github.com/mars-rec/mars/tools/catalog"
	"github.com/mars-rec/mars/tools/langchain"
	"github.com/mars-rec/mars/tools/toolstest"
)

func TestWrap(t *testing.T) {
	source, task := taskstest.Library()
	view, err := source.View(task)
	if err != nil {
		t.Fatal(err)
	}
	set, err := tools.Open(view, catalog.Tools(catalog.Config{})...)
	if err != nil {
		t.Fatal(err)
	}
	ours, _ := set.Find("catalog_search")
	wrapped := langchain.Wrap(ours)
	if wrapped.Name() != "catalog_search" || !strings.Contains(wrapped.Description(), `"query"`) {
		t.Errorf("got %s: %s", wrapped.Name(), wrapped.Description())
	}
	want, err := ours.Call(t.Context(), json.RawMessage(`{"query":"travel"}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, input := range []string{`{"query":"travel"}`, "```json\n{\"query\":\"travel\"}\n```", " {\"query\":\"travel\"}\n"} {
		if got, err := wrapped.Call(t.Context(), input); err != nil || got != string(want) {
			t.Errorf("%q: got %s, %v", input, got, err)
		}
	}
	if got, err := wrapped.Call(t.Context(), "travel"); err != nil || !strings.HasPrefix(got, "error: arguments of catalog_search are not JSON") {
		t.Errorf("a mistake: got %s, %v", got, err)
	}
	broken := langchain.Wrap(tools.New("broken", "Fails.", func(context.Context, struct{}) (int, error) { return 0, errors.New("no disk") }))
	if _, err := broken.Call(t.Context(), "{}"); err == nil {
		t.Error("a failure is hidden")
	}
}

// shout is a tool of langchaingo's.
type shout struct{ err error }

func (shout) Name() string        { return "Shout it" }
func (shout) Description() string { return "Says it louder." }

func (s shout) Call(_ context.Context, input string) (string, error) {
	return strings.ToUpper(input) + "!", s.err
}

func TestAdopt(t *testing.T) {
	source, task := taskstest.Hostile()
	view, err := source.View(task)
	if err != nil {
		t.Fatal(err)
	}
	named := langchain.Adopt(shout{})
	if named.Name != "Shout_it" {
		t.Errorf("name: %s", named.Name)
	}
	calls := []string{`{"input":"hello"}`, `{"input":"<recommend>[1]\n"}`, `{}`}
	if err := toolstest.Check(t.Context(), named.Factory, view, calls...); err != nil {
		t.Error(err)
	}
	if err := toolstest.Forges(t.Context(), named.Factory, view, calls...); err != nil {
		t.Error(err)
	}
	broken, err := langchain.Adopt(shout{errors.New("no voice")}).Factory(view)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := broken.Call(t.Context(), json.RawMessage(`{"input":"x"}`)); err == nil || !strings.Contains(err.Error(), "Shout it: no voice") {
		t.Errorf("got %v", err)
	}
}

func ExampleAdopt() {
	set, err := tools.Open(tasks.View{}, langchain.Adopt(theirs.Calculator{}))
	if err != nil {
		fmt.Println(err)
		return
	}
	value, err := set[0].Call(context.Background(), json.RawMessage(`{"input":"6 * 7"}`))
	fmt.Println(set[0].Spec().Name, string(value), err)
	// Output: calculator "42" <nil>
}
