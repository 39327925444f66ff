package star_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mars-rec/mars/agents"
	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/message/phase"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/model/modeltest"
	"github.com/mars-rec/mars/star"
	"github.com/mars-rec/mars/tasks/taskstest"
	"github.com/mars-rec/mars/tools"
	"github.com/mars-rec/mars/trajectories"
)

// planning asks a student with that model for the plan of a team that has the
// role recent, and returns what it was asked and what went into the log.
func planning(t *testing.T, detail trajectories.Detail, replies ...model.Reply) (message.Body, []model.Request, []message.Envelope, error) {
	t.Helper()
	source, task := taskstest.Library()
	view, err := source.View(task)
	if err != nil {
		t.Fatal(err)
	}
	set, err := tools.Open(view, toolbox()...)
	if err != nil {
		t.Fatal(err)
	}
	body, err := message.Marshal(phase.Brief{Roles: []string{"recent"}})
	if err != nil {
		t.Fatal(err)
	}
	asked := message.Envelope{ID: "1.1", From: "team", To: "planner", Kind: phase.Brief{}.Kind(), Body: body}
	var log trajectories.Recorder
	script := modeltest.NewScript(replies...)
	turn := agents.NewTurn(asked, "planner", agents.Config{Log: &log, Clock: func() time.Time { return time.Unix(0, 0) }, Model: script, Name: "m", Tools: set})
	plan, err := star.Config{Detail: detail}.Planner(view).Handle(t.Context(), turn)
	return plan, script.Requests(), log.Log(), err
}

const good = "<plan>\nLook.\n- recent (collaborative): the last items\n</plan>"

// TestAStudentPlansForOthers: asked as it was trained, its plan is the plan,
// however its server ends the reply.
func TestAStudentPlansForOthers(t *testing.T) {
	call := []model.ToolCall{{ID: "x", Name: "item_cf", Arguments: "{}"}}
	for name, reply := range map[string]model.Reply{
		"stopped before the tag":  modeltest.Say(strings.TrimSuffix(good, "</plan>")),
		"stopped after the tag":   modeltest.Say(good),
		"never stopped":           modeltest.Say(good + "\n<tool_call>{\"name\": \"item_cf\", \"arguments\": {}}</tool_call>"),
		"with calls taken out":    {Message: model.Message{Content: good, ToolCalls: call}, Finish: "tool_calls"},
		"with more than was told": modeltest.Say("Let me think.\n" + good + "\n<analysis role=\"recent\">\nx\n</analysis>\n" + good),
		"in JSON":                 modeltest.Say(`<plan>{"summary": "Look.", "subtasks": [{"role": "recent", "goal": "the last items", "collaborative": true}]}`),
	} {
		for _, detail := range []trajectories.Detail{trajectories.Full, trajectories.Brief} {
			got, requests, log, err := planning(t, detail, reply)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			want := phase.Plan{Summary: "Look.", Subtasks: []phase.Subtask{{Role: "recent", Goal: "the last items", Collaborative: true}}}
			if p, ok := got.(phase.Plan); !ok || p.Summary != want.Summary || !slices.Equal(p.Subtasks, want.Subtasks) {
				t.Errorf("%s: the plan is %+v", name, got)
			}
			asked := requests[0]
			if d, err := trajectories.DetailOf(asked.Messages); err != nil || d != detail || len(asked.Messages) != 2 {
				t.Errorf("%s: asked with %d messages of detail %q, %v", name, len(asked.Messages), d, err)
			}
			if len(requests) != 1 || asked.Stop != "</plan>" || len(asked.Tools) != len(toolbox()) || asked.Format != nil {
				t.Errorf("%s: asked %d times, to stop at %q, with %d tools, format %v", name, len(requests), asked.Stop, len(asked.Tools), asked.Format)
			}
			if len(log) != 3 || log[2].Kind != (model.Output{}).Kind() {
				t.Errorf("%s: the log has %d messages", name, len(log))
			}
		}
	}
}

// TestABadPlanIsRepairedOnce: the model is told what is wrong; if it does not
// mend it, the error says what it was.
func TestABadPlanIsRepairedOnce(t *testing.T) {
	for wrong, reply := range map[string]model.Reply{
		"there is no <plan>":      modeltest.Say("I would rank c01 first."),
		`role "critic"`:           modeltest.Say("<plan>\nLook.\n- critic: doubt it all\n</plan>"),
		"cut off":                 {Message: model.Message{Content: "<plan>\nLook, and look"}, Finish: "length"},
		"lacks its summary":       modeltest.Say("<plan>\n- recent: the last items\n</plan>"),
		"the plan has no subtask": modeltest.Say("<plan>\nLook.\n</plan>"),
	} {
		got, requests, _, err := planning(t, trajectories.Full, reply, modeltest.Say(good))
		if err != nil || len(got.(phase.Plan).Subtasks) != 1 || len(requests) != 2 {
			t.Errorf("%s: %v after %d requests: %v", wrong, got, len(requests), err)
			continue
		}
		told := requests[1].Messages
		if last := told[len(told)-1]; last.Role != model.User || !strings.Contains(last.Content, "cannot be used") || len(told) != 4 {
			t.Errorf("%s: told %q", wrong, last.Content)
		}
		if _, _, _, err = planning(t, trajectories.Full, reply, reply); err == nil || !strings.Contains(err.Error(), "planner: reply 1.1.5 cannot be used after a repair") || !strings.Contains(err.Error(), wrong) {
			t.Errorf("%s: the error is %v", wrong, err)
		}
	}
	// Nothing but calls: they are answered by nobody, and not shown again.
	calls := model.Reply{Message: model.Message{ToolCalls: []model.ToolCall{{ID: "x", Name: "item_cf", Arguments: "{}"}}}, Finish: "tool_calls"}
	if _, requests, _, err := planning(t, trajectories.Full, calls, modeltest.Say(good)); err != nil || len(requests[1].Messages) != 3 {
		t.Errorf("after calls alone: %v, %d messages", err, len(requests[1].Messages))
	}
}
