package mask_test

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/trajectories/mask"
	"github.com/mars-rec/mars/trajectories/tokenizer"
)

// conversation is one of testdata/cases.json, in the form of OpenAI.
type conversation struct {
	messages []model.Message
	tools    []model.ToolSpec
}

func conversations(t *testing.T) map[string]conversation {
	var cases []struct {
		Case     string
		Messages []struct {
			Role      model.Role
			Name      string
			Content   string
			ToolCalls []struct{ Function model.ToolCall } `json:"tool_calls"`
		}
		Tools []struct{ Function model.ToolSpec }
	}
	read(t, "cases.json", &cases)
	all := map[string]conversation{}
	for _, c := range cases {
		var v conversation
		for _, m := range c.Messages {
			out := model.Message{Role: m.Role, Name: m.Name, Content: m.Content}
			for _, call := range m.ToolCalls {
				out.ToolCalls = append(out.ToolCalls, call.Function)
			}
			v.messages = append(v.messages, out)
		}
		for _, tool := range c.Tools {
			v.tools = append(v.tools, tool.Function)
		}
		all[c.Case] = v
	}
	return all
}

func read(t *testing.T, name string, v any) {
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, v); err != nil {
		t.Fatal(err)
	}
}

func tiny(t testing.TB) *tokenizer.Tokenizer {
	tk, err := tokenizer.Load(filepath.Join("..", "tokenizer", "testdata", "tiny.json"))
	if err != nil {
		t.Fatal(err)
	}
	return tk
}

func template(t testing.TB, name string) mask.Template {
	tpl, err := mask.NewTemplate(name)
	if err != nil {
		t.Fatal(err)
	}
	return tpl
}

