// Command mars is the workload by this repository, put together as `mars synth`
// does it: the orchestrator with its default team, and a model behind retries,
// budget, rate limit, breaker and time limit. The agents are the workload's own,
// so that everybody sends the same prompts.
//
//	-variant ""        every message is kept in a run store, written behind
//	-variant step      the same, each paid step waits for the disk
//	-variant no-store  nothing is kept
//	-variant command   written behind, with the garbage collector as the command sets it
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/mars-rec/mars/agents"
	"github.com/mars-rec/mars/bench/frameworks/measure"
	"github.com/mars-rec/mars/graph"
	"github.com/mars-rec/mars/internal/collector"
	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/model/budget"
	"github.com/mars-rec/mars/model/openai"
	"github.com/mars-rec/mars/orchestrator"
	"github.com/mars-rec/mars/orchestrator/ledger"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tasks/taskstest"
	"github.com/mars-rec/mars/trajectories"
	"github.com/mars-rec/mars/trajectories/store"
)

func main() { measure.Main(open) }

// side is the team with what it stands on.
type side struct {
	*orchestrator.Orchestrator
	store   *store.Store // nil: nothing is kept
	journal *budget.Journal
	dir     string
	done    func()
}

func open(ctx context.Context, cfg measure.Config) (_ measure.Side, err error) {
	s := &side{done: cfg.Done}
	if cfg.Variant == "command" {
		collector.Follow()
	}
	if s.dir, err = os.MkdirTemp("", "mars-frameworks-"); err != nil {
		return nil, err
	}
	const atOnce = 4 // analysts of each run
	llm, err := openai.New("bench-1", openai.Config{BaseURL: cfg.URL, Key: "key", Conns: atOnce * cfg.AtOnce})
	if err != nil {
		return nil, err
	}
	if s.journal, err = budget.OpenJournal(filepath.Join(s.dir, "run.db.spend"), budget.Prices{}); err != nil {
		return nil, err
	}
	account, err := budget.New(budget.Config{Journal: s.journal})
	if err != nil {
		return nil, err
	}
	limiter := model.NewLimiter(model.LimitConfig{Concurrency: atOnce * cfg.AtOnce})
	held := limiter.Wrap(model.NewBreaker(model.BreakerConfig{}).Wrap(model.Timeout(llm, 5*time.Minute)))
	paid, err := account.Wrap("openai:bench-1", held)
	if err != nil {
		return nil, err
	}
	team := orchestrator.DefaultTeam()
	for i := range team.Seats {
		if team.Seats[i].Kind == "analyst" {
			team.Seats[i].Tools = toolNames()
		}
	}
	s.Orchestrator, err = orchestrator.New(orchestrator.Config{
		Team:   team,
		Source: taskstest.New(nil, nil, []graph.Interaction{{User: "u", Item: "i", Time: 1}}, nil),
		Tools:  namedTools(cfg.World),
		Cast:   cast(cfg.World),
		Model:  orchestrator.Model{Name: "openai:bench-1", Model: model.Retry(paid, model.RetryConfig{})},
		Seed:   42,
	})
	if err != nil || cfg.Variant == "no-store" {
		return s, err
	}
	s.store, err = store.Open(ctx, filepath.Join(s.dir, "run.db"), store.Config{
		Manifest: &trajectories.Manifest{Team: "bench", Seed: 42}, Step: cfg.Variant == "step"})
	if err != nil {
		return nil, err
	}
	for from := 0; from < cfg.Total; from += page {
		var planned []store.Planned
		for n := from; n < min(from+page, cfg.Total); n++ {
			planned = append(planned, store.Planned{ID: task(n).ID, Task: task(n)})
		}
		if err := s.store.AddAs(ctx, planned...); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// page is how many runs are announced to the store at once.
const page = 4096

// Batch implements [measure.Side].
func (s *side) Batch(ctx context.Context, first, n, atOnce int) error {
	var to orchestrator.Ledger = nowhere{}
	if s.store != nil {
		to = ledger.New(s.store)
	}
	list := func(yield func(tasks.Task, error) bool) {
		for i := range n {
			if !yield(task(first+i), nil) {
				return
			}
		}
	}
	var failed error
	totals, err := s.Orchestrator.Batch(ctx, list, to, orchestrator.BatchConfig{Concurrency: atOnce, Patience: 1,
		Progress: func(e orchestrator.Event) {
			switch e.Outcome {
			case orchestrator.Failed:
				failed = e.Err
			case orchestrator.Done:
				s.done()
			}
		}})
	if err := errors.Join(err, failed); err != nil {
		return err
	}
	if totals.Done != n {
		return fmt.Errorf("%d of %d runs are done", totals.Done, n)
	}
	return nil
}

// Close implements [measure.Side].
func (s *side) Close() (int64, error) {
	defer os.RemoveAll(s.dir)
	if err := s.journal.Close(); err != nil || s.store == nil {
		return 0, err
	}
	if err := s.store.Close(); err != nil {
		return 0, err
	}
	info, err := os.Stat(filepath.Join(s.dir, "run.db"))
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// nowhere is a ledger that keeps nothing.
type nowhere struct{}

// Begin implements [orchestrator.Ledger].
func (nowhere) Begin(context.Context, string, tasks.Task) (orchestrator.Entry, error) {
	return nowhere{}, nil
}

// Append implements [message.Log].
func (nowhere) Append(context.Context, message.Envelope) error { return nil }

// Recall implements [agents.Record].
func (nowhere) Recall(message.ID, string) (message.Envelope, bool, error) {
	return message.Envelope{}, false, nil
}

// Seal implements [orchestrator.Entry].
func (nowhere) Seal(context.Context, orchestrator.Result) error { return nil }

// Fail implements [orchestrator.Entry].
func (nowhere) Fail(context.Context, error) error { return nil }

var _ agents.Record = nowhere{}
