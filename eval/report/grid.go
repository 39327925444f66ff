package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mars-rec/mars/eval"
	"github.com/mars-rec/mars/eval/stat"
)

// grid is a table before it is written in some language.
type grid struct {
	title   string
	columns []string
	rows    [][]string
	best    [][]bool // cells that are the best of their column
	notes   []string
}

// quality is the table of what systems achieve, and of what their differences
// carry.
func quality(r eval.Report, g eval.GroupReport, t eval.Table) grid {
	out := grid{title: title(r, g, t), columns: []string{"system", "HR@1", "HR@3", "HR@5", "mean HR", "NDCG@10", "MRR", r.Measure + ", 95%"}}
	if r.Against != "" && len(t.Pairs) > 0 {
		out.columns = append(out.columns, r.Against+" leads by", "in %", "p", "d", "sees")
	}
	undecided := false
	var figures [][]float64
	for _, row := range t.Rows {
		f := []float64{row.HR1, row.HR3, row.HR5, row.MeanHR, row.NDCG10, row.MRR}
		figures = append(figures, f)
		cells := []string{row.System}
		for _, x := range f {
			cells = append(cells, number(x))
		}
		cells = append(cells, interval(row.Value, row.Low, row.High, false))
		if p, ok := t.Pair(r.Against, row.System); ok {
			cells = append(cells, lead(p), relative(p), probability(p.Holm), fmt.Sprintf("%+.2f", p.Effect), sees(p))
			undecided = undecided || p.Verdict == stat.Undecided
		}
		for len(cells) < len(out.columns) {
			cells = append(cells, "")
		}
		out.rows = append(out.rows, cells)
	}
	for _, f := range figures {
		best := make([]bool, len(out.columns))
		for k, x := range f {
			best[k+1] = !slices.ContainsFunc(figures, func(other []float64) bool { return other[k] > x })
		}
		out.best = append(out.best, best)
	}
	if r.Against != "" && len(t.Pairs) > 0 {
		out.notes = append(out.notes, fmt.Sprintf("The lead is in %s: paired by case, 95%% interval by bootstrap over users (%d samples), p by sign flips of users, Holm-corrected within the table; “in %%” is the lead as a share of what it is over; d is the paired effect size over users; “sees” is the least lead that such a sample shows with 80%% power.", r.Measure, r.Rounds))
	}
	if undecided {
		out.notes = append(out.notes, "“?”: the sample cannot tell this from no difference.")
	}
	return out
}

// pairs is the table of all comparisons, where any two are compared.
func pairs(r eval.Report, g eval.GroupReport, t eval.Table) grid {
	out := grid{title: title(r, g, t) + ": any two", columns: []string{"first", "second", "first leads by", "in %", "p", "d", "sees"}}
	for _, p := range t.Pairs {
		out.rows = append(out.rows, []string{p.First, p.Second, lead(p), relative(p), probability(p.Holm), fmt.Sprintf("%+.2f", p.Effect), sees(p)})
	}
	out.notes = []string{fmt.Sprintf("In %s; p is Holm-corrected for all %d comparisons of the table.", r.Measure, len(t.Pairs))}
	return out
}

// behaviour is the table of what rankings are like and what they cost.
func behaviour(r eval.Report, g eval.GroupReport, t eval.Table) grid {
	out := grid{title: title(r, g, t) + ": what the rankings are like", columns: []string{"system", "valid", "coverage@5", "Gini", "popularity@5", "position bias",
		"seeds: negatives", "seeds: runs", "p50", "p95", "calls", "tokens in", "tokens out", "cost"}}
	for _, row := range t.Rows {
		cells := []string{row.System, percent(row.Form.Valid), "", "", "", "", spread(row.Seeds.Draws), spread(row.Seeds.Runs)}
		if c := row.Coverage; c != nil {
			cells[2], cells[3] = percent(c.Share), number(c.Gini)
		}
		if p := row.Popularity; p != nil {
			cells[4] = number(p.Recommended)
		}
		if p := row.Position; p != nil {
			cells[5] = interval(p.Correlation, p.Low, p.High, true)
		}
		e := row.Expense
		cells = append(cells, optional(e.P50, "%.3g s"), optional(e.P95, "%.3g s"), optional(e.Calls, "%.1f"), optional(e.InputTokens, "%.0f"), optional(e.OutputTokens, "%.0f"), optional(e.Cost, "$%.4g"))
		out.rows = append(out.rows, cells)
	}
	if len(t.Rows) > 0 && t.Rows[0].Popularity != nil {
		p := t.Rows[0].Popularity
		out.notes = append(out.notes, fmt.Sprintf("Popularity is the mean percentile, as of the task, of the first five; that of all candidates is %s, of what was taken %s.", number(p.Candidates), number(p.Gold)))
	}
	out.notes = append(out.notes, "Position bias is the mean rank correlation of the ranking with the order in which candidates were listed; a ranker that does not look at the order has 0. Costs are means of a task.")
	return out.without("")
}

