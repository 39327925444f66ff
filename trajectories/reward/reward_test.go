package reward_test

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/message/phase"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tasks/gold"
	"github.com/mars-rec/mars/tools"
	"github.com/mars-rec/mars/trajectories"
	"github.com/mars-rec/mars/trajectories/reward"
)

// run is a well-formed run over seven items, ranked in the order of their
// labels.
func run() *trajectories.Trajectory {
	task := tasks.Task{ID: "t1", User: "u", AsOf: time.Date(2018, 1, 1, 0, 0, 0, 0, time.UTC)}
	var prompt strings.Builder
	for i := range 7 {
		task.Candidates = append(task.Candidates, fmt.Sprintf("i%d", i+1))
		fmt.Fprintf(&prompt, "%s | Title %d\n", tasks.Label(i), i+1)
	}
	t := &trajectories.Trajectory{Run: trajectories.Run{ID: "t1", Task: task}}
	call := model.ToolCall{ID: "call_1_1_2_1", Name: "item_cf", Arguments: "{}"}
	for i, b := range []message.Body{
		model.Message{Role: model.User, Content: prompt.String()},
		phase.Plan{Summary: "look", Subtasks: []phase.Subtask{{Role: "recent", Goal: "it"}}},
		model.Output{Message: model.Message{Role: model.Assistant, ToolCalls: []model.ToolCall{call}}},
		tools.Result{Call: call.ID, Tool: call.Name, Value: json.RawMessage(`{}`)},
		phase.Analysis{Role: "recent", Summary: "thin", Claims: []string{}},
		phase.Reflection{Verdict: phase.Accept, Issues: []string{}},
		phase.Recommend{Ranking: task.Labels()},
	} {
		raw, err := message.Marshal(b)
		if err != nil {
			panic(err)
		}
		t.Log = append(t.Log, message.Envelope{ID: message.Root.Child(i + 1), Kind: b.Kind(), Body: raw})
	}
	return t
}

func paper(t *testing.T, tr *trajectories.Trajectory, items ...string) trajectories.Score {
	s, err := reward.Paper(context.Background(), tr, gold.Gold{ID: "t1", Items: items})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestOutcomeByRank(t *testing.T) {
	for rank, want := range map[int]float64{1: 1, 2: 2. / 3, 3: 2. / 3, 4: 1. / 3, 5: 1. / 3, 6: 0, 7: 0} {
		s := paper(t, run(), fmt.Sprintf("i%d", rank))
		if s.Value != 1+want || s.Parts["outcome"] != want || s.Parts["format"] != 1 || s.Parts["rank"] != float64(rank) {
			t.Errorf("rank %d: %+v, want outcome %v", rank, s, want)
		}
	}
	if s := paper(t, run(), "i6", "i2"); s.Parts["rank"] != 2 {
		t.Errorf("the best of two right items: %+v", s)
	}
	if s := paper(t, run(), "i99"); s.Value != 1 || s.Parts["rank"] != 0 {
		t.Errorf("a right item that is no candidate: %+v", s)
	}
	if reward.Outcome(0) != 0 || reward.Outcome(-1) != 0 {
		t.Error("no rank is worth something")
	}
}

func TestWhatIsMalformedHasNoOutcome(t *testing.T) {
	for name, drop := range map[string]message.Kind{"plan": "plan", "call": "result", "reflection": "reflection", "ranking": "recommend"} {
		tr := run()
		var log []message.Envelope
		for _, e := range tr.Log {
			if e.Kind != drop {
				log = append(log, e)
			}
		}
		tr.Log = log
		s := paper(t, tr, "i1")
		if s.Value != -1 || s.Parts["format"] != -1 || s.Parts["outcome"] != 0 || s.Note == "" {
			t.Errorf("without a %s: %+v", name, s)
		}
	}
	tr := run()
	last := len(tr.Log) - 1
	tr.Log[last].Body = json.RawMessage(`{"ranking":["c01","c02","c03","c04","c05","c06","c06"]}`)
	if s := paper(t, tr, "i1"); s.Value != -1 || !strings.Contains(s.Note, "lacks c07") {
		t.Errorf("a label twice: %+v", s)
	}
}

func TestGoldOfAnotherTask(t *testing.T) {
	for _, g := range []gold.Gold{{ID: "t2", Items: []string{"i1"}}, {ID: "t1"}, {}} {
		if s, err := reward.Paper(context.Background(), run(), g); err == nil {
			t.Errorf("%+v is scored %+v", g, s)
		}
	}
}

// TestAConversationIsScoredAsItsRun: the messages that a run is told in have
// the score of the run, whole and with any one of them missing.
func TestAConversationIsScoredAsItsRun(t *testing.T) {
	tr, g := run(), gold.Gold{ID: "t1", Items: []string{"i3"}}
	messages, err := trajectories.Serialize(tr, trajectories.Linear{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := reward.Conversation(tr.Run.Task, messages, trajectories.Form{Roles: []string{"recent"}}, g)
	if want := paper(t, tr, "i3"); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("the conversation has %+v, %v, the run %+v", got, err, want)
	}
	for i := 2; i < len(messages); i++ {
		short := slices.Delete(slices.Clone(messages), i, i+1)
		if got, err := reward.Conversation(tr.Run.Task, short, trajectories.Form{Roles: []string{"recent"}}, g); err != nil || got.Value != -1 || got.Note == "" {
			t.Errorf("without message %d: %+v, %v", i, got, err)
		}
	}
	if got, err := reward.Conversation(tr.Run.Task, messages, trajectories.Form{Roles: []string{"profile"}}, g); err != nil || got.Value != -1 {
		t.Errorf("a plan for roles that are not there: %+v, %v", got, err)
	}
	if got, err := reward.Conversation(tr.Run.Task, messages, trajectories.Form{}, gold.Gold{ID: "t2", Items: []string{"i3"}}); err == nil {
		t.Errorf("the gold of another task: %+v", got)
	}
}
