package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/model/budget"
	"github.com/mars-rec/mars/model/cache"
)

// spendFlags say what a command may ask of providers, and pay.
type spendFlags struct {
	requests    int
	tokens      int
	concurrency int
	cache       string
	cacheSize   int64
	fallbacks   []string
	prices      string
	budget      string
	maxTokens   int64
	taskTime    time.Duration
}

func (f *spendFlags) add(c *cobra.Command) {
	g := c.Flags()
	g.IntVar(&f.requests, "requests-per-minute", 0, "calls to one model in any 60 seconds, at most; 0 is any number")
	g.IntVar(&f.tokens, "tokens-per-minute", 0, "tokens of one model, in and out, in any 60 seconds; 0 is any number")
	g.IntVar(&f.concurrency, "max-concurrency", 256, "calls to one model at once, at most; fewer while the provider pushes back or slows down")
	g.StringVar(&f.cache, "cache", "", "file of replies that are kept across runs; what it knows is not paid again")
	g.Int64Var(&f.cacheSize, "cache-size", 1<<30, "bytes of replies that the cache keeps; those used longest ago go first")
	g.StringArrayVar(&f.fallbacks, "fallback", nil, "model that is asked when the first comes to nothing; may be given many times")
	g.StringVar(&f.prices, "prices", "", "price table, YAML: your provider's prices for a million tokens")
	g.StringVar(&f.budget, "budget", "", "most that the store's runs may cost in all, in the currency of --prices, such as 5.00")
	g.Int64Var(&f.maxTokens, "budget-tokens", 0, "most tokens that the store's runs may have in all, in and out; 0 is any number")
	g.DurationVar(&f.taskTime, "task-timeout", 0, "time for one run; 0 is without end")
}

// addLocal adds those that hold where calls are made, also where another process
// has the store.
func (f *spendFlags) addLocal(c *cobra.Command) {
	g := c.Flags()
	g.IntVar(&f.concurrency, "max-concurrency", 256, "calls from here to one model at once, at most; fewer while the provider pushes back or slows down")
	g.StringVar(&f.cache, "cache", "", "file of replies that are kept across runs; what it knows is not paid again")
	g.Int64Var(&f.cacheSize, "cache-size", 1<<30, "bytes of replies that the cache keeps; those used longest ago go first")
	g.StringArrayVar(&f.fallbacks, "fallback", nil, "model that is asked when the first comes to nothing; may be given many times")
}

// spending is what stands between the teams and the providers: for each model
// a cache, the budget, the limit of its rate, the breaker of its provider.
type spending struct {
	flags    spendFlags
	models   *modelFlags
	seed     int64
	caps     budget.Config
	limits   map[string]*model.Limiter // by spec
	breakers map[string]*model.Breaker // by provider
	leaves   map[string]*leaf          // by spec
	// watch, if not nil, sees each call to the model of that name.
	watch func(spec string, m model.Model) model.Model
	// payer, if not nil, is asked before each call, elsewhere.
	payer payer

	budget *budget.Budget // nil until start, and where nothing can cost
	cache  *cache.Cache
}

// payer has the budget and the rate of calls that are made here.
type payer interface {
	Reserve(spec string, m model.Model) model.Model
	Start(m model.Model) model.Model
}

// leaf is one model behind all that is held of it. What needs the store's lock
// (the budget's journal, the cache) is put around it by start.
type leaf struct {
	spec string
	held model.Model // limit, breaker, time, adapter
	model.Model
}

// check reads the flags; nothing is opened for writing.
func (f spendFlags) check(models *modelFlags, seed int64) (*spending, error) {
	s := &spending{flags: f, models: models, seed: seed, limits: map[string]*model.Limiter{}, breakers: map[string]*model.Breaker{}, leaves: map[string]*leaf{}}
	if f.requests < 0 || f.tokens < 0 || f.concurrency < 1 || f.cacheSize < 1 || f.maxTokens < 0 || f.taskTime < 0 {
		return nil, usagef("--requests-per-minute, --tokens-per-minute, --budget-tokens and --task-timeout cannot be negative, and --max-concurrency and --cache-size are 1 or more")
	}
	models.conns = f.concurrency
	var err error
	if f.prices != "" {
		if s.caps.Prices, err = budget.LoadPrices(f.prices); err != nil {
			return nil, usagef("--%w", err)
		}
	}
	s.caps.Tokens = f.maxTokens
	if f.budget != "" {
		if f.prices == "" {
			return nil, hinted(usagef("--budget is %s of no currency", f.budget), "give --prices, or --budget-tokens for a cap without prices")
		}
		if s.caps.Cost, err = budget.Parse(f.budget); err != nil || s.caps.Cost == 0 {
			return nil, usagef("--budget: %q is no amount above 0, such as 5.00", f.budget)
		}
	}
	for _, spec := range f.fallbacks {
		if strings.HasPrefix(spec, "builtin") {
			return nil, usagef("--fallback %s: a run that is partly builtin's is nobody's: name a language model", spec)
		}
	}
	return s, nil
}

