package trajectories_test

import (
	"context"
	"encoding/json"
	"flag"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mars-rec/mars/agents/roles"
	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/message/phase"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/model/builtin"
	"github.com/mars-rec/mars/orchestrator"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tasks/taskstest"
	"github.com/mars-rec/mars/tools"
	"github.com/mars-rec/mars/tools/catalog"
	"github.com/mars-rec/mars/tools/cf"
	"github.com/mars-rec/mars/trajectories"
)

var update = flag.Bool("update", false, "write the golden files anew")

// teach runs the MARS team on a task of the library.
func teach(t *testing.T, source *taskstest.Source, task tasks.Task) *trajectories.Trajectory {
	o, err := orchestrator.New(orchestrator.Config{
		Source: source, Cast: roles.New(roles.Config{}).Cast,
		Tools: slices.Concat(cf.Tools(cf.Config{}), catalog.Tools(catalog.Config{})),
		Model: orchestrator.Model{Name: "builtin", Model: builtin.New(builtin.Config{})},
		Seed:  42,
	})
	if err != nil {
		t.Fatal(err)
	}
	var log trajectories.Recorder
	res, err := o.Run(context.Background(), task, &log, nil)
	if err != nil {
		t.Fatal(err)
	}
	return log.Trajectory(trajectories.Run{ID: task.ID, Task: task, Status: trajectories.Done, Ranking: res.Ranking})
}

func linear(t *testing.T, tr *trajectories.Trajectory, how trajectories.Linear) []model.Message {
	messages, err := trajectories.Serialize(tr, how)
	if err != nil {
		t.Fatal(err)
	}
	return messages
}

// show is a conversation as a person reads it.
func show(messages []model.Message) string {
	var w strings.Builder
	for _, m := range messages {
		w.WriteString("== " + string(m.Role) + " " + string(m.Ref) + " " + m.Name + " " + m.ToolCallID + "\n" + m.Content + "\n")
		for _, c := range m.ToolCalls {
			w.WriteString("-> " + c.ID + " " + c.Name + " " + c.Arguments + "\n")
		}
	}
	return w.String()
}

