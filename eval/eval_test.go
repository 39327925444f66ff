package eval_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/mars-rec/mars/eval"
	"github.com/mars-rec/mars/graph/rank"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tasks/gold"
	"github.com/mars-rec/mars/tasks/taskstest"
)

// cases are n tasks whose gold item is the ith candidate.
func cases(n int) []gold.Case {
	_, task := taskstest.Library()
	var all []gold.Case
	for i := range n {
		c := gold.Case{Task: task}
		c.Task.ID = fmt.Sprintf("t%d", i)
		c.Task.User = fmt.Sprintf("u%02d", i/2)
		c.Gold = gold.Gold{ID: c.Task.ID, Items: []string{task.Candidates[i%len(task.Candidates)]}}
		all = append(all, c)
	}
	return all
}

func TestRun(t *testing.T) {
	all := cases(4) // gold at places 1, 2, 3, 4 of the candidates
	asGiven := eval.System{Name: "as given", Rank: func(_ context.Context, t tasks.Task) ([]string, error) { return t.Candidates, nil }}
	answers := map[string][]string{"t0": all[0].Gold.Items, "t1": {"nothing", all[1].Gold.Items[0]}, "t2": nil} // t3 is not answered
	report, err := eval.Run(t.Context(), all, []eval.System{asGiven, eval.Rankings("answers", answers)}, eval.Config{Rounds: 100})
	if err != nil {
		t.Fatal(err)
	}
	if report.Cases != 4 || report.Users != 2 || report.Scenarios["classic"] != 4 {
		t.Errorf("report is of %d cases, %d users, %v", report.Cases, report.Users, report.Scenarios)
	}
	first, second := report.Rows[0], report.Rows[1]
	if first.HR1 != 0.25 || first.HR3 != 0.75 || first.HR5 != 1 || first.Missing != 0 || first.Against != nil {
		t.Errorf("as given: %+v", first)
	}
	if second.HR1 != 0.25 || second.HR3 != 0.5 || second.HR5 != 0.5 || second.Missing != 2 {
		t.Errorf("answers: %+v", second)
	}
	if want := first.MeanHR - second.MeanHR; second.Against == nil || second.Against.Difference != want || second.Against.Clusters != 2 {
		t.Errorf("the difference is %+v, want %g over 2 users", second.Against, want)
	}
	if r := report.Ranks[1]; r.Case != "t1" || !slices.Equal(r.Ranks, []int{2, 2}) {
		t.Errorf("ranks of the second case are %+v", r)
	}
}

func TestControlsDoNotDependOnTheOrderOfTheCandidates(t *testing.T) {
	source, task := taskstest.Library()
	for _, r := range rank.Controls() {
		if r.Name() == rank.Identity().Name() || r.Name() == rank.Random().Name() {
			continue
		}
		system := eval.Control(r, source.Graph())
		want, err := system.Rank(t.Context(), task)
		if err != nil {
			t.Fatal(err)
		}
		turned := task
		turned.Candidates = slices.Clone(task.Candidates)
		slices.Reverse(turned.Candidates)
		got, err := system.Rank(t.Context(), turned)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s ranks %v, and %v when the candidates are turned around", r.Name(), want, got)
		}
	}
}

func TestErrorsNameSystemAndCase(t *testing.T) {
	bad := eval.System{Name: "bad", Rank: func(context.Context, tasks.Task) ([]string, error) { return nil, errors.New("no disk") }}
	if _, err := eval.Run(t.Context(), cases(1), []eval.System{bad}, eval.Config{}); err == nil || !strings.Contains(err.Error(), "bad on t0: no disk") {
		t.Errorf("error is %v", err)
	}
	if _, err := eval.Run(t.Context(), nil, nil, eval.Config{}); err == nil {
		t.Error("no cases are evaluated")
	}
}
