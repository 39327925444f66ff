package budget_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/model/budget"
	"github.com/mars-rec/mars/model/modeltest"
)

const table = `
currency: EUR
models:
  m: {input: 1, cached_input: 0.25, output: 4}
  short: {input: 1, output: 4, max_output: 100}
`

func prices(t *testing.T) budget.Prices {
	t.Helper()
	p, err := budget.ReadPrices(strings.NewReader(table))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func amount(t *testing.T, s string) budget.Amount {
	t.Helper()
	a, err := budget.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func wrapped(t *testing.T, cfg budget.Config, name string, m model.Model) (*budget.Budget, model.Model) {
	t.Helper()
	b, err := budget.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	w, err := b.Wrap(name, m)
	if err != nil {
		t.Fatal(err)
	}
	return b, w
}

// ask is a request of 1,080 input tokens at most and so many of output.
func ask(out int) model.Request {
	return model.Request{Caller: "ranker", Messages: []model.Message{{Role: model.User, Content: strings.Repeat("x", 1000)}}, Sampling: model.Sampling{MaxTokens: out}}
}

func uses(in, out, cached int) model.Reply {
	r := modeltest.Say("yes")
	r.Usage = &message.Usage{InputTokens: in, OutputTokens: out, CachedTokens: cached}
	return r
}

func TestBudgetSettles(t *testing.T) {
	const most = "0.00148" // 1,080 in and 100 out
	for _, c := range []struct {
		name   string
		reply  model.Reply
		err    error
		tokens int64
		cost   string
	}{
		{"what was used", uses(1000, 50, 0), nil, 1050, "0.0012"},
		{"with the provider's cache", uses(1000, 50, 800), nil, 1050, "0.0006"},
		{"more cached than there was", uses(1000, 0, 5000), nil, 1000, "0.00025"},
		{"unknown", modeltest.Say("yes"), nil, 1180, most},
		{"what cannot be", uses(-5, 3, 0), nil, 1180, most},
		{"from a cache", model.Reply{Cached: true, Usage: &message.Usage{InputTokens: 9}}, nil, 0, "0"},
		{"turned away", model.Reply{}, &model.Error{Status: 429, Unbilled: true, Err: errors.New("x")}, 0, "0"},
		{"a time-out", model.Reply{}, &model.Error{Temporary: true, Err: errors.New("x")}, 1180, most},
		{"a failure that nobody knows", model.Reply{}, errors.New("x"), 1180, most},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, m := wrapped(t, budget.Config{Cost: budget.One, Prices: prices(t)}, "m", model.Func(func(context.Context, model.Request) (model.Reply, error) { return c.reply, c.err }))
			if _, err := m.Generate(t.Context(), ask(100)); !errors.Is(err, c.err) {
				t.Fatal(err)
			}
			s := b.Statement()
			if s.Total.Tokens() != c.tokens || s.Total.Cost != amount(t, c.cost) || s.Held != 0 || s.HeldCost != 0 {
				t.Errorf("%d tokens and %s, want %d and %s; held %d, %s", s.Total.Tokens(), s.Total.Cost, c.tokens, c.cost, s.Held, s.HeldCost)
			}
			if len(s.By) != 1 || s.By[0].Caller != "ranker" || s.By[0].Model != "m" || s.By[0].Charge != s.Total {
				t.Errorf("by: %+v", s.By)
			}
		})
	}
}

// TestBudgetHoldsWith256Callers: whatever callers ask at once and however calls
// end, what is settled and what is in flight never come to more than the cap.
func TestBudgetHoldsWith256Callers(t *testing.T) {
	for _, c := range []struct {
		name string
		cfg  budget.Config
	}{
		{"money", budget.Config{Cost: budget.One / 2}},
		{"tokens", budget.Config{Tokens: 500_000}},
		{"both", budget.Config{Cost: budget.One / 2, Tokens: 500_000}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := c.cfg
				cfg.Prices = prices(t)
				var mu sync.Mutex
				draw := rand.New(rand.NewPCG(7, 1))
				flying := message.Usage{} // the most that the calls in flight and those before can have used
				var over int
				price := func() budget.Amount { p, _ := cfg.Prices.Of("m"); return p.Cost(flying) }
				far := model.Func(func(_ context.Context, req model.Request) (model.Reply, error) {
					mu.Lock()
					in, out := draw.IntN(req.MaxInput()+1), draw.IntN(req.Sampling.MaxTokens+1)
					kind, took := draw.IntN(10), time.Duration(draw.IntN(1000))*time.Millisecond
					flying.InputTokens += req.MaxInput()
					flying.OutputTokens += req.Sampling.MaxTokens
					if (cfg.Tokens > 0 && int64(flying.InputTokens+flying.OutputTokens) > cfg.Tokens) || (cfg.Cost > 0 && price() > cfg.Cost) {
						over++
					}
					mu.Unlock()
					time.Sleep(took)
					mu.Lock()
					defer mu.Unlock()
					switch kind {
					case 0: // unknown: all of it is gone
						return model.Reply{}, context.DeadlineExceeded
					case 1:
						in, out = 0, 0
					}
					flying.InputTokens += in - req.MaxInput()
					flying.OutputTokens += out - req.Sampling.MaxTokens
					if kind == 1 {
						return model.Reply{}, &model.Error{Status: 429, Unbilled: true, Err: errors.New("x")}
					}
					return uses(in, out, 0), nil
				})
				b, m := wrapped(t, cfg, "m", far)
				refused := 0
				var wg sync.WaitGroup
				for range 256 {
					wg.Go(func() {
						for range 8 {
							mu.Lock()
							out := 1 + draw.IntN(2000)
							mu.Unlock()
							if _, err := m.Generate(t.Context(), ask(out)); errors.Is(err, model.ErrBudget) {
								mu.Lock()
								refused++
								mu.Unlock()
							}
						}
					})
				}
				wg.Wait()
				s := b.Statement()
				if over > 0 || (cfg.Cost > 0 && s.Total.Cost > cfg.Cost) || (cfg.Tokens > 0 && s.Total.Tokens() > cfg.Tokens) {
					t.Errorf("overrun %d times; %s, %d tokens", over, s.Total.Cost, s.Total.Tokens())
				}
				if refused == 0 || s.Refused != refused {
					t.Errorf("%d of 2,048 calls refused, %d told", refused, s.Refused)
				}
				// It is not held back for what calls in flight only might cost.
				if spent := float64(s.Total.Cost) / float64(cfg.Cost); cfg.Cost > 0 && cfg.Tokens == 0 && spent < 0.97 {
					t.Errorf("only %.3f of the budget was used", spent)
				}
			})
		})
	}
}