// revised is the log of a small team whose reflector sends a subtask back once,
// and whose ranker has to answer twice.
func revised(t *testing.T) *trajectories.Trajectory {
	task := tasks.Task{ID: "t1", Dataset: "d", User: "u<1>", AsOf: time.Date(2018, 9, 20, 12, 0, 0, 0, time.UTC), Candidates: []string{"i7", "i8", "i9"}}
	shown := "## Task\nAs of: 2018-09-20T12:00:00Z\n\n## Candidates\nc01 | Dune (1965) | SF\nc02 | Emma | Classics\nc03 | Ulysses ‹1922›\n"
	call := func(id, name, arguments string) model.ToolCall {
		return model.ToolCall{ID: id, Name: name, Arguments: arguments}
	}
	says := func(content string, calls ...model.ToolCall) model.Output {
		return model.Output{Message: model.Message{Role: model.Assistant, Content: content, ToolCalls: calls}}
	}
	plan := phase.Plan{Summary: "Look.", Subtasks: []phase.Subtask{{Role: "recent", Goal: "the last items", Collaborative: true}, {Role: "profile", Goal: "habits"}}}
	first := phase.Analysis{Role: "recent", Summary: "Thin.", Claims: []string{"c01 leads"}, Evidence: []phase.Evidence{{Tool: "item_cf", Signal: "item_cf"}}}
	second := phase.Analysis{Role: "recent", Summary: "Clearer.", Claims: []string{"c03 leads"}}
	again := phase.Reflection{Verdict: phase.Revise, Issues: []string{"thin"}, Subtasks: []phase.Subtask{{Role: "recent", Goal: "widen"}}}
	ranking := phase.Recommend{Ranking: []string{"c03", "c01", "c02"}, Justification: "because"}
	tr := &trajectories.Trajectory{Run: trajectories.Run{ID: "t1", Task: task, Status: trajectories.Done, Ranking: []string{"i9", "i7", "i8"}}}
	for _, m := range []struct {
		id   message.ID
		body message.Body
	}{
		{"1", task},
		{"1.1", phase.Brief{}},
		{"1.1.1", model.Message{Role: model.System, Content: "c01 | no\nc02 | no\nc03 | no"}},
		{"1.1.2", model.Message{Role: model.User, Content: shown}},
		{"1.1.3", says("{...}")},
		{"1.1.4", plan},
		{"1.2", phase.Brief{}},
		{"1.2.1", model.Message{Role: model.User, Content: shown}},
		{"1.2.2", says("I look at <b>others</b>.", call("call_1_2_2_1", "item_cf", `{"window":"all","k":20}`), call("call_1_2_2_2", "user_profile", ``))},
		{"1.2.3", tools.Result{Call: "call_1_2_2_1", Tool: "item_cf", Value: json.RawMessage(`{"rankings":["c01:9=1"]}`)}},
		{"1.2.4", tools.Result{Call: "call_1_2_2_2", Tool: "user_profile", Error: "arguments: want an object"}},
		{"1.2.5", says("{...}")},
		{"1.2.6", first},
		{"1.3", phase.Brief{}},
		{"1.3.1", says("", call("call_1_3_1_1", "user_profile", `{}`))}, // was repaired: never called
		{"1.3.2", says("{...}")},
		{"1.3.3", phase.Analysis{Role: "profile", Summary: "Reads much.", Claims: []string{}}},
		{"1.4", phase.Brief{}},
		{"1.4.1", again},
		{"1.5", phase.Brief{Round: 1}},
		{"1.5.1", says("", call("call_1_5_1_1", "item_cf", `{"window":"last:3"}`), call("call_1_5_1_2", "item_cf", `{"window": "all", "k": 20}`))},
		{"1.5.2", tools.Result{Call: "call_1_5_1_1", Tool: "item_cf", Value: json.RawMessage(`{"rankings":["c03:9=1"]}`)}},
		{"1.5.3", tools.Result{Call: "call_1_5_1_2", Tool: "item_cf", Value: json.RawMessage(`{"rankings":["c01:9=1"]}`)}}, // as in 1.2.3
		{"1.5.4", second},
		{"1.6", phase.Brief{Round: 1}},
		{"1.6.1", phase.Reflection{Verdict: phase.Accept, Issues: []string{}}},
		{"1.7", phase.Brief{}},
		{"1.7.1", says(`{"ranking":["c03"]}`)},
		{"1.7.2", model.Message{Role: model.User, Content: "Your answer cannot be used"}},
		{"1.7.3", says("{...}")},
		{"1.7.4", ranking},
		{"1.8", ranking},
	} {
		raw, err := message.Marshal(m.body)
		if err != nil {
			t.Fatal(err)
		}
		tr.Log = append(tr.Log, message.Envelope{ID: m.id, From: "a", Kind: m.body.Kind(), Body: raw})
	}
	return tr
}

func TestSerialize(t *testing.T) {
	tr := revised(t)
	for file, how := range map[string]trajectories.Linear{"testdata/linear.txt": {}, "testdata/linear-final.txt": {SkipRevised: true}} {
		got := show(linear(t, tr, how)[1:])
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("the conversation is not that of %s:\n%s", file, got)
		}
	}
}

func TestWhatIsToldReadsBack(t *testing.T) {
	messages := linear(t, revised(t), trajectories.Linear{})
	if read := readBack(t, revised(t), messages); read.Calls != 3 {
		t.Errorf("%d calls, want 3", read.Calls)
	}
	for name, library := range map[string]func() (*taskstest.Source, tasks.Task){"library": taskstest.Library, "hostile": taskstest.Hostile} {
		t.Run(name, func(t *testing.T) {
			source, task := library()
			tr := teach(t, source, task)
			messages := linear(t, tr, trajectories.Linear{})
			if read := readBack(t, tr, messages); read.Calls == 0 || len(read.Analyses) < 4 {
				t.Errorf("%d calls, %d analyses", read.Calls, len(read.Analyses))
			}
			for _, m := range messages {
				if text := phase.CleanReply(m.Content); m.Role == model.ToolRole && strings.ContainsAny(m.Content, "<>") {
					t.Errorf("the answer of %s is not inert: %s", m.Name, text)
				}
			}
			if show(linear(t, teach(t, source, task), trajectories.Linear{})) != show(messages) {
				t.Error("two runs are told differently")
			}
		})
	}
}

