package eval

import (
	"slices"

	"github.com/mars-rec/mars/eval/metric"
	"github.com/mars-rec/mars/eval/stat"
)

// ReportVersion is the version of [Report] as JSON. Fields are only ever added.
const ReportVersion = 1

// All is the name of the table over all scenarios.
const All = "all"

// Together is the name of the group of all cases.
const Together = "together"

// Report is the results as data: what mars eval --json prints and results.json
// holds.
type Report struct {
	Version int           `json:"version"`
	Measure string        `json:"measure"`          // what is compared
	Against string        `json:"against"`          // with which system; "": any two
	Rounds  int           `json:"rounds"`           // of the bootstrap and of the sign flips
	Seed    uint64        `json:"seed"`             //
	Blocks  int           `json:"blocks,omitempty"` // of tasks, each with rankers of its own; 0: nothing was trained
	Full    bool          `json:"full,omitempty"`   // all items were ranked, not the candidates
	Cases   int           `json:"cases"`            //
	Users   int           `json:"users"`            //
	Sets    []SetReport   `json:"sets"`
	Groups  []GroupReport `json:"groups"`
	// Together has the cases of all groups in one table, and the systems that
	// answer each of them; nil of one group, of groups with other pools or numbers
	// of candidates, and where no two systems answer all.
	Together *GroupReport `json:"together,omitempty"`
	Notes    []string     `json:"notes,omitempty"`
}

// Everything returns the groups and, last, all of them together.
func (r Report) Everything() []GroupReport {
	if r.Together == nil {
		return r.Groups
	}
	return append(slices.Clip(r.Groups), *r.Together)
}

// SetReport says which cases were measured.
type SetReport struct {
	Name   string  `json:"name"`
	Cases  int     `json:"cases"`
	Seed   *uint64 `json:"seed,omitempty"`  // of the negatives
	Tasks  string  `json:"tasks,omitempty"` // SHA-256 of the task file
	Gold   string  `json:"gold,omitempty"`  // SHA-256 of the gold file
	Data   string  `json:"data,omitempty"`  // hash of the data set
	Source string  `json:"protocol,omitempty"`
}

// GroupReport is a group and its tables, that over all scenarios first.
type GroupReport struct {
	Group
	Tables []Table `json:"tables"`
}

// Table compares the systems on the cases of one scenario, or of all.
type Table struct {
	Scenario  string    `json:"scenario"`
	Cases     int       `json:"cases"`
	Users     int       `json:"users"`
	GoldPlace *Shuffled `json:"gold_place,omitempty"` // nil in a full ranking
	Rows      []Row     `json:"systems"`
	Pairs     []Pair    `json:"comparisons"` // corrected together
}

// Row is one system's result.
type Row struct {
	System  string `json:"system"`
	Control bool   `json:"control,omitempty"` // a ranker that others are compared with
	Runs    int    `json:"runs"`              // with other seeds; each figure is their mean
	metric.Summary
	Value        float64       `json:"value"` // of the measure that is compared
	Low          float64       `json:"low"`   // of its 95% interval, users being drawn
	High         float64       `json:"high"`
	Seeds        Seeds         `json:"seeds,omitzero"`
	AgentSociety AgentSociety  `json:"agentsociety"`
	Form         FormReport    `json:"form"`
	Coverage     *Coverage     `json:"coverage,omitempty"`
	Popularity   *Popularity   `json:"popularity,omitempty"` // nil where the graph is not known
	Position     *Position     `json:"position,omitempty"`
	Expense      ExpenseReport `json:"expense,omitzero"`
}

// Pair is the difference of two systems, the first minus the second.
type Pair struct {
	First  string `json:"first"`
	Second string `json:"second"`
	stat.Comparison
	Draws *stat.Spread `json:"draws,omitempty"` // of the difference, over the group's sets; nil of one
}

// Seeds says how far the measure moves from seed to seed, which is no part of
// the interval over users.
type Seeds struct {
	Draws *stat.Spread `json:"draws,omitempty"` // of the negatives: over the group's sets; nil of one
	Runs  *stat.Spread `json:"runs,omitempty"`  // of the system: over its runs; nil of one
}

// AgentSociety is the published scoring of the AgentSociety challenge: the true
// item is looked for in the first n of the list as it was given, a failure is a
// miss, and nothing else is checked. [FormReport] tells what that passes over.
type AgentSociety struct {
	Total   int     `json:"total_scenarios"`
	Hits1   int     `json:"top_1_hits"`
	Hits3   int     `json:"top_3_hits"`
	Hits5   int     `json:"top_5_hits"`
	Top1    float64 `json:"top_1_hit_rate"`
	Top3    float64 `json:"top_3_hit_rate"`
	Top5    float64 `json:"top_5_hit_rate"`
	Average float64 `json:"average_hit_rate"`
}

