package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/mars-rec/mars/agents"
	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/model/budget"
	"github.com/mars-rec/mars/model/modeltest"
	"github.com/mars-rec/mars/orchestrator"
	"github.com/mars-rec/mars/orchestrator/cluster"
	"github.com/mars-rec/mars/orchestrator/ledger"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/trajectories"
	"github.com/mars-rec/mars/trajectories/store"
)

// provider bills each call with the tokens that it can come to at most, or fewer.
type provider struct {
	mu     sync.Mutex
	billed int64
	calls  int
	each   func(ctx context.Context, n int) // may be nil
}

func (p *provider) Generate(ctx context.Context, req model.Request) (model.Reply, error) {
	p.mu.Lock()
	p.calls++
	n := p.calls
	in, out := req.MaxInput()-n%7, req.Sampling.MaxTokens-n%5
	p.billed += int64(in + out)
	each := p.each
	p.mu.Unlock()
	if each != nil {
		each(ctx, n)
	}
	if n%11 == 0 { // it has worked, and nobody hears of it
		return model.Reply{}, &model.Error{Temporary: true, Err: errors.New("cut")}
	}
	reply := modeltest.Say("yes")
	reply.Usage = &message.Usage{InputTokens: in, OutputTokens: out}
	return reply, ctx.Err()
}

func (p *provider) bill() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.billed
}

// caller makes runs of so many calls of a model, all at once.
type caller struct {
	model model.Model
	calls int
}

func (c caller) RunAs(ctx context.Context, run string, _ tasks.Task, _ message.Log, _ agents.Record) (orchestrator.Result, error) {
	errs := make([]error, c.calls)
	var wg sync.WaitGroup
	for i := range c.calls {
		wg.Go(func() {
			_, errs[i] = c.model.Generate(ctx, model.Request{Run: run, Path: message.Root.Child(i + 1), Caller: "ranker",
				Messages: []model.Message{{Content: "which one?"}}, Sampling: model.Sampling{MaxTokens: 100}})
		})
	}
	wg.Wait()
	return orchestrator.Result{Ranking: []string{"a"}}, errors.Join(errs...)
}

// paid is the model of a worker, behind its retries.
func paid(w *cluster.Worker, m model.Model) model.Model {
	return model.Retry(w.Reserve("m", model.NewLimiter(model.LimitConfig{}).Wrap(w.Start(m))), model.RetryConfig{Base: time.Millisecond})
}

// firm is a batch with a budget: a server, a ledger, an account.
type firm struct {
	t       *testing.T
	s       *server.Server
	account string
	path    string
}

func newFirm(t *testing.T) firm {
	return firm{t, serve(t, t.TempDir(), server.RANDOM_PORT), filepath.Join(t.TempDir(), "account"), filepath.Join(t.TempDir(), "run.db")}
}

// coordinate makes n runs under a cap, and returns what the account then tells.
func (f firm) coordinate(ctx context.Context, n int, cap int64, cfg cluster.Config) (orchestrator.Totals, budget.Statement, error) {
	j, err := budget.OpenJournal(f.account, budget.Prices{})
	if err != nil {
		f.t.Error(err)
		return orchestrator.Totals{}, budget.Statement{}, err
	}
	cfg.Manifest, cfg.Lease = manifest, lease
	if cfg.Budget, err = budget.New(budget.Config{Tokens: cap, Journal: j}); err != nil {
		f.t.Error(err)
	}
	st, err := store.Open(ctx, f.path, store.Config{Manifest: &trajectories.Manifest{Team: "t"}})
	if err != nil {
		f.t.Error(err)
		return orchestrator.Totals{}, budget.Statement{}, err
	}
	defer st.Close()
	totals, err := cluster.Coordinate(ctx, connect(f.t, f.s.ClientURL()), list(n), ledger.New(st),
		orchestrator.BatchConfig{Concurrency: 8, Halt: func(err error) bool { return errors.Is(err, model.ErrBudget) }}, cfg)
	s := cfg.Budget.Statement()
	if bad := j.Close(); bad != nil {
		f.t.Error(bad)
	}
	return totals, s, err
}

// hire lets a worker make runs of four calls until ctx ends.
func (f firm) hire(ctx context.Context, wg *sync.WaitGroup, p model.Model) {
	nc := connect(f.t, f.s.ClientURL())
	wg.Go(func() {
		w, err := cluster.Join(ctx, nc, "")
		if err == nil {
			_, err = w.Work(ctx, caller{paid(w, p), 4}, cluster.WorkConfig{Concurrency: 3})
		}
		if err != nil && ctx.Err() == nil {
			f.t.Errorf("worker: %v", err)
		}
	})
}