func (s *spending) capped() bool { return s.caps.Tokens > 0 || s.caps.Cost > 0 }

// open opens a model with its fallbacks. Builtin costs nothing and has none.
func (s *spending) open(spec string, maxTokens int) (model.Model, func(time.Time) error, error) {
	if strings.HasPrefix(spec, "builtin") {
		m, check, err := s.models.open(spec)
		return s.watched(spec, m), check, err
	}
	var chain []model.Model
	for i, each := range append([]string{spec}, s.flags.fallbacks...) {
		if i > 0 && each == spec {
			continue
		}
		l, err := s.leaf(each, maxTokens)
		if err != nil {
			return nil, nil, err
		}
		var m model.Model = l
		if i > 0 {
			m = named(each, m)
		}
		chain = append(chain, m)
	}
	return model.Retry(chain[0], model.RetryConfig{
		Attempts: s.models.attempts, Fallbacks: chain[1:], OnRetry: s.models.retried, Jitter: jitter(s.seed),
	}), nil, nil
}

func (s *spending) watched(spec string, m model.Model) model.Model {
	if s.watch == nil || m == nil {
		return m
	}
	return s.watch(spec, m)
}

// named makes replies say that the fallback of that name gave them.
func named(spec string, m model.Model) model.Model {
	return model.Func(func(ctx context.Context, req model.Request) (model.Reply, error) {
		reply, err := m.Generate(ctx, req)
		reply.By = spec
		return reply, err
	})
}

// jitter draws what spreads the waits of many callers.
func jitter(seed int64) func() float64 {
	var mu sync.Mutex
	draw := rand.New(rand.NewPCG(uint64(seed), 0x6a6974746572))
	return func() float64 {
		mu.Lock()
		defer mu.Unlock()
		return draw.Float64()
	}
}

// leaf opens one model and holds it to its rate.
func (s *spending) leaf(spec string, maxTokens int) (*leaf, error) {
	if l, ok := s.leaves[spec]; ok {
		return l, nil
	}
	m, provider, err := s.models.remote(spec)
	if err != nil {
		return nil, err
	}
	if err := s.affords(spec, maxTokens); err != nil {
		return nil, err
	}
	if s.breakers[provider] == nil {
		s.breakers[provider] = model.NewBreaker(model.BreakerConfig{})
	}
	s.limits[spec] = model.NewLimiter(model.LimitConfig{Requests: s.flags.requests, Tokens: s.flags.tokens, Concurrency: s.flags.concurrency})
	l := &leaf{spec: spec}
	held := s.breakers[provider].Wrap(s.watched(spec, model.Timeout(m, s.models.timeout)))
	if s.payer == nil {
		l.held = s.limits[spec].Wrap(held)
	} else {
		l.held = s.payer.Reserve(spec, s.limits[spec].Wrap(s.payer.Start(held)))
	}
	l.Model = l.held
	s.leaves[spec] = l
	return l, nil
}

// affords reports an error if the caps cannot hold the model.
func (s *spending) affords(spec string, maxTokens int) error {
	price, known := s.caps.Prices.Of(spec)
	switch {
	case s.caps.Cost > 0 && !known:
		return hinted(usagef("%s has no price for %s: a budget in money needs it", s.flags.prices, spec), "add it under models, by that name")
	case s.capped() && maxTokens == 0 && price.MaxOutput == 0:
		return hinted(usagef("a reply of %s without a bound can cost anything: no budget can hold it", spec), "give --max-tokens, or max_output in --prices")
	}
	return nil
}

// elsewhere stands for a model that is called in other processes and paid here.
func (s *spending) elsewhere(spec string, maxTokens int) error {
	s.leaves[spec] = &leaf{spec: spec, held: silent, Model: silent}
	return s.affords(spec, maxTokens)
}