func TestParseHoldsToTheForm(t *testing.T) {
	good := func() []model.Message { return linear(t, revised(t), trajectories.Linear{SkipRevised: true}) }
	last := len(good()) - 1
	labels, roles := []string{"c01", "c02", "c03"}, []string{"recent", "profile"}
	if _, err := trajectories.Parse(good(), labels, trajectories.Form{Roles: roles}); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func([]model.Message) []model.Message
		want   string
	}{
		"no plan": {func(m []model.Message) []model.Message {
			m[2].Content = "I start."
			return m
		}, "before the plan"},
		"two plans": {func(m []model.Message) []model.Message {
			m[last].Content = "<plan>\nx\n- recent: y\n</plan>" + m[last].Content
			return m
		}, "two plans"},
		"no reflection": {func(m []model.Message) []model.Message {
			m[last].Content = m[last].Content[strings.Index(m[last].Content, "<recommend>"):]
			return m
		}, "before a reflection"},
		"no ranking":   {func(m []model.Message) []model.Message { return m[:last] }, "no <reflection>"},
		"half ranking": {func(m []model.Message) []model.Message { return changed(m, last, `"c03", `, "") }, "lacks c03"},
		"cut ranking":  {func(m []model.Message) []model.Message { return changed(m, last, "</recommend>", "") }, "not closed"},
		"stray close": {func(m []model.Message) []model.Message {
			return changed(m, last, "<reflection>", "</plan><reflection>")
		}, "closes nothing"},
		"goes on": {func(m []model.Message) []model.Message {
			return append(m, model.Message{Role: model.Assistant, Content: "Also"})
		}, "goes on"},
		"after the ranking": {func(m []model.Message) []model.Message {
			m[last].Content += "<reflection>\nVerdict: accept\n</reflection>"
			return m
		}, "after the ranking"},
		"bad arguments": {func(m []model.Message) []model.Message {
			m[2].ToolCalls[0].Arguments = "[1]"
			return m
		}, "no JSON object"},
		"unanswered":   {func(m []model.Message) []model.Message { return slices.Delete(m, 4, 5) }, "has no answer"},
		"wrong answer": {func(m []model.Message) []model.Message { m[3], m[4] = m[4], m[3]; return m }, "the call is"},
		"unknown role": {func(m []model.Message) []model.Message { return changed(m, 2, "- recent", "- critic") }, "no role"},
	} {
		_, err := trajectories.Parse(c.change(good()), labels, trajectories.Form{Roles: roles})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func changed(m []model.Message, i int, old, with string) []model.Message {
	m[i].Content = strings.Replace(m[i].Content, old, with, 1)
	return m
}

func TestSerializeNeedsAWholeRun(t *testing.T) {
	for name, change := range map[string]func(*trajectories.Trajectory){
		"no candidates": func(tr *trajectories.Trajectory) { tr.Run.Task.Candidates = append(tr.Run.Task.Candidates, "i10") },
		"no ranking":    func(tr *trajectories.Trajectory) { tr.Log = tr.Log[:len(tr.Log)-2] },
		"broken body":   func(tr *trajectories.Trajectory) { tr.Log[5].Body = json.RawMessage(`[]`) },
	} {
		tr := revised(t)
		change(tr)
		if m, err := trajectories.Serialize(tr, trajectories.Linear{}); err == nil {
			t.Errorf("%s: told in %d messages", name, len(m))
		}
	}
}

// readBack parses a conversation and compares it with the log.
func readBack(t *testing.T, tr *trajectories.Trajectory, messages []model.Message) trajectories.Reading {
	t.Helper()
	form, err := tr.Form()
	if err != nil {
		t.Fatal(err)
	}
	read, err := trajectories.Parse(messages, tr.Run.Task.Labels(), form)
	if err != nil {
		t.Fatal(err)
	}
	want := trajectories.Reading{Calls: read.Calls}
	for _, e := range tr.Log {
		switch e.Kind {
		case "plan":
			want.Plan = decode[phase.Plan](t, e)
		case "analysis":
			a := decode[phase.Analysis](t, e)
			a.Evidence = nil
			want.Analyses = append(want.Analyses, a)
		case "reflection":
			want.Reflections = append(want.Reflections, decode[phase.Reflection](t, e))
		case "recommend":
			want.Recommend = phase.Recommend{Ranking: decode[phase.Recommend](t, e).Ranking}
		}
	}
	if !reflect.DeepEqual(read, want) {
		t.Errorf("read\n%+v\nsaid\n%+v", read, want)
	}
	return read
}

func decode[B message.Body](t *testing.T, e message.Envelope) B {
	b, err := message.Decode[B](e)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