// FormReport counts answers by what they are as lists. One answer may have
// several faults.
type FormReport struct {
	Valid      float64 `json:"valid"`      // share of permutations of the candidates
	Unanswered int     `json:"unanswered"` // no ranking at all
	Repeated   int     `json:"repeated"`   // an item twice
	Foreign    int     `json:"foreign"`    // an item that is no candidate
	Left       int     `json:"left"`       // a ranking without some candidate
}

// Coverage says how much of what could be recommended is, among the first five.
type Coverage struct {
	Items int     `json:"items"`     // distinct items among the first five of any case
	Of    int     `json:"catalogue"` // distinct candidates
	Share float64 `json:"share"`     // catalogue coverage (Herlocker et al. 2004)
	Gini  float64 `json:"gini"`      // of how often each candidate is there; 0: all alike
}

// Popularity is the mean popularity percentile as of the task, 0 to 1: of what is
// recommended, of all candidates, and of what was taken.
type Popularity struct {
	Recommended float64 `json:"recommended"` // the first five
	Candidates  float64 `json:"candidates"`
	Gold        float64 `json:"gold"`
}

// Position says whether a candidate's place in the list that was given predicts
// its rank: the mean of Spearman's correlation over cases. A ranker that does
// not look at the order has 0.
type Position struct {
	Correlation float64 `json:"correlation"`
	Low         float64 `json:"low"` // of the 95% interval, users being drawn
	High        float64 `json:"high"`
	P           float64 `json:"p"` // of the sign-flip test by user, not corrected
}

// Shuffled says whether the true items stand anywhere in the lists of candidates
// alike, as they do where candidates were shuffled.
type Shuffled struct {
	Mean      float64 `json:"mean"`       // place of the true item, from 1
	Expected  float64 `json:"expected"`   // of a shuffled list
	ChiSquare float64 `json:"chi_square"` // of the places against all alike; 0 where lists have several lengths
	Freedom   int     `json:"degrees_of_freedom"`
	P         float64 `json:"p"`
}

// ExpenseReport is what answers cost, where it is known. Means and quantiles are
// of the answers of which it is.
type ExpenseReport struct {
	Known        int      `json:"known"` // answers of which anything is known
	P50          *float64 `json:"seconds_p50,omitempty"`
	P95          *float64 `json:"seconds_p95,omitempty"`
	Calls        *float64 `json:"calls,omitempty"` // of models, mean
	InputTokens  *float64 `json:"input_tokens,omitempty"`
	OutputTokens *float64 `json:"output_tokens,omitempty"`
	Cost         *float64 `json:"cost,omitempty"`       // in dollars, mean
	Total        *float64 `json:"total_cost,omitempty"` // in dollars
}

// Measures returns the names of what can be compared.
func Measures() []string {
	return []string{"mean_hr", "hr@1", "hr@3", "hr@5", "ndcg@5", "ndcg@10", "mrr"}
}

// measure returns what a rank is worth under a measure, by its name.
func measure(name string) (func(rank int) float64, bool) {
	of := func(f func(int, int) float64, k int) func(int) float64 {
		return func(rank int) float64 { return f(rank, k) }
	}
	switch name {
	case "mean_hr":
		return metric.MeanHit, true
	case "hr@1":
		return of(metric.Hit, 1), true
	case "hr@3":
		return of(metric.Hit, 3), true
	case "hr@5":
		return of(metric.Hit, 5), true
	case "ndcg@5":
		return of(metric.Gain, 5), true
	case "ndcg@10":
		return of(metric.Gain, 10), true
	case "mrr":
		return metric.Reciprocal, true
	}
	return nil, false
}

// Row returns the row of a system.
func (t Table) Row(system string) (Row, bool) {
	k := slices.IndexFunc(t.Rows, func(r Row) bool { return r.System == system })
	if k < 0 {
		return Row{}, false
	}
	return t.Rows[k], true
}

// Pair returns the comparison of two systems, and whether it was made in that
// order.
func (t Table) Pair(first, second string) (Pair, bool) {
	k := slices.IndexFunc(t.Pairs, func(p Pair) bool { return p.First == first && p.Second == second })
	if k < 0 {
		return Pair{}, false
	}
	return t.Pairs[k], true
}
