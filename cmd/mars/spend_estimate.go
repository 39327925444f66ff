package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/model/budget"
	"github.com/mars-rec/mars/model/builtin"
	"github.com/mars-rec/mars/orchestrator"
	"github.com/mars-rec/mars/tasks"
)

// sampledTasks is how many tasks an estimate is made from, and bytesPerToken
// what a token of English, names and JSON has about.
const (
	sampledTasks  = 8
	bytesPerToken = 4
)

// estimate is what runs would come to. It is made by letting the rule-based
// teacher do a sample of the tasks, which costs nothing: the prompts and the
// tools' results are the real ones, the replies are its own.
type estimate struct {
	Method   string         `json:"method"`
	Sampled  int            `json:"sampled_tasks"`
	Runs     int            `json:"runs"`
	Currency string         `json:"currency,omitempty"`
	By       []estimatedRow `json:"by"`
	Total    estimated      `json:"total"`
	// AtMost is what a budget would reserve: a byte of a prompt is a token, and
	// replies are of full length. Nil: replies have no bound.
	AtMost *estimated `json:"at_most,omitempty"`
}

type estimatedRow struct {
	Role  string `json:"role"`
	Model string `json:"model"`
	estimated
}

type estimated struct {
	Calls  int            `json:"calls"`
	Input  int            `json:"input_tokens"`
	Output int            `json:"output_tokens"`
	Cost   *budget.Amount `json:"cost"` // null: a price is not known
}

const estimateMethod = "the rule-based teacher did a sample of the tasks, without a call to any provider; " +
	"a token is taken for 4 bytes of the prompts and of its replies; a model that thinks before it answers writes more"

// tally counts the calls of a sample.
type tally struct {
	mu   sync.Mutex
	sums map[[2]string]*sums // by role and model
}

type sums struct{ calls, in, out, most, mostOut int }

// model counts what it is asked under the name, and lets the teacher answer.
func (t *tally) model(name string, teacher model.Model, maxOutput int) model.Model {
	return model.Func(func(ctx context.Context, req model.Request) (model.Reply, error) {
		reply, err := teacher.Generate(ctx, req)
		if err != nil {
			return reply, err
		}
		said := model.Request{Messages: []model.Message{reply.Message}}
		t.mu.Lock()
		defer t.mu.Unlock()
		key := [2]string{req.Caller, name}
		if t.sums[key] == nil {
			t.sums[key] = &sums{}
		}
		n := t.sums[key]
		n.calls++
		n.in += (req.Size() + bytesPerToken - 1) / bytesPerToken
		n.out += (said.Size() + bytesPerToken - 1) / bytesPerToken
		n.most += req.MaxInput()
		n.mostOut += cmp.Or(req.Sampling.MaxTokens, maxOutput)
		return reply, nil
	})
}

// estimate says what so many runs would come to; nil where nothing can cost.
func (s *synthesis) estimate(ctx context.Context, w *works, list []tasks.Task, runs int) (*estimate, error) {
	free := true
	for spec := range w.cfg.Models {
		free = free && strings.HasPrefix(bare(spec), "builtin")
	}
	if free || runs == 0 {
		return nil, nil
	}
	t := tally{sums: map[[2]string]*sums{}}
	cfg := w.cfg
	cfg.Models = map[string]orchestrator.Model{}
	for spec := range w.cfg.Models {
		var teacher model.Model = builtin.New(builtin.Config{})
		if bare(spec) != spec {
			teacher = estimatedPlan(w.Team())
		}
		price, _ := s.spending.caps.Prices.Of(bare(spec))
		cfg.Models[spec] = orchestrator.Model{Name: spec, Model: t.model(bare(spec), teacher, price.MaxOutput)}
	}
	cfg.Model = cfg.Models[s.model]
	team, err := orchestrator.New(cfg)
	if err != nil {
		return nil, err
	}
	n := min(sampledTasks, len(list))
	for i := range n {
		task := list[i*len(list)/n]
		nobody := message.LogFunc(func(context.Context, message.Envelope) error { return nil })
		if _, err := team.Run(ctx, task, nobody, nil); err != nil {
			return nil, fmt.Errorf("estimate: task %s: %w", task.ID, err)
		}
	}
	return t.estimate(s.spending.caps.Prices, n, runs), nil
}

// estimate scales a sample of n runs up.
func (t *tally) estimate(prices budget.Prices, n, runs int) *estimate {
	e := &estimate{Method: estimateMethod, Sampled: n, Runs: runs, Currency: prices.Currency, By: []estimatedRow{}}
	scaled := func(x int) int { return (x*runs + n - 1) / n }
	var zero budget.Amount
	total, most, bounded := estimated{Cost: &zero}, estimated{Cost: new(budget.Amount)}, true
	for key, c := range t.sums {
		if strings.HasPrefix(key[1], "builtin") {
			continue
		}
		row := estimatedRow{key[0], key[1], estimated{Calls: scaled(c.calls), Input: scaled(c.in), Output: scaled(c.out)}}
		top := estimated{Calls: row.Calls, Input: scaled(c.most), Output: scaled(c.mostOut)}
		if price, ok := prices.Of(key[1]); ok {
			row.Cost, top.Cost = cost(price, row.estimated), cost(price, top)
		}
		bounded = bounded && c.mostOut > 0
		total, most = total.plus(row.estimated), most.plus(top)
		e.By = append(e.By, row)
	}
	slices.SortFunc(e.By, func(x, y estimatedRow) int { return cmp.Or(cmp.Compare(x.Role, y.Role), cmp.Compare(x.Model, y.Model)) })
	e.Total = total
	if bounded {
		e.AtMost = &most
	}
	return e
}

func cost(p budget.Price, e estimated) *budget.Amount {
	a := p.Cost(message.Usage{InputTokens: e.Input, OutputTokens: e.Output})
	return &a
}

// plus adds; a sum with an unknown part is unknown.
func (e estimated) plus(f estimated) estimated {
	e.Calls, e.Input, e.Output = e.Calls+f.Calls, e.Input+f.Input, e.Output+f.Output
	if e.Cost != nil && f.Cost != nil {
		sum := *e.Cost + *f.Cost
		e.Cost = &sum
	} else {
		e.Cost = nil
	}
	return e
}

func (e estimated) money(currency string) string {
	if e.Cost == nil {
		return "no price"
	}
	return short(*e.Cost) + " " + currency
}

func writeEstimate(w io.Writer, e *estimate) {
	if e == nil {
		return
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "role\tmodel\tmodel calls\ttokens in\tout\tcost")
	for _, row := range e.By {
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\n", row.Role, row.Model, thousands(int64(row.Calls)), thousands(int64(row.Input)), thousands(int64(row.Output)), row.money(e.Currency))
	}
	fmt.Fprintf(tw, "in all\t\t%s\t%s\t%s\t%s\n", thousands(int64(e.Total.Calls)), thousands(int64(e.Total.Input)), thousands(int64(e.Total.Output)), e.Total.money(e.Currency))
	if e.AtMost != nil {
		fmt.Fprintf(tw, "at most\t\t%s\t%s\t%s\t%s\n", thousands(int64(e.AtMost.Calls)), thousands(int64(e.AtMost.Input)), thousands(int64(e.AtMost.Output)), e.AtMost.money(e.Currency))
	}
	_ = tw.Flush() // w keeps its first error
	fmt.Fprintf(w, "estimated from %d of the tasks: %s\n", e.Sampled, e.Method)
}
