package phase_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/mars-rec/mars/message/phase"
)

func TestToolCalls(t *testing.T) {
	cf := phase.ToolCall{Name: "item_cf", Arguments: `{"window": "all", "k": 20}`}
	profile := phase.ToolCall{Name: "user_profile", Arguments: "{}"}
	const one, two = `<tool_call>{"name":"item_cf","arguments":{"window":"all","k":20}}</tool_call>`, `<tool_call>{"name":"user_profile","arguments":{}}</tool_call>`
	for name, c := range map[string]struct {
		text  string
		said  string
		calls []phase.ToolCall
		kinds []string
	}{
		"none":                 {"<plan>\nLook.\n</plan>", "<plan>\nLook.\n</plan>", nil, nil},
		"one":                  {"I look.\n" + one, "I look.", []phase.ToolCall{cf}, nil},
		"two blocks":           {one + "\n" + two, "", []phase.ToolCall{cf, profile}, nil},
		"two in a block":       {"<tool_call>\n" + `{"name":"item_cf","arguments":{"window":"all","k":20}}` + "\n" + `{"name":"user_profile","arguments":{}}` + "\n</tool_call>", "", []phase.ToolCall{cf, profile}, []string{"several calls"}},
		"an array":             {`<tool_call>[{"name":"item_cf","arguments":{"window":"all","k":20}},{"name":"user_profile","arguments":{}}]</tool_call>`, "", []phase.ToolCall{cf, profile}, []string{"several calls"}},
		"a fence":              {"<tool_call>```json\n{\"name\":\"user_profile\",\"arguments\":{}}\n```</tool_call>", "", []phase.ToolCall{profile}, []string{"fence"}},
		"smart quotes":         {"<tool_call>{“name”:“user_profile”,“arguments”:{}}</tool_call>", "", []phase.ToolCall{profile}, []string{"smart quotes"}},
		"not closed":           {`<tool_call>{"name":"user_profile","arguments":{}}`, "", []phase.ToolCall{profile}, []string{"unclosed tag"}},
		"the first not closed": {`<tool_call>{"name":"user_profile","arguments":{}}` + one, "", []phase.ToolCall{profile, cf}, []string{"unclosed tag"}},
		"Python":               {`<tool_call>{'name':'item_cf','arguments':{'window':'all','k':20,}}</tool_call>`, "", []phase.ToolCall{cf}, []string{"single quotes", "trailing comma"}},
		"parameters":           {`<tool_call>{"name":"user_profile","parameters":{}}</tool_call>`, "", []phase.ToolCall{profile}, []string{"other key"}},
		"no arguments":         {`<tool_call>{"name":"user_profile"}</tool_call>`, "", []phase.ToolCall{profile}, []string{"missing key"}},
		"a string":             {`<tool_call>{"name":"item_cf","arguments":"{\"window\": \"all\", \"k\": 20}"}</tool_call>`, "", []phase.ToolCall{cf}, nil},
		"OpenAI's":             {`<tool_call>{"type":"function","function":{"name":"user_profile","arguments":{}}}</tool_call>`, "", []phase.ToolCall{profile}, []string{"wrapped"}},
		"one that breaks":      {`<tool_call>{"name":"item_cf","arguments":{"window":</tool_call>` + two, "", []phase.ToolCall{{Arguments: `{"name":"item_cf","arguments":{"window":`}, profile}, []string{"unreadable call"}},
		"no call":              {`<tool_call>"item_cf"</tool_call>`, "", []phase.ToolCall{{Arguments: `"item_cf"`}}, []string{"unreadable call"}},
		"an empty block":       {"so <tool_call></tool_call>", "so", nil, []string{"unreadable call"}},
		"in a thought":         {"<think>" + one + "</think>" + two, "<think>" + one + "</think>", []phase.ToolCall{profile}, nil},
		"in a plan":            {"<plan>" + one + "</plan>" + two, "<plan>" + one + "</plan>", []phase.ToolCall{profile}, []string{"call in a phase"}},
		"after an open plan":   {"<plan>Look." + two, "<plan>Look.", []phase.ToolCall{profile}, nil},
	} {
		said, calls, deviations := phase.ToolCalls(c.text)
		var kinds []string
		for _, d := range deviations {
			kinds = append(kinds, d.Kind)
		}
		if said != c.said || !reflect.DeepEqual(calls, c.calls) || !slices.Equal(kinds, c.kinds) {
			t.Errorf("%s: said %q, calls %q, deviations %v", name, said, calls, deviations)
		}
	}
}

func TestToolCallsAreBounded(t *testing.T) {
	for name, unit := range map[string]string{
		"calls":         `<tool_call>{"name":"a","arguments":{}}</tool_call>`,
		"open calls":    "<tool_call>",
		"open plans":    "<plan>",
		"open thoughts": "<think>",
		"brackets":      "<tool_call>[[[[",
	} {
		_, calls, _ := phase.ToolCalls("<tool_call>" + strings.Repeat(unit, 1<<20/len(unit)))
		if len(calls) > 64 {
			t.Errorf("%s: %d calls", name, len(calls))
		}
	}
}

func TestWrittenCallsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var text strings.Builder
		var want []phase.ToolCall
		said := words.Draw(t, "said")
		text.WriteString("<plan>\n" + said + "\n</plan>\n")
		for range rapid.IntRange(1, 4).Draw(t, "calls") {
			arguments := map[string]any{"query": hostile.Draw(t, "query"), "k": rapid.IntRange(-5, 50).Draw(t, "k"), "deep": []any{nil, true, 1.5}}
			spaced, err := phase.Spaced(json.RawMessage(must(json.Marshal(arguments))))
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(spaced, "tool_call>") {
				t.Skip("a call in a call")
			}
			want = append(want, phase.ToolCall{Name: "catalog_search", Arguments: spaced})
			text.WriteString(`<tool_call>{"name": "catalog_search", "arguments": ` + spaced + "}</tool_call>\n")
		}
		rest, got, deviations := phase.ToolCalls(text.String())
		if rest != "<plan>\n"+said+"\n</plan>" || !reflect.DeepEqual(got, want) || len(deviations) > 0 {
			t.Fatalf("%q\n%q\n%v", rest, got, deviations)
		}
	})
}

func FuzzToolCalls(f *testing.F) {
	f.Add(`<plan>x</plan><tool_call>{"name":"a","arguments":{"b":[1,"c",null,true]}}</tool_call>`)
	f.Add("<tool_call>```\n[{'name':'a','arguments':'{}'}]```<tool_call>{“name”:“b”}")
	f.Fuzz(func(t *testing.T, text string) {
		said, calls, _ := phase.ToolCalls(text)
		if len(said) > len(text) {
			t.Errorf("more was said than there is: %q", said)
		}
		for _, c := range calls {
			if c.Name == "" && c.Arguments == "" {
				t.Errorf("a call of nothing in %q", text)
			}
		}
	})
}
