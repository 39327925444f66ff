package eval

import "github.com/mars-rec/mars/eval/metric"

// expenses gathers what answers cost.
type expenses struct {
	known                int
	seconds, cost        []float64
	calls, input, output []float64
}

func (e *expenses) add(x *Expense) {
	if x == nil {
		return
	}
	e.known++
	gather(&e.seconds, x.Seconds)
	gather(&e.cost, x.Cost)
	gather(&e.calls, x.Calls)
	gather(&e.input, x.InputTokens)
	gather(&e.output, x.OutputTokens)
}

// gather appends what is known.
func gather[N int | float64](list *[]float64, n *N) {
	if n != nil {
		*list = append(*list, float64(*n))
	}
}

func (e *expenses) report() ExpenseReport {
	r := ExpenseReport{Known: e.known, Calls: meanOf(e.calls), InputTokens: meanOf(e.input), OutputTokens: meanOf(e.output), Cost: meanOf(e.cost)}
	if len(e.seconds) > 0 {
		p50, p95 := metric.Quantile(e.seconds, 0.5), metric.Quantile(e.seconds, 0.95)
		r.P50, r.P95 = &p50, &p95
	}
	if r.Cost != nil {
		total := *r.Cost * float64(len(e.cost))
		r.Total = &total
	}
	return r
}

// meanOf returns the mean, nil of nothing.
func meanOf(xs []float64) *float64 {
	if len(xs) == 0 {
		return nil
	}
	m := metric.Mean(xs)
	return &m
}