// TestOneBudgetForAllWorkers: three workers spend one budget, which is not passed;
// the batch stops with it, and goes on with a larger one.
func TestOneBudgetForAllWorkers(t *testing.T) {
	const n = 40
	f, p := newFirm(t), &provider{}
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for range 3 {
		f.hire(ctx, &wg, p)
	}
	var totals orchestrator.Totals
	var err error
	for cap, stopped := int64(8_000), 0; ; cap += 8_000 {
		var s budget.Statement
		totals, s, err = f.coordinate(t.Context(), n, cap, cluster.Config{})
		bill := p.bill()
		if told := s.Total.Tokens(); told < bill || told > cap || s.Held != 0 {
			t.Fatalf("%d tokens are billed, the account tells of %d and holds %d, the cap is %d", bill, told, s.Held, cap)
		}
		if err == nil {
			if stopped == 0 {
				t.Error("the budget was never reached")
			}
			break
		}
		if stopped++; !errors.Is(err, model.ErrBudget) || totals.Failed > 0 || stopped > 20 {
			t.Fatalf("%+v, %v", totals, err)
		}
	}
	if totals.Done+totals.Skipped != n {
		t.Errorf("%+v", totals)
	}
	stop()
	wg.Wait()
	nothingLeft(t)
}

// TestLostWorkersAreCharged: a worker that stops for ever in a call has spent what
// was reserved for it, and those who wait for it go on.
func TestLostWorkersAreCharged(t *testing.T) {
	const n = 4
	f, p := newFirm(t), &provider{}
	ctx, die := context.WithCancel(t.Context())
	stuck, dead := make(chan struct{}), make(chan struct{})
	p.each = func(_ context.Context, call int) {
		if call == 1 {
			close(stuck)
			<-dead
		}
	}
	var wg, others sync.WaitGroup
	nc := connect(t, f.s.ClientURL())
	wg.Go(func() {
		if w, err := cluster.Join(ctx, nc, ""); err == nil {
			_, _ = w.Work(ctx, caller{paid(w, p), 1}, cluster.WorkConfig{}) // it is lost
		}
	})
	go func() {
		<-stuck
		nc.Close() // it is not heard of any more
		f.hire(t.Context(), &others, p)
	}()
	const request = 100 + 10 + 64 + 16
	const cap = n*4*request + 5*request
	totals, s, err := f.coordinate(t.Context(), n, cap, cluster.Config{})
	if err != nil || totals.Done != n {
		t.Fatalf("%+v, %v", totals, err)
	}
	if told := s.Total.Tokens(); told < p.bill() || told > cap || s.Total.Unknown < 2 {
		t.Errorf("%d tokens are billed, the account is %+v", p.bill(), s.Total)
	}
	die()
	close(dead)
	wg.Wait()
	others.Wait()
}

// TestNoCallWithoutCoordinator: where the coordinator cannot be asked, no call is
// made, and the run goes back.
func TestNoCallWithoutCoordinator(t *testing.T) {
	f, p := newFirm(t), &provider{}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	p.each = func(_ context.Context, call int) {
		if call == 1 {
			stop()
			<-ended
		}
	}
	var events []orchestrator.Event
	worked := make(chan error, 1)
	working, leave := context.WithCancel(t.Context())
	go func() {
		w, err := cluster.Join(working, connect(t, f.s.ClientURL()), "")
		if err == nil {
			_, err = w.Work(working, caller{model.Func(func(ctx context.Context, req model.Request) (model.Reply, error) {
				for range 2 {
					if _, err := paid(w, p).Generate(ctx, req); err != nil {
						return model.Reply{}, err
					}
				}
				return model.Reply{}, nil
			}), 1}, cluster.WorkConfig{Progress: func(e orchestrator.Event) {
				if events = append(events, e); e.Outcome == orchestrator.Interrupted {
					leave()
				}
			}})
		}
		worked <- err
	}()
	if _, _, err := f.coordinate(ctx, 1, 100_000, cluster.Config{}); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	close(ended)
	<-worked
	if p.calls != 1 || len(events) != 2 || events[1].Outcome != orchestrator.Interrupted {
		t.Errorf("%d calls, %s", p.calls, fmt.Sprint(events))
	}
}

// TestOneRateForAllWorkers lets two workers call a model under one limit of a call
// a minute, or of as many tokens: the second has to wait, whoever it is.
func TestOneRateForAllWorkers(t *testing.T) {
	for name, cfg := range map[string]cluster.Config{"calls": {Requests: 1}, "tokens": {Tokens: 110}} {
		t.Run(name, func(t *testing.T) {
			f, p := newFirm(t), &provider{}
			called := make(chan struct{})
			p.each = func(context.Context, int) { close(called) }
			ctx, stop := context.WithCancel(t.Context())
			var wg sync.WaitGroup
			for range 2 {
				f.hire(ctx, &wg, p)
			}
			wg.Go(func() {
				<-called
				time.AfterFunc(lease, stop) // a second call closes the channel once more
			})
			if _, _, err := f.coordinate(ctx, 2, 0, cfg); !errors.Is(err, context.Canceled) {
				t.Errorf("error is %v", err)
			}
			wg.Wait()
			if p.calls != 1 {
				t.Errorf("%d calls in a minute, want 1", p.calls)
			}
		})
	}
}
