package report

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/mars-rec/mars/eval"
	"github.com/mars-rec/mars/eval/plot"
	"github.com/mars-rec/mars/internal/atomicfile"
)

// PlotFolder is the folder of the plots in a folder of results.
const PlotFolder = "plots"

// writePlots draws all figures, each as SVG and as PNG.
func writePlots(dir string, results *eval.Results, r eval.Report) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, f := range Plots(results, r) {
		for ending, write := range map[string]func(io.Writer) error{".svg": f.WriteSVG, ".png": f.WritePNG} {
			if err := atomicfile.Write(filepath.Join(dir, name+ending), write); err != nil {
				return fmt.Errorf("plot %s: %w", name, err)
			}
		}
	}
	return nil
}

// Plots returns the figures of a report by name: scenarios, ranks, and quality
// against latency, tokens and cost as far as these are known.
func Plots(results *eval.Results, r eval.Report) map[string]plot.Figure {
	all := map[string]plot.Figure{
		"scenarios": scenarios(r),
		"ranks":     ranks(results, r),
	}
	for name, of := range map[string]struct {
		axis  string
		value func(eval.ExpenseReport) *float64
	}{
		"latency": {"seconds from task to ranking, median", func(e eval.ExpenseReport) *float64 { return e.P50 }},
		"tokens":  {"tokens of a task, read and written, mean", tokens},
		"cost":    {"dollars of a task, mean", func(e eval.ExpenseReport) *float64 { return e.Cost }},
	} {
		for _, g := range r.Groups {
			t := g.Tables[0]
			points, lines := split(t, of.value)
			if len(points) == 0 {
				continue
			}
			file := name
			if len(r.Groups) > 1 {
				file += "-" + slug(g.Name)
			}
			all[file] = plot.Tradeoff(fmt.Sprintf("Quality against %s: %s", name, groupTitle(g)), axis(r), of.axis, points, lines)
		}
	}
	return all
}

func tokens(e eval.ExpenseReport) *float64 {
	if e.InputTokens == nil || e.OutputTokens == nil {
		return nil
	}
	n := *e.InputTokens + *e.OutputTokens
	return &n
}

// split returns the systems of which an expense is known and above 0, and the
// others.
func split(t eval.Table, value func(eval.ExpenseReport) *float64) (points []plot.Point, lines []plot.Mark) {
	for _, row := range t.Rows {
		if x := value(row.Expense); x != nil && *x > 0 {
			points = append(points, plot.Point{Mark: mark(row), Expense: *x})
		} else {
			lines = append(lines, mark(row))
		}
	}
	return points, lines
}

func mark(row eval.Row) plot.Mark {
	return plot.Mark{Name: row.System, Control: row.Control, Value: row.Value, Low: row.Low, High: row.High}
}

// scenarios draws the measure by scenario, a row of panels each group.
func scenarios(r eval.Report) plot.Figure {
	var rows [][]plot.Panel
	for _, g := range r.Groups {
		var row []plot.Panel
		for _, t := range g.Tables {
			name := t.Scenario
			if name == eval.All {
				name = "all scenarios"
			}
			p := plot.Panel{Title: fmt.Sprintf("%s, %s", g.Name, name), Note: fmt.Sprintf("%d cases of %d users", t.Cases, t.Users)}
			for _, s := range t.Rows {
				p.Marks = append(p.Marks, mark(s))
			}
			row = append(row, p)
		}
		rows = append(rows, row)
	}
	return plot.Intervals("Who finds the true item", axis(r), rows)
}

// ranks draws where the true items stood, a panel each group.
func ranks(results *eval.Results, r eval.Report) plot.Figure {
	classes := []struct {
		name string
		to   int
	}{{"1", 1}, {"2–3", 3}, {"4–5", 5}, {"6–10", 10}, {"beyond", 1 << 30}, {"missing", 0}}
	names := make([]string, len(classes))
	for k, c := range classes {
		names[k] = c.name
	}
	columns := results.Columns()
	counts := map[string]map[string][]int{} // by group and system
	for c := range results.EachCase() {
		if counts[c.Group] == nil {
			counts[c.Group] = map[string][]int{}
		}
		for k, rank := range c.Ranks {
			if rank == eval.Absent {
				continue
			}
			name := columns[k].System
			if counts[c.Group][name] == nil {
				counts[c.Group][name] = make([]int, len(classes))
			}
			at := len(classes) - 1
			if rank > 0 {
				at = slices.IndexFunc(classes, func(c struct {
					name string
					to   int
				}) bool {
					return rank <= c.to
				})
			}
			counts[c.Group][name][at]++
		}
	}
	var panels []plot.RankPanel
	for _, g := range r.Groups {
		rows := slices.Clone(g.Tables[0].Rows)
		slices.SortStableFunc(rows, func(a, b eval.Row) int {
			if a.Value == b.Value {
				return 0
			} else if a.Value > b.Value {
				return -1
			}
			return 1
		})
		p := plot.RankPanel{Title: groupTitle(g)}
		for _, row := range rows {
			bar := plot.Bar{Name: row.System, Control: row.Control}
			total := 0
			for _, n := range counts[g.Name][row.System] {
				total += n
			}
			for _, n := range counts[g.Name][row.System] {
				bar.Shares = append(bar.Shares, float64(n)/float64(total))
			}
			p.Bars = append(p.Bars, bar)
		}
		panels = append(panels, p)
	}
	return plot.Ranks("Where the true item stands", names, panels)
}

func axis(r eval.Report) string {
	if r.Measure == "mean_hr" {
		return "mean HR at 1, 3 and 5, with 95% intervals"
	}
	return r.Measure + ", with 95% intervals"
}

func groupTitle(g eval.GroupReport) string {
	if g.Negatives != "" && g.Name == g.Negatives {
		return g.Name + " negatives"
	}
	return g.Name
}

// slug is a name as part of a file's.
func slug(name string) string {
	out := []byte(nil)
	for k := range len(name) {
		c := name[k]
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-':
			out = append(out, c)
		case c >= 'A' && c <= 'Z':
			out = append(out, c+'a'-'A')
		default:
			out = append(out, '-')
		}
	}
	return string(out)
}
