package audit

import (
	"embed"
	"fmt"
	"html/template"
	"io"
	"strings"
)

// String writes the finding in one line: severity, check, case, place, what, and
// the bytes, quoted.
func (f Finding) String() string {
	var w strings.Builder
	fmt.Fprintf(&w, "%s: %s: ", f.Severity, f.Check)
	if f.Case != "" {
		w.WriteString(f.Case + ": ")
	}
	if p := f.Place.String(); p != "" {
		w.WriteString(p + ": ")
	}
	w.WriteString(f.What)
	if f.Bytes != "" {
		fmt.Fprintf(&w, ": %q", f.Bytes)
	}
	if f.Want != "" {
		fmt.Fprintf(&w, ", derived %q", f.Want)
	}
	return w.String()
}

// Outcome is what came of the check, in a word or two.
func (c Check) Outcome() string {
	switch {
	case c.Errors > 0:
		return plural(c.Errors, "error")
	case c.Warnings > 0:
		return plural(c.Warnings, "warning")
	case c.Skipped != "":
		return "not checked"
	}
	return "holds"
}

// Detail is how much the check looked at, or why it did not, and its p value.
func (c Check) Detail() string {
	if c.Skipped != "" {
		return c.Skipped
	}
	if c.P != nil {
		return fmt.Sprintf("%s; p = %s", c.Examined, chance(*c.P))
	}
	return c.Examined
}

// Verdict says in one sentence what the report came to.
func (r *Report) Verdict() string {
	verdict := "passes"
	if !r.Pass {
		verdict = "does not pass"
	}
	return fmt.Sprintf("%s %s: %s, %s.", r.Target, verdict, plural(r.Errors(), "error"), plural(r.Warnings(), "warning"))
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// Left is how many findings are counted and not told.
func (r *Report) Left() int { return r.Errors() + r.Warnings() - len(r.Findings) }

// Markdown writes the report as a page for an appendix.
func (r *Report) Markdown(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# Audit of %s\n\n%s\n\n", code(r.Target), cell(r.Verdict()))
	for _, f := range r.Facts {
		fmt.Fprintf(&b, "- %s: %s\n", cell(f.Name), code(f.Value))
	}
	b.WriteString("\n| check | outcome | what holds if nothing was found | examined |\n|---|---|---|---|\n")
	for _, c := range r.Checks {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", c.Name, c.Outcome(), cell(c.Claim), cell(c.Detail()))
	}
	if len(r.Findings) > 0 {
		b.WriteString("\n## Findings\n\n| | check | case | place | what | bytes | derived |\n|---|---|---|---|---|---|---|\n")
	}
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s |\n", f.Severity, f.Check, code(f.Case), cell(f.Place.String()), cell(f.What), code(f.Bytes), code(f.Want))
	}
	if n := r.Left(); n > 0 {
		fmt.Fprintf(&b, "\n%d more findings are counted above and not told.\n", n)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// cell makes a text safe for a cell of a Markdown table.
func cell(s string) string {
	return strings.NewReplacer("\\", "\\\\", "|", "\\|", "<", "&lt;", "&", "&amp;", "*", "\\*", "_", "\\_", "`", "\\`", "[", "\\[").Replace(flat(s))
}

// code writes foreign bytes as code, with what cannot be seen escaped.
func code(s string) string {
	if s == "" {
		return ""
	}
	s = strings.ReplaceAll(flat(s), "|", "\\|")
	fence := "`"
	for strings.Contains(s, fence) {
		fence += "`"
	}
	if fence != "`" {
		return fence + " " + s + " " + fence
	}
	return fence + s + fence
}

// flat writes a text in one line in which nothing is hidden.
func flat(s string) string {
	q := fmt.Sprintf("%q", s)
	return strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`)
}

//go:embed page.html
var pages embed.FS

// HTML writes the report as a page that stands alone: it loads nothing.
func (r *Report) HTML(w io.Writer) error {
	page, err := template.New("page.html").Funcs(template.FuncMap{"flat": flat}).ParseFS(pages, "page.html")
	if err != nil {
		return err
	}
	return page.Execute(w, r)
}
