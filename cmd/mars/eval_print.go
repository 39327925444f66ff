package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/mars-rec/mars/eval"
	"github.com/mars-rec/mars/eval/stat"
)

// writeEval tells a person the results.
func writeEval(w io.Writer, r evalReport) {
	fmt.Fprintf(w, "%s cases of %s users\n", thousands(int64(r.Cases)), thousands(int64(r.Users)))
	for _, run := range r.Runs {
		if run.Unanswered > 0 {
			fmt.Fprintf(w, "%s has no ranking for %s of them: they are misses\n", run.Store, thousands(int64(run.Unanswered)))
		}
	}
	for _, run := range r.Runs {
		if run.Further > 0 {
			fmt.Fprintf(w, "%s has %s further runs of its tasks: the first of each task is measured\n", run.Store, thousands(int64(run.Further)))
		}
	}
	undecided := false
	for _, g := range r.Everything() {
		for _, t := range g.Tables {
			if len(r.Groups) > 1 || len(g.Tables) > 1 || len(g.Sets) > 1 {
				fmt.Fprintf(w, "\n%s, %s: %s cases of %s users", g.Name, t.Scenario, thousands(int64(t.Cases)), thousands(int64(t.Users)))
				if g.Seeds() > 1 {
					fmt.Fprintf(w, ", %d seeds", g.Seeds())
				}
				fmt.Fprintln(w)
			}
			writeTable(w, r.Report, t)
			for _, p := range t.Pairs {
				undecided = undecided || p.Verdict == stat.Undecided
			}
		}
	}
	writeFootnotes(w, r.Report, undecided)
}

// writeTable writes one table, its comparisons beside or below the systems.
func writeTable(w io.Writer, r eval.Report, t eval.Table) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprint(tw, "SYSTEM\tHR@1\tHR@3\tHR@5\tMEAN HR\tNDCG@10\tMRR\tVALID")
	if r.Against != "" && len(t.Pairs) > 0 {
		fmt.Fprintf(tw, "\t%s LEADS BY\t%%\tP\td\tSEES", shortened(r.Against, "FIRST", t))
	}
	fmt.Fprintln(tw)
	for _, row := range t.Rows {
		fmt.Fprintf(tw, "%s\t%.3f\t%.3f\t%.3f\t%.3f\t%.3f\t%.3f\t%s", row.System, row.HR1, row.HR3, row.HR5, row.MeanHR, row.NDCG10, row.MRR, share(row.Form.Valid))
		if p, ok := t.Pair(r.Against, row.System); ok {
			fmt.Fprintf(tw, "\t%s\t%s\t%s\t%+.2f\t%s", lead(p), relative(p), probability(p.Holm), p.Effect, sees(p))
		}
		fmt.Fprintln(tw)
	}
	tw.Flush()
	if r.Against != "" {
		return
	}
	fmt.Fprintln(w)
	fmt.Fprintln(tw, "FIRST\tSECOND\tFIRST LEADS BY\t%\tP\td\tSEES")
	for _, p := range t.Pairs {
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%+.2f\t%s\n", p.First, p.Second, lead(p), relative(p), probability(p.Holm), p.Effect, sees(p))
	}
	tw.Flush()
}

// shortened returns what a column calls the system that others are compared
// with: first, if it is that.
func shortened(name, first string, t eval.Table) string {
	if len(t.Rows) > 0 && t.Rows[0].System == name {
		return first
	}
	return name
}

// lead is a difference with its interval; "?" if the sample cannot tell it from
// none.
func lead(p eval.Pair) string {
	text := fmt.Sprintf("%+.3f [%+.3f, %+.3f]", p.Difference, p.Low, p.High)
	if p.Verdict == stat.Undecided {
		text += " ?"
	}
	return text
}

// relative is a lead in percent of what it is over.
func relative(p eval.Pair) string {
	if p.Relative == nil {
		return ""
	}
	return fmt.Sprintf("%+.1f%%", 100*p.Relative.Lead)
}

// sees is the least lead that the sample shows; nothing where the two never
// differ, which tells nothing about it.
func sees(p eval.Pair) string {
	if p.Error == 0 {
		return ""
	}
	return fmt.Sprintf("%.3f", p.Detectable)
}

// writeFootnotes says how the tables are to be read.
func writeFootnotes(w io.Writer, r eval.Report, undecided bool) {
	pairs := 0
	for _, g := range r.Groups {
		for _, t := range g.Tables {
			pairs += len(t.Pairs)
			if s := t.GoldPlace; s != nil && s.P < stat.Level/20 {
				fmt.Fprintf(w, "%s, %s: the true item stands at place %.1f of the candidates on average, not at %.1f: were they shuffled? (p %s)\n",
					g.Name, t.Scenario, s.Mean, s.Expected, probability(s.P))
			}
			for _, row := range t.Rows {
				if p := row.Position; p != nil && p.P < stat.Level/20 && row.System != "identity" {
					fmt.Fprintf(w, "%s, %s: %s ranks by the order in which candidates are listed: correlation %+.3f [%+.3f, %+.3f]\n",
						g.Name, t.Scenario, row.System, p.Correlation, p.Low, p.High)
				}
			}
		}
	}
	if pairs > 0 {
		fmt.Fprintf(w, "The lead is in %s, with its 95%% interval, paired by case and clustered by user; P is of sign flips by user, Holm-corrected\n", measureName(r.Measure))
		fmt.Fprintln(w, "within the table; % is the lead as a share of what it is over; d is the effect size over users; SEES is the least lead that such a sample shows with 80% power.")
	}
	if undecided {
		fmt.Fprintln(w, "?: the sample cannot tell this from no difference.")
	}
	for _, n := range r.Notes {
		fmt.Fprintln(w, "Note:", n)
	}
}

// measureName writes a measure's name for people.
func measureName(m string) string {
	if m == "mean_hr" {
		return "mean HR at 1, 3 and 5"
	}
	return m
}

// share writes a share in percent.
func share(x float64) string {
	if x > 0.9995 && x < 1 {
		return "99.9%"
	}
	return fmt.Sprintf("%.1f%%", 100*x)
}

// probability writes a p-value as far as the number of flips carries it.
func probability(p float64) string {
	if p < 0.001 {
		return "<0.001"
	}
	return fmt.Sprintf("%.3f", p)
}
