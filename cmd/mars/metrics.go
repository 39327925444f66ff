package main

import (
	"context"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/spf13/cobra"

	"github.com/mars-rec/mars/internal/guard"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/model/budget"
	"github.com/mars-rec/mars/orchestrator/monitor"
)

// metricsFlags say whether a command serves metrics, and where.
type metricsFlags struct {
	address string
	open    bool
	pprof   bool
}

func (f *metricsFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.address, "metrics", "", "serve metrics for Prometheus, and mars top, at this address, such as 127.0.0.1:9464")
	c.Flags().BoolVar(&f.open, "metrics-open", false, "allow an address for --metrics that other machines can reach")
	c.Flags().BoolVar(&f.pprof, "pprof", false, "serve profiles of the program at the address of --metrics too, under /debug/pprof/")
}

func (f metricsFlags) check() error {
	if f.address == "" {
		if f.open || f.pprof {
			return usagef("--metrics-open and --pprof go with --metrics")
		}
		return nil
	}
	host, _, err := net.SplitHostPort(f.address)
	switch {
	case err != nil:
		return usagef("--metrics %q: want host:port, such as 127.0.0.1:9464", f.address)
	case !guard.Loopback(host) && !f.open:
		return hinted(usagef("--metrics %s can be reached from other machines", f.address), "add --metrics-open if that is what you want")
	case f.open && f.pprof:
		return usagef("--pprof shows what is in the program's memory: it is for this machine, without --metrics-open")
	}
	return nil
}

// serve counts what happens, and serves the counts until o is closed.
func (o *observed) serve(ctx context.Context, a *app, s scene) error {
	f := o.flags.metrics
	var listen net.ListenConfig
	l, err := listen.Listen(ctx, "tcp", f.address)
	if err != nil {
		return hinted(err, "give another address with --metrics; port 0 takes a free one")
	}
	metrics, live := monitor.NewMetrics(), monitor.NewLive(a.now)
	metrics.Plan(s.runs)
	s.spending.tell(metrics)
	if s.store != nil {
		metrics.Gauge("mars_store_queue_length", "Pieces of work that wait to be written to the run store.", nil, func(tell func(float64, ...string)) {
			tell(float64(s.store.Queued()))
		})
	}
	if o.queue != nil {
		metrics.Counter("mars_traces_total", "Runs by whether a collector took their trace: sent, failed, dropped.", []string{"outcome"}, func(tell func(float64, ...string)) {
			n := o.queue.Counts()
			tell(float64(n.Sent), "sent")
			tell(float64(n.Failed), "failed")
			tell(float64(n.Dropped), "dropped")
		})
	}
	o.watchers = append(o.watchers, metrics, live)
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics.Handler())
	mux.Handle("GET /runs", live.Handler())
	if f.pprof {
		mux.HandleFunc("GET /debug/pprof/", pprof.Index)
		mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
		mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	}
	access := guard.Config{}
	if f.open {
		access.Hosts = []string{"*"}
	}
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan error, 1)
	go func() { done <- guard.Serve(serving, l, access.Local(mux), time.Minute) }()
	o.closers = append(o.closers, func() error { stop(); return <-done })
	s.notef("metrics at http://%s/metrics", l.Addr())
	return nil
}

// tell lets metrics read how the spending stands.
func (s *spending) tell(m *monitor.Metrics) {
	limits := func(read func(model.LimitState) int) func(func(float64, ...string)) {
		return func(tell func(float64, ...string)) {
			for spec, l := range s.limits {
				tell(float64(read(l.State())), spec)
			}
		}
	}
	byModel := []string{"model"}
	m.Gauge("mars_limiter_concurrency", "Calls to a model at once that its limiter lets through now.", byModel, limits(func(l model.LimitState) int { return l.Limit }))
	m.Gauge("mars_limiter_in_flight", "Calls that the limiter of a model has let through and that have not ended.", byModel, limits(func(l model.LimitState) int { return l.InFlight }))
	m.Gauge("mars_limiter_waiting", "Calls that wait for their turn.", byModel, limits(func(l model.LimitState) int { return l.Waiting }))
	m.Counter("mars_limiter_falls_total", "Times that a provider pushed back or slowed down, and its limit fell.", byModel, limits(func(l model.LimitState) int { return l.Falls }))
	m.Gauge("mars_breaker_open", "1 while no call is let through to a provider that fails.", []string{"provider"}, func(tell func(float64, ...string)) {
		for provider, b := range s.breakers {
			tell(map[bool]float64{true: 1}[b.Open()], provider)
		}
	})
	if s.cache != nil {
		m.Counter("mars_reply_cache_hits_total", "Calls that the cache of replies answered.", nil, func(tell func(float64, ...string)) { tell(float64(s.cache.Counts().Hits)) })
		m.Counter("mars_reply_cache_misses_total", "Calls that the cache of replies did not know.", nil, func(tell func(float64, ...string)) { tell(float64(s.cache.Counts().Misses)) })
	}
	if s.budget == nil {
		return
	}
	m.Counter("mars_spend_total", "What the calls for this run store cost, in the currency of the prices, by role and model.", []string{"currency", "role", "model"}, func(tell func(float64, ...string)) {
		now := s.budget.Statement()
		for _, row := range now.By {
			if row.Priced && now.Currency != "" {
				tell(money(row.Cost), now.Currency, row.Caller, row.Model)
			}
		}
	})
	budgets := func(read func(now budget.Statement) (tokens int64, cost budget.Amount)) func(func(float64, ...string)) {
		return func(tell func(float64, ...string)) {
			now := s.budget.Statement()
			tokens, cost := read(now)
			if now.MaxTokens > 0 {
				tell(float64(tokens), "tokens")
			}
			if now.MaxCost > 0 {
				tell(money(cost), now.Currency)
			}
		}
	}
	unit := []string{"unit"}
	m.Gauge("mars_budget_limit", "The caps on what the calls for this run store may come to.", unit, budgets(func(now budget.Statement) (int64, budget.Amount) {
		return now.MaxTokens, now.MaxCost
	}))
	m.Gauge("mars_budget_left", "What the caps leave of what is paid.", unit, budgets(func(now budget.Statement) (int64, budget.Amount) {
		return max(0, now.MaxTokens-now.Total.Tokens()), max(0, now.MaxCost-now.Total.Cost)
	}))
	m.Gauge("mars_budget_reserved", "What calls in flight can come to at most, of what is left.", unit, budgets(func(now budget.Statement) (int64, budget.Amount) {
		return now.Held, now.HeldCost
	}))
	m.Counter("mars_budget_refused_calls_total", "Calls that were not made because too little was left.", nil, func(tell func(float64, ...string)) { tell(float64(s.budget.Statement().Refused)) })
}

func money(a budget.Amount) float64 { return float64(a) / float64(budget.One) }
