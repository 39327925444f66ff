package eval

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/mars-rec/mars/eval/metric"
	"github.com/mars-rec/mars/eval/stat"
)

// shuffled tests whether the true items stand anywhere alike.
func (c *cell) shuffled() *Shuffled {
	out := &Shuffled{P: 1}
	length, same := 0, true
	var places []int
	variance := 0.0
	for k := range c.cases {
		gc := c.at(k)
		n := len(gc.Task.Candidates)
		same = same && (length == 0 || length == n)
		length = n
		place := best(gc.Task.Candidates, gc.Gold)
		places = append(places, place)
		out.Mean += float64(place) / float64(len(c.cases))
		out.Expected += float64(n+1) / 2 / float64(len(c.cases))
		variance += (float64(n)*float64(n) - 1) / 12
	}
	if !same {
		z := (out.Mean - out.Expected) * float64(len(c.cases)) / math.Sqrt(variance)
		out.P = math.Erfc(math.Abs(z) / math.Sqrt2)
		return out
	}
	counts := make([]int, length+1)
	for _, p := range places {
		counts[p]++
	}
	expected := float64(len(places)) / float64(length)
	for _, n := range counts[1:] {
		out.ChiSquare += (float64(n) - expected) * (float64(n) - expected) / expected
	}
	out.Freedom = length - 1
	out.P = distuv.ChiSquared{K: float64(out.Freedom)}.Survival(out.ChiSquare)
	return out
}

// row computes what a system's row says of its rankings alone.
func (c *cell) row(g Group, name string, value func(int) float64) Row {
	row := Row{System: name, Control: c.control(name), Runs: len(c.runs(name, g.at[0]))}
	var ranks []int
	counts, of := map[int32]int{}, map[int32]bool{}
	var pop Popularity
	popular, asked := 0, 0
	e := &expenses{}
	for _, at := range c.cases {
		gc := c.sets[at.set].Cases[at.at]
		for _, s := range c.runs(name, at.set) {
			o := c.outcomes[s][at.set][at.at]
			ranks = append(ranks, o.Rank)
			row.Form.count(o.Form)
			e.add(o.Expense)
			for _, item := range o.Top {
				if item >= 0 {
					counts[item]++
				}
			}
			if !math.IsNaN(o.Popularity) {
				pop.Recommended += o.Popularity
				popular++
			}
		}
		for k, item := range gc.Task.Candidates {
			of[c.items[item]] = true
			if c.known != nil {
				p := float64(c.known[at.set][at.at][k])
				pop.Candidates += p / float64(len(gc.Task.Candidates))
				if gc.Gold.Has(item) {
					pop.Gold += p / float64(len(gc.Gold.Items))
				}
			}
		}
		asked++
	}
	row.Summary = metric.Summarise(ranks)
	row.AgentSociety = agentSociety(ranks)
	row.Form.Valid = 1 - row.Form.Valid/float64(len(ranks))
	row.Expense = e.report()
	if !c.cfg.Full {
		row.Coverage = coverage(counts, of)
	}
	if c.known != nil && popular > 0 {
		row.Popularity = &Popularity{pop.Recommended / float64(popular), pop.Candidates / float64(asked), pop.Gold / float64(asked)}
	}
	row.Seeds = c.seeds(g, name, value)
	return row
}

// seeds returns how far a system's runs, and the group's sets, lie apart.
func (c *cell) seeds(g Group, name string, value func(int) float64) (out Seeds) {
	if g.Seeds() > 1 {
		values := c.values(name, func(o Outcome) float64 { return value(o.Rank) })
		out.Draws = c.overSets(g, func(k int) float64 { return values[k] })
	}
	runs := len(c.runs(name, g.at[0]))
	for _, set := range g.at {
		runs = min(runs, len(c.runs(name, set)))
	}
	if runs < 2 {
		return out
	}
	means := make([]float64, runs)
	for _, at := range c.cases {
		for n, s := range c.runs(name, at.set)[:runs] {
			means[n] += value(c.outcomes[s][at.set][at.at].Rank) / float64(len(c.cases))
		}
	}
	spread := stat.SpreadOf(means)
	out.Runs = &spread
	return out
}

// agentSociety scores ranks as the challenge does, by the same divisions.
func agentSociety(ranks []int) AgentSociety {
	a := AgentSociety{Total: len(ranks)}
	for _, r := range ranks {
		a.Hits1 += int(metric.Hit(r, 1))
		a.Hits3 += int(metric.Hit(r, 3))
		a.Hits5 += int(metric.Hit(r, 5))
	}
	if a.Total > 0 {
		n := float64(a.Total)
		a.Top1, a.Top3, a.Top5 = float64(a.Hits1)/n, float64(a.Hits3)/n, float64(a.Hits5)/n
		a.Average = (a.Top1 + a.Top3 + a.Top5) / 3
	}
	return a
}

// count counts one answer. Valid counts those that are not, for now.
func (f *FormReport) count(form metric.Form) {
	one := func(yes bool, n *int) {
		if yes {
			*n++
		}
	}
	if !form.Valid() {
		f.Valid++
	}
	one(form.Empty, &f.Unanswered)
	one(form.Repeated > 0, &f.Repeated)
	one(form.Foreign > 0, &f.Foreign)
	one(form.Left > 0 && !form.Empty, &f.Left)
}

func coverage(counts map[int32]int, of map[int32]bool) *Coverage {
	all := make([]int, 0, len(of))
	c := &Coverage{Items: len(counts), Of: len(of)}
	for item := range of {
		all = append(all, counts[item])
	}
	if c.Of > 0 {
		c.Share = float64(c.Items) / float64(c.Of)
	}
	c.Gini = metric.Gini(all) // of sorted counts: the order of the map does not matter
	return c
}

// control reports whether a system is one that others are compared with.
func (c *cell) control(name string) bool {
	for _, s := range c.systems {
		if s.Name == name {
			return s.Control
		}
	}
	return false
}
