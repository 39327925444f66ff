package eval

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/mars-rec/mars/eval/stat"
	"github.com/mars-rec/mars/tasks/gold"
)

// settled fills in what the configuration leaves open, and reports a measure or a
// system that is not there.
func (cfg Config) settled(systems []System) (Config, error) {
	cfg.Measure, cfg.Rounds = cmp.Or(cfg.Measure, Measures()[0]), cmp.Or(cfg.Rounds, stat.DefaultRounds)
	if _, ok := measure(cfg.Measure); !ok {
		return cfg, fmt.Errorf("eval: unknown measure %q: there are %v", cfg.Measure, Measures())
	}
	names := systemNames(systems)
	switch {
	case cfg.Pairs:
		cfg.Against = ""
	case cfg.Against == "":
		cfg.Against = names[0]
	case !slices.Contains(names, cfg.Against):
		return cfg, fmt.Errorf("eval: there is no system %q to compare with: there are %q", cfg.Against, names)
	}
	return cfg, nil
}

// Report computes means, intervals and comparisons.
func (r *Results) Report() (Report, error) {
	cfg := r.cfg
	value, _ := measure(cfg.Measure) // Run has checked that it is there
	report := Report{Version: ReportVersion, Measure: cfg.Measure, Against: cfg.Against, Rounds: cfg.Rounds, Seed: cfg.Seed,
		Full: cfg.Full, Notes: notes(r.groups)}
	if slices.ContainsFunc(r.systems, func(s System) bool { return s.Train != nil }) {
		report.Blocks = cmp.Or(cfg.Blocks, 8)
	}
	users := map[string]bool{}
	for _, s := range r.sets {
		report.Cases += len(s.Cases)
		for _, c := range s.Cases {
			users[c.Task.User] = true
		}
		report.Sets = append(report.Sets, setReport(s))
	}
	report.Users = len(users)
	for _, g := range r.groups {
		gr := GroupReport{Group: g}
		scenarios := r.scenarios(g)
		if len(scenarios) != 1 {
			scenarios = append([]string{All}, scenarios...)
		}
		for _, s := range scenarios {
			t, err := r.table(g, s, cfg, value)
			if err != nil {
				return Report{}, fmt.Errorf("eval: %s, %s: %w", g.Name, s, err)
			}
			gr.Tables = append(gr.Tables, t)
		}
		report.Groups = append(report.Groups, gr)
	}
	if g, ok := together(r.groups); ok {
		t, err := r.table(g, All, cfg, value)
		if err != nil {
			return Report{}, fmt.Errorf("eval: %s: %w", g.Name, err)
		}
		if len(t.Rows) > 1 {
			report.Together = &GroupReport{Group: g, Tables: []Table{t}}
		}
	}
	return report, nil
}

func setReport(s Set) SetReport {
	out := SetReport{Name: s.Name, Cases: len(s.Cases)}
	if s.Recipe != nil {
		out.Tasks, out.Gold, out.Data, out.Source = s.Recipe.Tasks.SHA256, s.Recipe.Gold.SHA256, s.Recipe.Data, s.Recipe.Protocol
		if s.Recipe.Config != nil {
			out.Seed = &s.Recipe.Config.Seed
		}
	}
	return out
}

// scenarios returns those of a group, in the order of their first case.
func (r *Results) scenarios(g Group) []string {
	var names []string
	for _, s := range g.at {
		for _, c := range r.sets[s].Cases {
			if !slices.Contains(names, c.Task.Scenario) {
				names = append(names, c.Task.Scenario)
			}
		}
	}
	return names
}

// cell is the cases of one table.
type cell struct {
	*Results
	cases []timed
	users []string           // of each case
	ran   map[string][][]int // by system and set: its runs, as indices of systems
}

// runs returns the runs of a system that answer a set.
func (c *cell) runs(name string, set int) []int { return c.ran[name][set] }

// at returns a case of the cell.
func (c *cell) at(k int) gold.Case { return c.sets[c.cases[k].set].Cases[c.cases[k].at] }

// ran returns the runs of each system, as indices of r.systems, by set.
func (r *Results) ran() map[string][][]int {
	ran := map[string][][]int{}
	for k, s := range r.systems {
		if ran[s.Name] == nil {
			ran[s.Name] = make([][]int, len(r.sets))
		}
		for set := range r.sets {
			if r.outcomes[k][set] != nil {
				ran[s.Name][set] = append(ran[s.Name][set], k)
			}
		}
	}
	return ran
}