// without drops the columns in which every cell is that text.
func (g grid) without(text string) grid {
	out := grid{title: g.title, notes: g.notes, rows: make([][]string, len(g.rows))}
	for k, name := range g.columns {
		if !slices.ContainsFunc(g.rows, func(row []string) bool { return row[k] != text }) {
			continue
		}
		out.columns = append(out.columns, name)
		for n, row := range g.rows {
			out.rows[n] = append(out.rows[n], row[k])
		}
	}
	return out
}

// grids returns all tables of a report.
func grids(r eval.Report) []grid {
	var all []grid
	for _, g := range r.Everything() {
		for _, t := range g.Tables {
			all = append(all, quality(r, g, t))
			if r.Against == "" && len(t.Pairs) > 0 {
				all = append(all, pairs(r, g, t))
			}
			all = append(all, behaviour(r, g, t))
		}
	}
	return all
}

func title(r eval.Report, g eval.GroupReport, t eval.Table) string {
	name := g.Name
	if g.Negatives != "" && g.Name == g.Negatives {
		name += " negatives"
	}
	scenario := t.Scenario
	if scenario == eval.All {
		scenario = "all scenarios"
	}
	text := fmt.Sprintf("%s, %s: %d cases of %d users", name, scenario, t.Cases, t.Users)
	if g.Seeds() > 1 {
		text += fmt.Sprintf(", %d seeds", g.Seeds())
	}
	if r.Full {
		text += ", full ranking"
	}
	return text
}

// number writes a figure between 0 and 1 as papers do.
func number(x float64) string {
	text := fmt.Sprintf("%.3f", x)
	return strings.Replace(text, "0.", ".", 1)
}

func signed(x float64) string {
	text := fmt.Sprintf("%+.3f", x)
	return strings.Replace(strings.Replace(text, "0.", ".", 1), "-", "−", 1)
}

func interval(x, low, high float64, sign bool) string {
	write := number
	if sign {
		write = signed
	}
	return fmt.Sprintf("%s [%s, %s]", write(x), write(low), write(high))
}

func lead(p eval.Pair) string {
	text := interval(p.Difference, p.Low, p.High, true)
	if p.Verdict == stat.Undecided {
		text += " ?"
	}
	return text
}

// relative is a lead in percent of what it is over.
func relative(p eval.Pair) string {
	r := p.Relative
	if r == nil {
		return ""
	}
	return fmt.Sprintf("%s [%s, %s]", signedPercent(r.Lead), signedPercent(r.Low), signedPercent(r.High))
}

func signedPercent(x float64) string {
	return strings.Replace(fmt.Sprintf("%+.1f%%", 100*x), "-", "−", 1)
}

// sees is empty where the two never differ, which tells nothing about what the
// sample could show.
func sees(p eval.Pair) string {
	if p.Error == 0 {
		return ""
	}
	return number(p.Detectable)
}

func probability(p float64) string {
	if p < 0.001 {
		return "<.001"
	}
	return number(p)
}

func percent(x float64) string {
	if x > 0.9995 && x < 1 {
		return "99.9%"
	}
	return fmt.Sprintf("%.1f%%", 100*x)
}

func spread(s *stat.Spread) string {
	if s == nil {
		return ""
	}
	return fmt.Sprintf("±%s (%d)", number(s.SD), s.Seeds)
}

func optional(x *float64, format string) string {
	if x == nil {
		return ""
	}
	return fmt.Sprintf(format, *x)
}
