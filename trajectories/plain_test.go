package trajectories_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/tasks/taskstest"
	"github.com/mars-rec/mars/trajectories"
)

// TestPlain: the stretches that are trained are the assistant's, to the
// character.
func TestPlain(t *testing.T) {
	text, spans := trajectories.Plain([]model.Message{
		{Role: model.System, Content: "É"}, {Role: model.User, Content: "ask"},
		{Role: model.Assistant, Content: "<plan>ü</plan>", ToolCalls: []model.ToolCall{{Name: "f", Arguments: `{"a": 1}`}}},
		{Role: model.ToolRole, Content: "ans"}, {Role: model.Assistant, Content: "done"},
	})
	var trained []string
	for _, s := range spans {
		trained = append(trained, string([]rune(text)[s[0]:s[1]]))
	}
	want := []string{"<plan>ü</plan>\n<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": 1}}</tool_call>\n", "done\n"}
	if !slices.Equal(trained, want) || spans[len(spans)-1][1] != utf8.RuneCountInString(text) {
		t.Errorf("%q of %q", trained, text)
	}
}

// bare takes off what a plain text does not hold: the refs, and ids but for
// their order.
func bare(messages []model.Message) []model.Message {
	ids := map[string]string{}
	out := slices.Clone(messages)
	for i := range out {
		m := &out[i]
		m.Ref = ""
		m.ToolCalls = slices.Clone(m.ToolCalls)
		for k := range m.ToolCalls {
			id := model.CallID("", len(ids)+1)
			ids[m.ToolCalls[k].ID], m.ToolCalls[k].ID = id, id
		}
		m.ToolCallID = ids[m.ToolCallID]
	}
	return out
}

// TestPlainReadsBack: the plain text of a conversation is that conversation.
func TestPlainReadsBack(t *testing.T) {
	library, task := taskstest.Library()
	hostile, forged := taskstest.Hostile()
	for name, tr := range map[string]*trajectories.Trajectory{"revised": revised(t), "library": teach(t, library, task), "hostile": teach(t, hostile, forged)} {
		want := linear(t, tr, trajectories.Linear{})
		text, _ := trajectories.Plain(want)
		got, repaired, err := trajectories.ReadPlain(text)
		if err != nil || len(repaired) > 0 {
			t.Fatalf("%s: %v, %v", name, repaired, err)
		}
		if !reflect.DeepEqual(bare(got), bare(want)) {
			t.Errorf("%s: read\n%s\nwant\n%s", name, show(got), show(want))
		}
		again, _ := trajectories.Plain(got)
		if again != text {
			t.Errorf("%s: written again it is another text", name)
		}
	}
}

func TestReadPlainOfAModel(t *testing.T) {
	got, repaired, err := trajectories.ReadPlain("<plan>\nLook.\n</plan>\n<tool_call>\n{'name':'a','arguments':{}}\n{\"name\":\"b\"}</tool_call>\n" +
		"<tool_response>1</tool_response>\n<tool_response>2</tool_response>\n<recommend>[\"c01\"]</recommend>")
	want := []model.Message{
		{Role: model.Assistant, Content: "<plan>\nLook.\n</plan>", ToolCalls: []model.ToolCall{{ID: "call_1", Name: "a", Arguments: "{}"}, {ID: "call_2", Name: "b", Arguments: "{}"}}},
		{Role: model.ToolRole, Content: "1", ToolCallID: "call_1", Name: "a"},
		{Role: model.ToolRole, Content: "2", ToolCallID: "call_2", Name: "b"},
		{Role: model.Assistant, Content: "<recommend>[\"c01\"]</recommend>"},
	}
	if err != nil || !reflect.DeepEqual(got, want) || len(repaired) == 0 {
		t.Errorf("%s%v, %v", show(got), repaired, err)
	}
	for text, wrong := range map[string]string{
		"<tool_response>1</tool_response>":                                                                    "to no call",
		`<tool_call>{"name":"a"}</tool_call><tool_response>1`:                                                 "does not end",
		`<tool_call>{"name":"a"}</tool_call><tool_response>1</tool_response><tool_response>2</tool_response>`: "to no call",
	} {
		if _, _, err := trajectories.ReadPlain(text); err == nil || !strings.Contains(err.Error(), wrong) {
			t.Errorf("%s: %v, want one with %q", text, err, wrong)
		}
	}
}

func FuzzReadPlain(f *testing.F) {
	f.Add("<plan>x</plan><tool_call>{\"name\":\"a\"}</tool_call>\n<tool_response>1</tool_response>\n<recommend>[]</recommend>")
	f.Fuzz(func(t *testing.T, text string) {
		messages, _, err := trajectories.ReadPlain(text)
		if err != nil {
			return
		}
		open := 0
		for _, m := range messages {
			if m.Role == model.ToolRole {
				open--
			} else {
				open = 0
			}
			if open += len(m.ToolCalls); open < 0 {
				t.Errorf("more answers than calls in %q", text)
			}
		}
	})
}

func TestUtterance(t *testing.T) {
	native := model.ToolCall{ID: "call_1_2_1", Name: "a", Arguments: "{}"}
	for name, c := range map[string]struct {
		content, finish string
		calls           []model.ToolCall
		want            model.Message
	}{
		"as it is":           {"<plan>x</plan>", "stop", nil, model.Message{Content: "<plan>x</plan>"}},
		"a call in the text": {"so\n<tool_call>{\"name\":\"b\"}</tool_call>", "stop", nil, model.Message{Content: "so", ToolCalls: []model.ToolCall{{ID: "call_1_2_1", Name: "b", Arguments: "{}"}}}},
		"after another":      {"<tool_call>{\"name\":\"b\"}</tool_call>", "tool_calls", []model.ToolCall{native}, model.Message{ToolCalls: []model.ToolCall{native, {ID: "call_1_2_2", Name: "b", Arguments: "{}"}}}},
		"stopped":            {"<recommend>[\"c01\"]", "stop", nil, model.Message{Content: "<recommend>[\"c01\"]</recommend>"}},
		"cut":                {"<recommend>[\"c01\"", "length", nil, model.Message{Content: "<recommend>[\"c01\""}},
		"not stopped":        {"<recommend>[\"c01\"]</recommend>", "stop", nil, model.Message{Content: "<recommend>[\"c01\"]</recommend>"}},
	} {
		c.want.Ref, c.want.Role = message.ID("1.2"), model.Assistant
		got, _ := trajectories.Utterance("1.2", model.Output{Message: model.Message{Content: c.content, ToolCalls: c.calls}, Finish: c.finish})
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}
