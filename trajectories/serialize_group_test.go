package trajectories_test

import (
	"slices"
	"testing"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/message/phase"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/tasks/taskstest"
	"github.com/mars-rec/mars/trajectories"
)

// saidBy counts the assistant's turns of a conversation, and lists its calls.
func saidBy(messages []model.Message) (turns int, calls []string) {
	for _, m := range messages {
		if m.Role == model.Assistant {
			turns++
		}
		for _, c := range m.ToolCalls {
			calls = append(calls, c.Name+" "+c.Arguments)
		}
	}
	slices.Sort(calls)
	return turns, calls
}

func TestMembersWhoWorkAtOnceCallAtOnce(t *testing.T) {
	source, task := taskstest.Library()
	tr := teach(t, source, task)
	apart, together := linear(t, tr, trajectories.Linear{}), linear(t, tr, trajectories.Linear{Parallel: true})
	many, calls := saidBy(apart)
	few, same := saidBy(together)
	if many < 5 || few >= many || !slices.Equal(calls, same) {
		t.Errorf("%d turns instead of %d, with the calls\n%q\ninstead of\n%q", few, many, same, calls)
	}
	one, other := readBack(t, tr, apart), readBack(t, tr, together)
	if len(other.Analyses) != len(one.Analyses) || len(other.Deviations) > 0 {
		t.Errorf("%d analyses read back, want %d; deviations %v", len(other.Analyses), len(one.Analyses), other.Deviations)
	}
	for i, a := range one.Analyses {
		if b := other.Analyses[i]; a.Role != b.Role || a.Summary != b.Summary {
			t.Errorf("analysis %d is of %s, want %s", i, b.Role, a.Role)
		}
	}
}

func TestWhoHasHeardAnotherCallsAfterwards(t *testing.T) {
	source, task := taskstest.Library()
	tr := teach(t, source, task)
	free, _ := saidBy(linear(t, tr, trajectories.Linear{Parallel: true}))
	var concluded message.ID
	for i, e := range tr.Log {
		// Each analyst is asked after the one before: its brief refers to that one's analysis.
		if e.To != "" && e.ID.Cause() == message.Root && concluded != "" {
			tr.Log[i].Refs = append(slices.Clone(e.Refs), concluded)
		}
		if e.Kind == (phase.Analysis{}).Kind() {
			concluded = e.ID
		}
	}
	chained := linear(t, tr, trajectories.Linear{Parallel: true})
	if got, want := show(chained), show(linear(t, tr, trajectories.Linear{})); got != want {
		t.Errorf("a chain of members is told otherwise than one after another:\n%s\nwant\n%s", got, want)
	}
	if turns, _ := saidBy(chained); turns <= free {
		t.Errorf("a chain takes %d turns, members at once %d", turns, free)
	}
}

func TestWhatRefersToNothingIsToldInItsOrder(t *testing.T) {
	if got, want := show(linear(t, revised(t), trajectories.Linear{Parallel: true})), show(linear(t, revised(t), trajectories.Linear{})); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
