package report

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/mars-rec/mars/eval"
)

// WriteMarkdown writes all tables as Markdown.
func WriteMarkdown(w io.Writer, r eval.Report) error {
	out := bufio.NewWriter(w)
	escape := strings.NewReplacer("|", `\|`, "\n", " ", "<", "&lt;").Replace
	for k, g := range grids(r) {
		if k > 0 {
			fmt.Fprintln(out)
		}
		fmt.Fprintf(out, "### %s\n\n|", escape(g.title))
		for _, c := range g.columns {
			fmt.Fprintf(out, " %s |", escape(c))
		}
		fmt.Fprint(out, "\n|---|")
		fmt.Fprintln(out, strings.Repeat("---:|", len(g.columns)-1))
		for n, row := range g.rows {
			fmt.Fprint(out, "|")
			for k, cell := range row {
				cell = escape(cell)
				if g.best != nil && g.best[n][k] {
					cell = "**" + cell + "**"
				}
				fmt.Fprintf(out, " %s |", cell)
			}
			fmt.Fprintln(out)
		}
		for _, note := range g.notes {
			fmt.Fprintf(out, "\n%s\n", escape(note))
		}
	}
	for _, note := range r.Notes {
		fmt.Fprintf(out, "\nNote: %s.\n", escape(note))
	}
	return out.Flush()
}

// WriteLaTeX writes all tables as LaTeX, for the package booktabs. Notes stand
// in the captions.
func WriteLaTeX(w io.Writer, r eval.Report) error {
	out := bufio.NewWriter(w)
	escape := strings.NewReplacer(`\`, `\textbackslash{}`, "&", `\&`, "%", `\%`, "$", `\$`, "#", `\#`, "_", `\_`, "{", `\{`, "}", `\}`,
		"~", `\textasciitilde{}`, "^", `\textasciicircum{}`, "<", `$<$`, ">", `$>$`, "−", `$-$`, "±", `$\pm$`, "“", "``", "”", "''", "\n", " ").Replace
	fmt.Fprintln(out, "% needs \\usepackage{booktabs} and \\usepackage{graphicx}")
	for _, g := range grids(r) {
		fmt.Fprintf(out, "\n\\begin{table*}\n\\centering\n\\caption{%s. %s}\n\\resizebox{\\textwidth}{!}{%%\n\\begin{tabular}{l%s}\n\\toprule\n",
			escape(g.title), escape(strings.Join(g.notes, " ")), strings.Repeat("r", len(g.columns)-1))
		line := func(cells []string, bold []bool) {
			for k, cell := range cells {
				if k > 0 {
					fmt.Fprint(out, " & ")
				}
				cell = escape(cell)
				if bold != nil && bold[k] {
					cell = `\textbf{` + cell + `}`
				}
				fmt.Fprint(out, cell)
			}
			fmt.Fprintln(out, ` \\`)
		}
		line(g.columns, nil)
		fmt.Fprintln(out, `\midrule`)
		for n, row := range g.rows {
			var bold []bool
			if g.best != nil {
				bold = g.best[n]
			}
			line(row, bold)
		}
		fmt.Fprint(out, "\\bottomrule\n\\end{tabular}}\n\\end{table*}\n")
	}
	return out.Flush()
}
