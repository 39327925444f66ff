package eval

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/mars-rec/mars/eval/metric"
	"github.com/mars-rec/mars/graph/rank"
	"github.com/mars-rec/mars/tasks/gold"
)

// shown is how many of a ranking's first items count as recommended, where it is
// asked what is recommended at all.
const shown = 5

// Outcome is what came of one case under one run of a system.
type Outcome struct {
	Rank       int         // of the true item, from 1; 0: a miss
	Form       metric.Form // of the ranking as a list
	Order      float64     // Spearman's correlation of the ranking with the given order
	Popularity float64     // mean percentile of the first five; NaN: unknown
	Top        [shown]int32
	Expense    *Expense
}

// Results is what came of all cases under all systems.
type Results struct {
	sets     []Set
	groups   []Group
	systems  []System
	items    map[string]int32 // candidates, numbered for Outcome.Top
	outcomes [][][]Outcome    // by system, set and case; nil where a system answers no set
	known    [][]popularity   // of the candidates, by set and case
	cfg      Config
}

// popularity is how popular the candidates of a case are: percentiles as of its
// moment.
type popularity []float32

// Run lets each system rank each case. It is an error if the configuration names a
// measure or a system that is not there.
func Run(ctx context.Context, sets []Set, systems []System, cfg Config) (*Results, error) {
	r := &Results{sets: sets, groups: Groups(sets), systems: systems, items: map[string]int32{}}
	err := check(sets, r.groups, systems)
	if err != nil {
		return nil, err
	}
	if r.cfg, err = cfg.settled(systems); err != nil {
		return nil, err
	}
	if cfg.Full && cfg.Graph == nil {
		return nil, fmt.Errorf("eval: full ranking needs the graph")
	}
	total := 0
	r.outcomes = make([][][]Outcome, len(systems))
	for k, s := range systems {
		r.outcomes[k] = make([][]Outcome, len(sets))
		for n, set := range sets {
			if s.answers(set.Name) {
				r.outcomes[k][n] = make([]Outcome, len(set.Cases))
				total += len(set.Cases)
			}
		}
	}
	for _, set := range sets {
		for _, c := range set.Cases {
			for _, item := range c.Task.Candidates {
				if _, ok := r.items[item]; !ok {
					r.items[item] = int32(len(r.items))
				}
			}
		}
	}
	if cfg.Graph != nil && !cfg.Full {
		r.known = percentiles(cfg.Graph, sets)
	}
	n := 1
	if slices.ContainsFunc(systems, func(s System) bool { return s.Train != nil }) {
		n = cmp.Or(cfg.Blocks, 8)
	}
	for _, block := range blocks(sets, n) {
		err := r.block(ctx, block, func(answered int) {
			if cfg.Progress != nil {
				cfg.Progress(answered, total)
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return r, nil
}

// block trains what must be trained, and asks all systems the cases of a block.
func (r *Results) block(ctx context.Context, block []timed, answered func(int)) error {
	before := r.sets[block[0].set].Cases[block[0].at].Task.AsOf
	ask := make([]func(context.Context, Question) (Answer, error), len(r.systems))
	for k, s := range r.systems {
		ask[k] = s.Rank
		if s.Train != nil {
			var err error
			if ask[k], err = s.Train(ctx, before); err != nil {
				return fmt.Errorf("eval: %s: %w", s.Name, err)
			}
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(cmp.Or(r.cfg.Workers, runtime.GOMAXPROCS(0)))
	for _, at := range block {
		group.Go(func() error {
			n, err := r.ask(ctx, at, ask)
			answered(n)
			return err
		})
	}
	return group.Wait()
}

// ask asks all systems one case.
func (r *Results) ask(ctx context.Context, at timed, ask []func(context.Context, Question) (Answer, error)) (answered int, err error) {
	c := r.sets[at.set].Cases[at.at]
	q := Question{Task: c.Task}
	if g := r.cfg.Graph; g != nil {
		q.request = rank.Request{ID: c.Task.ID, User: c.Task.User, Items: c.Task.Candidates, Cut: g.At(c.Task.AsOf)}.Sharing()
		if r.cfg.Full {
			q.request.Items = catalogue(q.request)
			q.Task.Candidates = q.request.Items
		}
	}
	for k, s := range r.systems {
		if r.outcomes[k][at.set] == nil {
			continue
		}
		if err := ctx.Err(); err != nil {
			return answered, err
		}
		a, err := ask[k](ctx, q)
		if err != nil {
			return answered, fmt.Errorf("eval: %s on %s: %w", s.Name, c.Task.ID, err)
		}
		r.outcomes[k][at.set][at.at] = r.judge(at, gold.Case{Task: q.Task, Gold: c.Gold}, a)
		answered++
	}
	return answered, nil
}

// catalogue returns what a full ranking ranks: all items that are visible and
// that the user does not have.
func catalogue(q rank.Request) []string {
	had := map[string]bool{}
	if u, ok := q.Cut.User(q.User); ok {
		for _, e := range q.Cut.History(u) {
			had[q.Cut.ItemID(e.Item)] = true
		}
	}
	var items []string
	for i := range q.Cut.AllItems() {
		if id := q.Cut.ItemID(i); !had[id] {
			items = append(items, id)
		}
	}
	return items
}

// judge measures one answer.
func (r *Results) judge(at timed, c gold.Case, a Answer) Outcome {
	o := Outcome{Rank: best(a.Ranking, c.Gold), Expense: a.Expense, Popularity: math.NaN()}
	for k := range o.Top {
		o.Top[k] = -1
	}
	if r.cfg.Full { // the list is no list that was given
		o.Form = metric.Form{Empty: len(a.Ranking) == 0}
		return o
	}
	o.Form = metric.Inspect(a.Ranking, c.Task.Candidates)
	o.Order = metric.Spearman(a.Ranking, c.Task.Candidates)
	sum, n := 0.0, 0
	for k, item := range a.Ranking[:min(shown, len(a.Ranking))] {
		place := slices.Index(c.Task.Candidates, item)
		if place < 0 || slices.Contains(a.Ranking[:k], item) {
			continue
		}
		o.Top[k] = r.items[item]
		if r.known != nil {
			sum += float64(r.known[at.set][at.at][place])
			n++
		}
	}
	if n > 0 {
		o.Popularity = sum / float64(n)
	}
	return o
}