func TestBudgetFailsClosed(t *testing.T) {
	calls := 0
	far := model.Func(func(context.Context, model.Request) (model.Reply, error) { calls++; return uses(1, 1, 0), nil })
	b, err := budget.New(budget.Config{Cost: budget.One, Prices: prices(t)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Wrap("unheard-of", far); err == nil {
		t.Error("a model without a price under a cap in money")
	}
	m, err := b.Wrap("m", far)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Generate(t.Context(), ask(0)); err == nil || calls > 0 || model.Temporary(err) {
		t.Errorf("a reply without a bound under a cap: %v", err)
	}
	short, err := b.Wrap("short@http://127.0.0.1:1/v1", far)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := short.Generate(t.Context(), ask(0)); err != nil || calls != 1 {
		t.Errorf("the table bounds the reply: %v", err)
	}
	tokens, m2 := wrapped(t, budget.Config{Tokens: 1179}, "unheard-of", far)
	if _, err := m2.Generate(t.Context(), ask(100)); !errors.Is(err, model.ErrBudget) || calls != 1 || !strings.Contains(err.Error(), "1180 tokens, and 1179 of 1179 are left") {
		t.Errorf("one token too many: %v", err)
	}
	if tokens.Statement().Refused != 1 {
		t.Errorf("%+v", tokens.Statement())
	}
	if _, err := m2.Generate(t.Context(), ask(99)); err != nil {
		t.Errorf("what fits to the token: %v", err)
	}
}

func TestBudgetOfAProviderThatCountsMore(t *testing.T) {
	b, m := wrapped(t, budget.Config{Tokens: 2000}, "m", model.Func(func(context.Context, model.Request) (model.Reply, error) { return uses(5000, 5, 0), nil }))
	if _, err := m.Generate(t.Context(), ask(100)); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Generate(t.Context(), ask(1)); !errors.Is(err, model.ErrBudget) || b.Statement().Total.Tokens() != 5005 {
		t.Errorf("%v, %+v", err, b.Statement())
	}
}

func TestBudgetWaitsNoLongerThanItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, m := wrapped(t, budget.Config{Tokens: 1500}, "m", model.Func(func(context.Context, model.Request) (model.Reply, error) {
			time.Sleep(time.Hour)
			return uses(10, 1, 0), nil
		}))
		go func() { _, _ = m.Generate(t.Context(), ask(100)) }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := m.Generate(ctx, ask(100))
		if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, model.ErrBudget) {
			t.Errorf("%v", err)
		}
		if _, err := m.Generate(t.Context(), ask(100)); err != nil { // once the first has settled
			t.Error(err)
		}
		if b.Statement().Total.Calls != 2 {
			t.Errorf("%+v", b.Statement())
		}
	})
}

func TestBudgetIsAModel(t *testing.T) {
	modeltest.Run(t, func(t *testing.T, far model.Model) model.Model {
		j, err := budget.OpenJournal(filepath.Join(t.TempDir(), "spend"), budget.Prices{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = j.Close() })
		_, m := wrapped(t, budget.Config{Journal: j}, "m", far)
		return m
	}, modeltest.Lacks{})
}

func ExampleBudget() {
	table, _ := budget.ReadPrices(strings.NewReader("currency: EUR\nmodels: {m: {input: 2, output: 10}}")) // yours, for a million tokens
	cap, _ := budget.Parse("0.01")
	b, _ := budget.New(budget.Config{Cost: cap, Prices: table})
	m, _ := b.Wrap("m", model.Func(func(context.Context, model.Request) (model.Reply, error) { return uses(400, 120, 0), nil }))
	for {
		if _, err := m.Generate(context.Background(), ask(400)); err != nil {
			fmt.Println(err)
			break
		}
	}
	fmt.Println(b.Statement().Total.Calls, "calls for", b.Statement().Total.Cost)
	// Output:
	// the budget is reached: a call to m can cost 0.00616, and 0.006 of 0.01 EUR are left
	// 2 calls for 0.004
}