// table computes the table of a group and scenario.
func (r *Results) table(g Group, scenario string, cfg Config, value func(int) float64) (Table, error) {
	c := &cell{Results: r, ran: r.ran()}
	distinct := map[string]bool{}
	for _, s := range g.at {
		for k, gc := range r.sets[s].Cases {
			if scenario == All || gc.Task.Scenario == scenario {
				c.cases = append(c.cases, timed{s, k})
				c.users = append(c.users, gc.Task.User)
				distinct[gc.Task.User] = true
			}
		}
	}
	t := Table{Scenario: scenario, Cases: len(c.cases), Users: len(distinct)}
	if !cfg.Full {
		t.GoldPlace = c.shuffled()
	}
	var names []string
	var values, orders [][]float64
	for _, name := range systemNames(r.systems) {
		if slices.ContainsFunc(g.at, func(set int) bool { return len(c.runs(name, set)) == 0 }) {
			continue // it does not answer this group
		}
		names = append(names, name)
		values = append(values, c.values(name, func(o Outcome) float64 { return value(o.Rank) }))
		orders = append(orders, c.values(name, func(o Outcome) float64 { return o.Order }))
		t.Rows = append(t.Rows, c.row(g, name, value))
	}
	if len(names) == 0 {
		return t, nil
	}
	sampling := stat.Config{Rounds: cfg.Rounds, Seed: cfg.Seed, Workers: cfg.Workers}
	panel, err := stat.New(c.users, values...)
	if err != nil {
		return t, err
	}
	drawn := panel.Resample(sampling)
	for k := range t.Rows {
		t.Rows[k].Value = panel.Mean(k)
		t.Rows[k].Low, t.Rows[k].High = drawn.Interval(k)
	}
	if !cfg.Full {
		if err := positions(t.Rows, c.users, orders, sampling); err != nil {
			return t, err
		}
	}
	t.Pairs = c.pairs(g, names, values, drawn, cfg.Against)
	return t, nil
}

// values returns what a system's outcomes are worth, by case: the mean over its
// runs.
func (c *cell) values(name string, worth func(Outcome) float64) []float64 {
	list := make([]float64, len(c.cases))
	for k, at := range c.cases {
		runs := c.runs(name, at.set)
		for _, s := range runs {
			list[k] += worth(c.outcomes[s][at.set][at.at])
		}
		list[k] /= float64(len(runs))
	}
	return list
}

// pairs compares each system with one, or any two, and corrects for all of it.
func (c *cell) pairs(g Group, names []string, values [][]float64, drawn *stat.Resampled, against string) []Pair {
	list := []Pair{} // never null in JSON
	for a := range names {
		for b := range names {
			if against == "" && a < b || against == names[a] && a != b {
				p := Pair{First: names[a], Second: names[b], Comparison: drawn.Compare(a, b)}
				if g.Seeds() > 1 {
					p.Draws = c.overSets(g, func(k int) float64 { return values[a][k] - values[b][k] })
				}
				list = append(list, p)
			}
		}
	}
	together := make([]*stat.Comparison, len(list))
	for k := range list {
		together[k] = &list[k].Comparison
	}
	stat.Holm(together)
	return list
}

// overSets returns how far the mean of a figure lies apart from set to set.
func (c *cell) overSets(g Group, figure func(k int) float64) *stat.Spread {
	var means []float64
	for _, set := range g.at {
		sum, n := 0.0, 0
		for k, at := range c.cases {
			if at.set == set {
				sum, n = sum+figure(k), n+1
			}
		}
		if n > 0 {
			means = append(means, sum/float64(n))
		}
	}
	s := stat.SpreadOf(means)
	return &s
}

// positions sets the position bias of each row.
func positions(rows []Row, users []string, orders [][]float64, cfg stat.Config) error {
	panel, err := stat.New(users, append(orders, make([]float64, len(users)))...)
	if err != nil {
		return err
	}
	drawn := panel.Resample(cfg)
	for k := range rows {
		c := drawn.Compare(k, len(rows)) // with none at all
		rows[k].Position = &Position{Correlation: c.Difference, Low: c.Low, High: c.High, P: c.P}
	}
	return nil
}