// start opens the account beside the store, and the cache. The store is open,
// so no other process writes the account.
func (s *spending) start(ctx context.Context, store string) (err error) {
	if len(s.leaves) == 0 {
		return nil
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if s.caps.Journal, err = budget.OpenJournal(store+".spend", s.caps.Prices); err != nil {
		return err
	}
	if s.budget, err = budget.New(s.caps); err != nil {
		return err
	}
	for spec, l := range s.leaves {
		if l.Model, err = s.budget.Wrap(spec, l.held); err != nil {
			return err
		}
	}
	return s.keep(ctx, nil)
}

// keep opens the cache, if there is to be one, and asks it first: a file, or, where
// none is named, what all workers share, which may be nil.
func (s *spending) keep(ctx context.Context, shared cache.Shelf) (err error) {
	switch {
	case s.flags.cache != "":
		if s.cache, err = cache.Open(ctx, s.flags.cache, cache.Config{Limit: s.flags.cacheSize}); err != nil {
			return err
		}
	case shared != nil:
		s.cache = cache.New(shared, cache.Config{})
	default:
		return nil
	}
	for spec, l := range s.leaves {
		l.Model = s.cache.Wrap(spec, l.Model)
	}
	return nil
}

// Close ends the account and the cache.
func (s *spending) Close() error {
	var errs []error
	if s.caps.Journal != nil {
		errs = append(errs, s.caps.Journal.Close())
		s.caps.Journal = nil
	}
	if s.cache != nil {
		errs = append(errs, s.cache.Close())
	}
	return errors.Join(errs...)
}

// spendReport is what a store's runs cost.
type spendReport struct {
	budget.Statement
	PerRun budget.Amount               `json:"cost_per_run"` // of those done
	Cache  *cache.Counts               `json:"cache,omitempty"`
	Limits map[string]model.LimitState `json:"limits"`
}

// report tells what was spent, for so many runs that are done. It is nil where
// nothing can cost.
func (s *spending) report(done int) *spendReport {
	if s.budget == nil {
		return nil
	}
	r := &spendReport{Statement: s.budget.Statement(), Limits: map[string]model.LimitState{}}
	if done > 0 {
		r.PerRun = (r.Total.Cost / budget.Amount(done)).Round()
	}
	if s.cache != nil {
		n := s.cache.Counts()
		r.Cache = &n
	}
	for spec, l := range s.limits {
		r.Limits[spec] = l.State()
	}
	return r
}

// line is the spending so far, for the line of progress.
func (s *spending) line() string {
	if s.budget == nil {
		return ""
	}
	now := s.budget.Statement()
	var b strings.Builder
	if now.Currency != "" {
		fmt.Fprintf(&b, ", %s %s", short(now.Total.Cost), now.Currency)
		if now.MaxCost > 0 {
			fmt.Fprintf(&b, " of %s", now.MaxCost)
		}
	}
	if now.MaxTokens > 0 {
		fmt.Fprintf(&b, ", %s of %s tokens", thousands(now.Total.Tokens()), thousands(now.MaxTokens))
	}
	const most = 3
	rows := dearest(now)
	for i, row := range rows[:min(most, len(rows))] {
		fmt.Fprintf(&b, "%s%s", map[bool]string{true: " (", false: ", "}[i == 0], row.Caller)
		if len(s.leaves) > 1 {
			fmt.Fprintf(&b, " by %s", row.Model)
		}
		if now.Currency != "" {
			fmt.Fprintf(&b, " %s", short(row.Cost))
		} else {
			fmt.Fprintf(&b, " %s", thousands(row.Tokens()))
		}
	}
	if len(rows) > 0 {
		b.WriteString(")")
	}
	return b.String()
}

// dearest are the rows of a statement under which something was paid, those that
// cost most first.
func dearest(s budget.Statement) []budget.Row {
	paid := slices.DeleteFunc(slices.Clone(s.By), func(r budget.Row) bool { return r.Calls == 0 })
	return slices.SortedStableFunc(slices.Values(paid), func(x, y budget.Row) int {
		return cmp.Or(cmp.Compare(y.Cost, x.Cost), cmp.Compare(y.Tokens(), x.Tokens()))
	})
}

// short is an amount as a person reads it.
func short(a budget.Amount) string {
	const tenThousandth = budget.One / 10_000
	if a < 100*tenThousandth {
		return a.Round().String()
	}
	return ((a + tenThousandth - 1) / tenThousandth * tenThousandth).String()
}

// budgetReached ends a command that a budget has stopped.
func budgetReached(left, all int, noun string) error {
	return hinted(&fault{err: fmt.Errorf("the budget is reached with %s of %s %s left", thousands(int64(left)), thousands(int64(all)), noun), kind: "budget"},
		"the same command with a larger one goes on from here, and pays nothing twice")
}
