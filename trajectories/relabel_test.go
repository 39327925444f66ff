package trajectories_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/trajectories"
)

// talk is a conversation about n candidates, with their labels in all places.
func talk(t interface{ Fatal(...any) }, n int, said, answer, arguments string) (tasks.Task, []model.Message) {
	task := tasks.Task{ID: "t", User: "u", AsOf: time.Date(2018, 1, 1, 0, 0, 0, 0, time.UTC)}
	var lines []string
	for i := range n {
		task.Candidates = append(task.Candidates, fmt.Sprintf("i%d", i))
		lines = append(lines, fmt.Sprintf("%s | Title %d | SF", tasks.Label(i), i))
	}
	messages, err := trajectories.Opening(task, lines)
	if err != nil {
		t.Fatal(err)
	}
	call := model.ToolCall{ID: "call_1", Name: "item_cf", Arguments: arguments}
	return task, append(messages,
		model.Message{Role: model.Assistant, Content: said, ToolCalls: []model.ToolCall{call}},
		model.Message{Role: model.ToolRole, Content: answer, ToolCallID: "call_1", Name: "item_cf"},
		model.Message{Role: model.Assistant, Content: `<recommend>["c02", "c01", "c03"]</recommend>`})
}

func inverse(order []int) []int {
	back := make([]int, len(order))
	for place, from := range order {
		back[from] = place
	}
	return back
}

func TestRelabel(t *testing.T) {
	task, messages := talk(t, 3, "c02 leads, c01: no; C02, c02s, c2, ac03 and c04 are no labels. (c03)",
		`{"evidence":["also c01\nc02 \"x\" \u0063\u0030\u0031 and \u006301 \\c03"],"rankings":["c02:9=0.5"],"c03":"c03"}`, `{"item": "c03", "among": ["c01"]}`)
	got, err := trajectories.Relabel(task, messages, []int{2, 0, 1}) // c03 is now c01, c01 is c02, c02 is c03
	if err != nil {
		t.Fatal(err)
	}
	if got[0].Content != messages[0].Content {
		t.Error("the system message has changed")
	}
	if want := "c01 | Title 2 | SF\nc02 | Title 0 | SF\nc03 | Title 1 | SF"; !strings.HasSuffix(got[1].Content, want) {
		t.Errorf("the list is %q, want %q", got[1].Content, want)
	}
	for i, want := range map[int]string{
		2: "c03 leads, c02: no; C02, c02s, c2, ac03 and c04 are no labels. (c01)",
		3: `{"evidence":["also c02\nc03 \"x\" \u0063\u0030\u0031 and \u006301 \\c01"],"rankings":["c03:9=0.5"],"c01":"c01"}`,
		4: `<recommend>["c03", "c02", "c01"]</recommend>`,
	} {
		if got[i].Content != want {
			t.Errorf("message %d is\n%s, want\n%s", i, got[i].Content, want)
		}
	}
	if a := got[2].ToolCalls[0].Arguments; a != `{"item": "c01", "among": ["c02"]}` {
		t.Errorf("the arguments are %s", a)
	}
	if messages[2].ToolCalls[0].Arguments != `{"item": "c03", "among": ["c01"]}` {
		t.Error("what was given has changed")
	}
	for _, order := range [][]int{{0, 1}, {0, 1, 1}, {0, 1, 3}, {-1, 0, 1}} {
		if _, err := trajectories.Relabel(task, messages, order); err == nil {
			t.Errorf("%v is taken for an order", order)
		}
	}
}

// TestRelabelUndone: whatever is said, the inverse order gives the same bytes.
func TestRelabelUndone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 120).Draw(t, "n")
		piece := rapid.OneOf(rapid.Just("c01"), rapid.Just("c2"), rapid.Just(" "), rapid.Just(`\n`), rapid.Just(`\u0063`), rapid.Just(`"`), rapid.Just("\\"),
			rapid.Just("é"), rapid.Just("_"), rapid.String(), rapid.Map(rapid.IntRange(0, n), tasks.Label))
		text := rapid.Map(rapid.SliceOfN(piece, 0, 12), func(p []string) string { return strings.Join(p, "") })
		quoted := rapid.Map(text, func(s string) string { return fmt.Sprintf(`{"item": %q}`, s) })
		task, messages := talk(t, n, text.Draw(t, "said"), rapid.OneOf(text, quoted).Draw(t, "answer"), rapid.OneOf(text, quoted).Draw(t, "arguments"))
		order := rapid.Permutation(slices.Collect(func(yield func(int) bool) {
			for i := range n {
				if !yield(i) {
					return
				}
			}
		})).Draw(t, "order")
		there, err := trajectories.Relabel(task, messages, order)
		if err != nil {
			t.Fatal(err)
		}
		turned := task
		turned.Candidates = nil
		for _, from := range order {
			turned.Candidates = append(turned.Candidates, task.Candidates[from])
		}
		back, err := trajectories.Relabel(turned, there, inverse(order))
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(back, messages) {
			t.Fatalf("undone it is\n%q, was\n%q", back, messages)
		}
	})
}