// TestGolden holds texts, spans and tokens against TRL's templates, rendered by
// transformers.
func TestGolden(t *testing.T) {
	cases, tk := conversations(t), tiny(t)
	f, err := os.Open(filepath.Join("testdata", "golden.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows := 0
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var want struct {
			Case, Template, Text string
			IDs, Mask            []int
			Spans                [][2]int
		}
		if err := json.Unmarshal(lines.Bytes(), &want); err != nil {
			t.Fatal(err)
		}
		rows++
		t.Run(want.Case+"/"+want.Template, func(t *testing.T) {
			c := cases[want.Case]
			r, err := template(t, want.Template).Render(c.messages, c.tools)
			if err != nil {
				t.Fatal(err)
			}
			if r.Text != want.Text {
				t.Fatalf("text\n%q\nwant\n%q", r.Text, want.Text)
			}
			whole(t, r)
			labels := r.Labels(tk)
			ids, _ := labels.IDs()
			if !slices.Equal(ids, want.IDs) {
				t.Errorf("ids %v, want %v", ids, want.IDs)
			}
			if want.Spans == nil {
				return
			}
			var spans [][2]int
			for _, s := range r.Characters(r.Trained()) {
				spans = append(spans, [2]int{s.Start, s.End})
			}
			if !slices.Equal(spans, want.Spans) {
				t.Errorf("spans %v, want %v", spans, want.Spans)
			}
			for i, trained := range labels.Trained {
				if trained != (want.Mask[i] == 1) {
					t.Errorf("token %d, %q: trained %v", i, r.Text[labels.Tokens[i].Start:labels.Tokens[i].End], trained)
				}
			}
		})
	}
	if rows < 60 {
		t.Errorf("%d rows", rows)
	}
}

// whole checks that the parts are the text, without gap or overlap.
func whole(t interface{ Fatalf(string, ...any) }, r mask.Rendering) {
	at := 0
	for _, p := range r.Parts {
		if p.Start != at || p.End <= p.Start {
			t.Fatalf("part %+v after byte %d", p, at)
		}
		at = p.End
	}
	if at != len(r.Text) {
		t.Fatalf("the parts end at %d of %d", at, len(r.Text))
	}
}

// TestTemplatesAreThePinnedFiles: the digests are those of TRL's files.
func TestTemplatesAreThePinnedFiles(t *testing.T) {
	want := map[string]string{}
	read(t, "templates.json", &want)
	for _, tpl := range mask.Templates() {
		if tpl.SHA256 != want[tpl.Name] {
			t.Errorf("%s: %s, want %s", tpl.Name, tpl.SHA256, want[tpl.Name])
		}
		delete(want, tpl.Name)
	}
	if len(want) > 0 {
		t.Errorf("not known: %v", want)
	}
	if _, err := mask.NewTemplate("chatml"); err == nil || !strings.Contains(err.Error(), "qwen3-training") {
		t.Errorf("error %v", err)
	}
}

// TestParts: each part of a conversation comes from where it says.
func TestParts(t *testing.T) {
	c := conversations(t)["whole"]
	r, err := template(t, mask.Training).Render(c.messages, c.tools)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range r.Parts {
		text := r.Text[p.Start:p.End]
		if !p.Trained || p.Kind == mask.End || p.Kind == mask.Think {
			continue
		}
		head, _, _ := strings.Cut(strings.TrimLeft(text, "\n"), "\n")
		got = append(got, strings.TrimSpace(string(p.Kind)+" "+p.Of+": "+head))
	}
	want := []string{
		"plan : <plan>", "words : I look at others.", "tool_call item_cf: <tool_call>", "tool_call user_profile: <tool_call>",
		`analysis recent: <analysis role="recent">`, "tool_call item_cf: <tool_call>",
		`analysis profile: <analysis role="profile">`, "words :", "reflection : <reflection>", "words :", `recommend : <recommend>["c02", "c01", "c03"]</recommend>`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("parts\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for _, p := range r.Parts {
		outside := slices.Contains([]mask.Kind{mask.Boilerplate, mask.System, mask.Tools, mask.User, mask.Response}, p.Kind)
		if p.Trained == outside {
			t.Errorf("%s of message %d: trained %v", p.Kind, p.Message, p.Trained)
		}
	}
}

// TestCut: whatever the limit, what is kept and what is lost is the whole, and
// the part that is named holds the first token that is lost.
func TestCut(t *testing.T) {
	c, tk := conversations(t)["whole"], tiny(t)
	r, err := template(t, mask.Training).Render(c.messages, c.tools)
	if err != nil {
		t.Fatal(err)
	}
	labels := r.Labels(tk)
	for limit := range len(labels.Tokens) {
		cut, ok := r.Cut(labels, limit)
		if !ok || cut.Tokens != len(labels.Tokens) || cut.Lost != len(labels.Tokens)-limit {
			t.Fatalf("limit %d: %v %+v", limit, ok, cut)
		}
		kept := mask.Labels{Tokens: labels.Tokens[:limit], Trained: labels.Trained[:limit]}
		if kept.Count()+cut.LostTrained != labels.Count() {
			t.Fatalf("limit %d: %d and %d of %d trained", limit, kept.Count(), cut.LostTrained, labels.Count())
		}
		first := labels.Tokens[limit]
		if first.Start < cut.Part.Start || first.Start >= cut.Part.End || cut.Within != (first.Start > cut.Part.Start) {
			t.Fatalf("limit %d: token %v, %+v", limit, first, cut)
		}
	}
	if _, ok := r.Cut(labels, len(labels.Tokens)); ok {
		t.Error("cut though it fits")
	}
	cut, _ := r.Cut(labels, len(labels.Tokens)-3)
	if got, want := cut.String(), " within the recommend of message 7: 3 tokens are lost, 3 of them trained"; !strings.HasSuffix(got, want) {
		t.Errorf("%q, want ... %q", got, want)
	}
	if got := cut.Part.Kind; got != mask.Recommend {
		t.Errorf("cut in %s", got)
	}
}

// TestAnyConversation: parts cover the text, and the assistant's are trained,
// whatever the messages hold.
func TestAnyConversation(t *testing.T) {
	piece := rapid.SampledFrom([]string{"<plan>\nx\n</plan>", "<plan>", "</plan>", `<analysis role="a">`, "</analysis>", "<think>", "</think>", "\n", "x", "é", "\xff", "<|im_end|>", "<recommend>[]</recommend>"})
	roles := rapid.SampledFrom([]model.Role{model.System, model.User, model.Assistant, model.ToolRole})
	rapid.Check(t, func(t *rapid.T) {
		var messages []model.Message
		for range rapid.IntRange(1, 6).Draw(t, "messages") {
			m := model.Message{Role: roles.Draw(t, "role"), Content: strings.Join(rapid.SliceOf(piece).Draw(t, "content"), "")}
			if m.Role == model.Assistant && rapid.Bool().Draw(t, "calls") {
				m.ToolCalls = []model.ToolCall{{Name: "f", Arguments: "{}"}}
			}
			messages = append(messages, m)
		}
		for _, tpl := range mask.Templates() {
			r, err := tpl.Render(messages, nil)
			if err != nil {
				t.Fatalf("%v", err)
			}
			whole(t, r)
			for _, p := range r.Parts {
				if p.Trained && messages[p.Message].Role != model.Assistant {
					t.Fatalf("a part of the %s is trained: %+v", messages[p.Message].Role, p)
				}
			}
		}
	})
}

func TestRenderErrors(t *testing.T) {
	tpl := template(t, mask.Training)
	for name, test := range map[string]struct {
		messages []model.Message
		tools    []model.ToolSpec
		want     string
	}{
		"nothing": {nil, nil, "no messages"},
		"role":    {[]model.Message{{Role: "developer"}}, nil, `role "developer"`},
		"schema":  {[]model.Message{{Role: model.User}}, []model.ToolSpec{{Name: "f", Parameters: json.RawMessage("{")}}, "tool f"},
	} {
		if _, err := tpl.Render(test.messages, test.tools); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q", name, err, test.want)
		}
	}
}

func BenchmarkLabels(b *testing.B) {
	text, err := os.ReadFile(filepath.Join("..", "testdata", "linear.txt"))
	if err != nil {
		b.Fatal(err)
	}
	messages := []model.Message{{Role: model.System, Content: "You recommend."}, {Role: model.User, Content: "Rank."}}
	for range 4 {
		messages = append(messages, model.Message{Role: model.Assistant, Content: "<plan>\nx\n</plan>", ToolCalls: []model.ToolCall{{Name: "f", Arguments: "{}"}}},
			model.Message{Role: model.ToolRole, Name: "f", Content: string(text)})
	}
	tpl, tk := template(b, mask.Training), tiny(b)
	r, err := tpl.Render(messages, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(r.Text)))
	b.ReportAllocs()
	for b.Loop() {
		r, _ := tpl.Render(messages, nil)
		r.Labels(tk)
	}
}

// TestShares: the shares are the whole, and those that are trained are what is
// trained.
func TestShares(t *testing.T) {
	tk := tiny(t)
	for name, c := range conversations(t) {
		for _, tpl := range mask.Templates() {
			r, err := tpl.Render(c.messages, c.tools)
			if err != nil {
				t.Fatal(err)
			}
			characters, trained, tokens := 0, 0, 0
			for _, s := range r.Shares(r.Labels(tk)) {
				characters += s.Characters
				tokens += s.Tokens
				if s.Trained {
					trained += s.Characters
				}
			}
			for _, s := range r.Characters(r.Trained()) {
				trained -= s.End - s.Start
			}
			if characters != len([]rune(r.Text)) || trained != 0 || tokens != tk.Count(r.Text) {
				t.Errorf("%s, %s: %d characters, %d too many trained, %d tokens", name, tpl.Name, characters, trained, tokens)
			}
		}
	}
}
