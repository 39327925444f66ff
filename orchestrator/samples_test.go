package orchestrator_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/orchestrator"
	"github.com/mars-rec/mars/tasks/taskstest"
)

// TestSamples: each sample of each task is drawn with a seed of its own, the
// first with that of a batch that makes no other; what is there is not made
// again.
func TestSamples(t *testing.T) {
	seeds := func(l *ledger, samples int) (orchestrator.Totals, []int64) {
		var mu sync.Mutex
		var seen []int64
		ear := model.Func(func(ctx context.Context, r model.Request) (model.Reply, error) {
			mu.Lock()
			seen = append(seen, *r.Sampling.Seed)
			mu.Unlock()
			return parrot(ctx, r)
		})
		source, task := taskstest.Library()
		team := orchestrator.DefaultTeam()
		for i := range team.Seats {
			team.Seats[i].Tools = nil
		}
		o, err := orchestrator.New(orchestrator.Config{Source: source, Cast: (&troupe{}).Cast, Team: team,
			Model: orchestrator.Model{Name: "ear", Model: ear}, Seed: 7})
		if err != nil {
			t.Fatal(err)
		}
		totals, err := o.Batch(t.Context(), many(task, 3), l, orchestrator.BatchConfig{Samples: samples, Concurrency: 2})
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(seen)
		return totals, slices.Compact(seen)
	}
	empty := func() *ledger { return &ledger{done: map[string]orchestrator.Result{}, failed: map[string]error{}} }
	_, alone := seeds(empty(), 0)
	l := empty()
	totals, first := seeds(l, 1)
	if !slices.Equal(alone, first) || len(first) != 3 || totals.Done != 3 {
		t.Errorf("one sample has the seeds %v, a batch without samples %v; %+v", first, alone, totals)
	}
	totals, added := seeds(l, 4)
	if len(added) != 9 || totals.Done != 9 || totals.Skipped != 3 {
		t.Errorf("the added samples have the seeds %v; %+v", added, totals)
	}
	for _, s := range added {
		if slices.Contains(first, s) {
			t.Errorf("an added sample has the seed %d of a first one", s)
		}
	}
	for _, id := range []string{"t0", "t0~2", "t0~4", "t2~3"} {
		if _, ok := l.done[id]; !ok {
			t.Errorf("there is no run %s", id)
		}
	}
	if strings.Contains(orchestrator.SampleID("t", 1), "~") {
		t.Error("the first sample does not go by the id of the task")
	}
}
