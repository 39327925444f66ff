package star_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mars-rec/mars/agents"
	"github.com/mars-rec/mars/message/phase"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/model/builtin"
	"github.com/mars-rec/mars/model/modeltest"
	"github.com/mars-rec/mars/orchestrator"
	"github.com/mars-rec/mars/star"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tasks/gold"
	"github.com/mars-rec/mars/tasks/taskstest"
	"github.com/mars-rec/mars/tools"
	"github.com/mars-rec/mars/tools/catalog"
	"github.com/mars-rec/mars/tools/cf"
	"github.com/mars-rec/mars/trajectories"
	"github.com/mars-rec/mars/trajectories/reward"
)

var roles = []string{"divergence", "historical", "profile", "recent"}

func toolbox() []tools.Named {
	return slices.Concat(cf.Tools(cf.Config{}), catalog.Tools(catalog.Config{}))
}

// ask lets a student with that model work on the library's task.
func ask(t *testing.T, m model.Model, cfg star.Config) (star.Answer, error) {
	t.Helper()
	source, task := taskstest.Library()
	return askOf(t, source, task, m, cfg)
}

func askOf(t *testing.T, source tasks.Source, task tasks.Task, m model.Model, cfg star.Config) (star.Answer, error) {
	view, err := source.View(task)
	if err != nil {
		t.Fatal(err)
	}
	s := star.Student{Model: m, Name: "m", Tools: toolbox(), Config: cfg, Clock: func() time.Time { return time.Unix(0, 0) }}
	return s.Recommend(t.Context(), view)
}

const plan = "<plan>\nLook.\n- recent: the last items\n</plan>\n"

func end(labels []string) string {
	return phase.Write(phase.Reflection{Verdict: phase.Accept}) + "\n" + phase.Write(phase.Recommend{Ranking: labels})
}

// TestOneConversation: however the server gives the calls back, the run is told
// as one conversation in the form, and is worth its ranking.
func TestOneConversation(t *testing.T) {
	_, task := taskstest.Library()
	answer := end(task.Labels())
	for name, replies := range map[string][]model.Reply{
		"calls taken out": {
			{Message: model.Message{Content: plan, ToolCalls: []model.ToolCall{{ID: "x", Name: "user_profile", Arguments: "{}"}}}, Finish: "tool_calls"},
			modeltest.Say(answer),
		},
		"calls in the text": {
			modeltest.Say(plan + `<tool_call>{"name": "user_profile", "arguments": {}}</tool_call>`),
			modeltest.Say(answer),
		},
		"one of two broken": {
			modeltest.Say(plan + `<tool_call>{"name": "user_profile", "arguments": {}}</tool_call><tool_call>{"name": "item_cf", "arg</tool_call>`),
			modeltest.Say(answer),
		},
		"stopped at the end": {
			modeltest.Say(plan + `<tool_call>{"name": "user_profile", "arguments": {}}</tool_call>`),
			modeltest.Say(strings.TrimSuffix(answer, "</recommend>")),
		},
	} {
		script := modeltest.NewScript(replies...)
		got, err := ask(t, script, star.Config{Form: trajectories.Form{Roles: roles}})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !slices.Equal(got.Ranking, task.Candidates) {
			t.Errorf("%s: ranked %v", name, got.Ranking)
		}
		told, err := trajectories.Serialize(got.Trajectory, trajectories.Linear{})
		if err != nil {
			t.Fatal(err)
		}
		requests := script.Requests()
		last := requests[len(requests)-1]
		if len(told) != len(last.Messages)+1 || last.Stop != "</recommend>" || len(last.Tools) != len(toolbox()) {
			t.Errorf("%s: told in %d messages, asked with %d, to stop at %q, %d tools", name, len(told), len(last.Messages), last.Stop, len(last.Tools))
		}
		right := gold.Gold{ID: task.ID, Items: task.Candidates[:1]}
		score, err := reward.Paper(t.Context(), got.Trajectory, right)
		want := 2.0
		if name == "one of two broken" {
			want = -1 // a call that cannot be read is no valid syntax
		}
		if err != nil || score.Value != want {
			t.Errorf("%s is worth %v, %v, want %v", name, score, err, want)
		}
	}
}

