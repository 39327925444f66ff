package orchestrator_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/orchestrator"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tasks/taskstest"
)

// spoken is a team whose every role speaks with the model.
func spoken(t *testing.T, m model.Model) (*orchestrator.Orchestrator, tasks.Task) {
	t.Helper()
	source, task := taskstest.Library()
	team := orchestrator.DefaultTeam()
	for i := range team.Seats {
		team.Seats[i].Tools = nil
	}
	o, err := orchestrator.New(orchestrator.Config{Source: source, Cast: (&troupe{}).Cast, Team: team, Model: orchestrator.Model{Name: "m", Model: m}})
	if err != nil {
		t.Fatal(err)
	}
	return o, task
}

func nothingDone() *ledger {
	return &ledger{done: map[string]orchestrator.Result{}, failed: map[string]error{}}
}

// TestBatchHalts: an error that would end every run ends none: those that it
// meets are interrupted, and no new one starts.
func TestBatchHalts(t *testing.T) {
	spent := errors.New("spent")
	var calls atomic.Int64
	o, task := spoken(t, model.Func(func(ctx context.Context, r model.Request) (model.Reply, error) {
		if calls.Add(1) > 20 {
			return model.Reply{}, fmt.Errorf("x: %w", spent)
		}
		return parrot(ctx, r)
	}))
	l := nothingDone()
	totals, err := o.Batch(t.Context(), many(task, 1000), l, orchestrator.BatchConfig{Concurrency: 2, Patience: 3, Halt: func(err error) bool { return errors.Is(err, spent) }})
	if !errors.Is(err, spent) || totals.Done == 0 || totals.Interrupted == 0 || totals.Interrupted > 4 {
		t.Errorf("%+v, %v", totals, err)
	}
	for run, cause := range l.failed {
		if errors.Is(cause, spent) {
			t.Errorf("%s has failed: %v", run, cause)
		}
	}
}

func TestBatchLimitsTheTimeOfARun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, task := spoken(t, model.Func(func(ctx context.Context, _ model.Request) (model.Reply, error) {
			<-ctx.Done()
			return model.Reply{}, context.Cause(ctx)
		}))
		l, start := nothingDone(), time.Now()
		totals, err := o.Batch(t.Context(), many(task, 3), l, orchestrator.BatchConfig{Timeout: time.Minute})
		if err != nil || totals.Failed != 3 || time.Since(start) != 3*time.Minute {
			t.Errorf("%+v, %v after %s", totals, err, time.Since(start))
		}
		if cause := l.failed["t0"]; cause == nil || !strings.Contains(cause.Error(), "no ranking within 1m0s") {
			t.Errorf("cause %v", cause)
		}
	})
}

// TestBatchTellsPaidFromCached: what a cache answered is not counted as paid.
func TestBatchTellsPaidFromCached(t *testing.T) {
	var calls atomic.Int64
	o, task := spoken(t, model.Func(func(ctx context.Context, r model.Request) (model.Reply, error) {
		reply, err := parrot(ctx, r)
		reply.Usage = &message.Usage{InputTokens: 10}
		reply.Cached = calls.Add(1)%7 == 0
		return reply, err
	}))
	totals, err := o.Batch(t.Context(), many(task, 4), nothingDone(), orchestrator.BatchConfig{})
	all := int(calls.Load())
	if err != nil || totals.Cached != all/7 || totals.CachedUsage.InputTokens != 10*(all/7) || totals.Calls != all-all/7 || totals.Usage.InputTokens != 10*totals.Calls {
		t.Errorf("%+v of %d calls, %v", totals, all, err)
	}
}
