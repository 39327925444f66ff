// Package eval compares systems that rank on the same cases, strictly as of
// each case's moment.
//
//	cases ──┬─ a run's rankings ──> rank of the gold item, per case ─┐
//	        ├─ ItemKNN          ──> ...                              ├─> Report
//	        └─ most popular     ──> ...                              ┘   means, and paired
//	                                                                     differences to the first
//
// A case that a system does not answer is a miss, and counted as one.
package eval

import (
	"context"
	"fmt"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/mars-rec/mars/eval/metric"
	"github.com/mars-rec/mars/graph"
	"github.com/mars-rec/mars/graph/rank"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tasks/gold"
)

// System is something that ranks. Rank returns item ids, best first; none where
// the system has no answer. It never sees the gold. It is called concurrently.
type System struct {
	Name string
	Rank func(context.Context, tasks.Task) ([]string, error)
}

// Rankings is a system that has answered before: rankings by task id.
func Rankings(name string, rankings map[string][]string) System {
	return System{name, func(_ context.Context, t tasks.Task) ([]string, error) { return rankings[t.ID], nil }}
}

// Control is a classical ranker over the graph, cut at each task's moment. Ties
// break by item id, so they do not depend on the order of the candidates.
func Control(r rank.Ranker, g *graph.Graph) System {
	return System{r.Name(), func(_ context.Context, t tasks.Task) ([]string, error) {
		scores := r.Score(rank.Request{ID: t.ID, User: t.User, Items: t.Candidates, Cut: g.At(t.AsOf)})
		return rank.Order(t.Candidates, scores), nil
	}}
}

// Config says how systems are compared. The zero value works.
type Config struct {
	Rounds      int    // bootstrap samples and permutations; 0: 2,000
	Seed        uint64 // of both
	Concurrency int    // 0: one a core
}

// Row is one system's result.
type Row struct {
	System string `json:"system"`
	metric.Summary
	// Against is the first system's mean HR at 1, 3, 5 minus this one's, over
	// the same cases, clustered by user; nil for the first system.
	Against *metric.Comparison `json:"against,omitempty"`
}

// Report is the results of all systems on the same cases.
type Report struct {
	Cases     int            `json:"cases"`
	Users     int            `json:"users"`
	Scenarios map[string]int `json:"scenarios"`
	Rows      []Row          `json:"systems"`
	Ranks     []CaseRanks    `json:"-"`
}

// CaseRanks is the rank of one case's gold item under each system, in the
// order of the rows; 0 is a miss.
type CaseRanks struct {
	Case  string
	User  string
	Ranks []int
}

// Run lets each system rank each case. The first system is the one that the
// others are compared with.
func Run(ctx context.Context, cases []gold.Case, systems []System, cfg Config) (Report, error) {
	if len(cases) == 0 {
		return Report{}, fmt.Errorf("eval: no cases")
	}
	report := Report{Cases: len(cases), Scenarios: map[string]int{}}
	users := make([]string, len(cases))
	seen := map[string]bool{}
	for i, c := range cases {
		users[i] = c.Task.User
		seen[c.Task.User] = true
		report.Scenarios[c.Task.Scenario]++
	}
	report.Users = len(seen)
	ranks, err := rankAll(ctx, cases, systems, cfg)
	if err != nil {
		return Report{}, err
	}
	first := metric.Each(ranks[0], metric.MeanHit)
	for s, system := range systems {
		row := Row{System: system.Name, Summary: metric.Summarise(ranks[s])}
		if s > 0 {
			c, err := metric.Compare(first, metric.Each(ranks[s], metric.MeanHit), users, orDefault(cfg.Rounds, 2000), cfg.Seed)
			if err != nil {
				return Report{}, err
			}
			row.Against = &c
		}
		report.Rows = append(report.Rows, row)
	}
	for i, c := range cases {
		r := CaseRanks{Case: c.Task.ID, User: c.Task.User}
		for s := range systems {
			r.Ranks = append(r.Ranks, ranks[s][i])
		}
		report.Ranks = append(report.Ranks, r)
	}
	return report, nil
}

// rankAll returns, by system, the rank of each case's gold item.
func rankAll(ctx context.Context, cases []gold.Case, systems []System, cfg Config) ([][]int, error) {
	ranks := make([][]int, len(systems))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(orDefault(cfg.Concurrency, runtime.GOMAXPROCS(0)))
	for s, system := range systems {
		ranks[s] = make([]int, len(cases))
		for i, c := range cases {
			group.Go(func() error {
				ranking, err := system.Rank(ctx, c.Task)
				if err != nil {
					return fmt.Errorf("eval: %s on %s: %w", system.Name, c.Task.ID, err)
				}
				ranks[s][i] = best(ranking, c.Gold)
				return ctx.Err()
			})
		}
	}
	return ranks, group.Wait()
}

// best returns the best rank of a gold item.
func best(ranking []string, g gold.Gold) int {
	at := metric.Missing
	for _, item := range g.Items {
		if r := metric.Rank(ranking, item); r != metric.Missing && (at == metric.Missing || r < at) {
			at = r
		}
	}
	return at
}

func orDefault(n, d int) int {
	if n == 0 {
		return d
	}
	return n
}