// TestTheRuleStudent: the rules of the team in one voice give the same
// ranking, and with hostile texts too.
func TestTheRuleStudent(t *testing.T) {
	for name, world := range map[string]func() (*taskstest.Source, tasks.Task){"library": taskstest.Library, "hostile": taskstest.Hostile} {
		source, task := world()
		got, err := askOf(t, source, task, builtin.New(builtin.Config{}), star.Config{Form: trajectories.Form{Roles: roles}})
		if err != nil {
			t.Fatal(name, err)
		}
		told, err := trajectories.Serialize(got.Trajectory, trajectories.Linear{})
		if err != nil {
			t.Fatal(err)
		}
		read, err := trajectories.Parse(told, task.Labels(), trajectories.Form{Roles: roles})
		if err != nil || len(read.Analyses) != 4 || len(read.Deviations) > 0 {
			t.Errorf("%s: %d analyses, deviations %v, %v", name, len(read.Analyses), read.Deviations, err)
		}
		if said, err := got.Trajectory.Roles(); err != nil || !slices.Equal(slices.Sorted(slices.Values(said)), roles) {
			t.Errorf("%s: the log speaks of %v, %v", name, said, err)
		}
	}
}

func TestSeatedAloneItReplays(t *testing.T) {
	source, task := taskstest.Library()
	var names []string
	for _, tool := range toolbox() {
		names = append(names, tool.Name)
	}
	run := func(m model.Model, record agents.Record) *trajectories.Trajectory {
		o, err := orchestrator.New(orchestrator.Config{
			Team: orchestrator.Team{Seats: []agents.Seat{star.Seat(names)}}, Source: source, Tools: toolbox(), Model: orchestrator.Model{Name: "m", Model: m},
			Cast: func(_ agents.Seat, v tasks.View) (agents.Agent, error) {
				return star.Config{Form: trajectories.Form{Roles: roles}}.Agent(v), nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		var log trajectories.Recorder
		res, err := o.Run(t.Context(), task, &log, record)
		if err != nil {
			t.Fatal(err)
		}
		return log.Trajectory(trajectories.Run{ID: task.ID, Task: task, Status: trajectories.Done, Ranking: res.Ranking})
	}
	live := run(builtin.New(builtin.Config{}), nil)
	never := model.Func(func(context.Context, model.Request) (model.Reply, error) {
		return model.Reply{}, errors.New("a replay asks nobody")
	})
	again := run(never, trajectories.Replay(live))
	if a, b := trajectories.Seal(live.Log), trajectories.Seal(again.Log); a != b {
		d, _ := trajectories.Diff(live, again)
		t.Errorf("the replay is another run: %v", d)
	}
}

func TestBounds(t *testing.T) {
	_, task := taskstest.Library()
	call := modeltest.Call("user_profile", "{}")
	got, err := ask(t, modeltest.NewScript(call, call, modeltest.Say(end(task.Labels()))), star.Config{Calls: 1})
	if err != nil {
		t.Fatal(err)
	}
	told, err := trajectories.Serialize(got.Trajectory, trajectories.Linear{})
	if err != nil || told[5].Content != "error: 1 calls were made, which is all: answer now" {
		t.Errorf("the second call hears %q, %v", told[5].Content, err)
	}
	cut := modeltest.Say(end(task.Labels()))
	cut.Finish = "length"
	for name, replies := range map[string][]model.Reply{
		"no answer after 2 replies": {call, call, call},
		"cut off":                   {cut},
		"lacks c12":                 {modeltest.Say(end(task.Labels()[:11]))},
		"has no answer":             {modeltest.Say("I do not know.")},
	} {
		got, err := ask(t, modeltest.NewScript(replies...), star.Config{Steps: 2})
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%v, want an error with %q", err, name)
		}
		if got.Trajectory == nil || len(got.Trajectory.Log) < 4 || got.Trajectory.Run.Status != trajectories.Failed {
			t.Errorf("%s: what was said is lost: %+v", name, got.Trajectory)
		}
	}
}

func TestTheFixedPartComesFirst(t *testing.T) {
	source, task := taskstest.Library()
	first := func(task tasks.Task) model.Request {
		script := modeltest.NewScript(modeltest.Say(end(task.Labels())))
		if _, err := askOf(t, source, task, script, star.Config{}); err != nil {
			t.Fatal(err)
		}
		return script.Requests()[0]
	}
	one := first(task)
	task.ID, task.User, task.AsOf = "other", "u09", task.AsOf.Add(-time.Hour)
	two := first(task)
	if one.Messages[0].Content != two.Messages[0].Content || one.Messages[1].Content == two.Messages[1].Content {
		t.Error("what is sent first changes with the task")
	}
}
