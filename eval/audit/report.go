package audit

import (
	"cmp"
	"slices"
	"sync"
)

// Check is one question that the audit asks, and how it was answered.
type Check struct {
	Name     string   `json:"name"`
	Claim    string   `json:"claim"`              // what holds if nothing was found
	Examined string   `json:"examined,omitempty"` // how much was looked at
	Skipped  string   `json:"skipped,omitempty"`  // why it was not asked; "": it was
	P        *float64 `json:"p,omitempty"`        // of a statistical check: the chance of what was seen, or worse, without a leak
	Errors   int      `json:"errors"`
	Warnings int      `json:"warnings"`
}

// Report is what an audit came to.
type Report struct {
	Target   string    `json:"target"`
	Kind     string    `json:"kind"` // tasks, runs or export
	Pass     bool      `json:"pass"` // no finding is an error
	Facts    []Fact    `json:"facts"`
	Checks   []Check   `json:"checks"`
	Findings []Finding `json:"findings"` // of each check the first ones; Check counts all
}

// Fact is something about the target that a reader of the report should know:
// what it was made with, how much of it there is.
type Fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Errors and warnings of all checks.
func (r *Report) count() (errors, warnings int) {
	for _, c := range r.Checks {
		errors += c.Errors
		warnings += c.Warnings
	}
	return errors, warnings
}

// Errors is the number of findings that keep the target from passing.
func (r *Report) Errors() int { n, _ := r.count(); return n }

// Warnings is the number of findings that do not.
func (r *Report) Warnings() int { _, n := r.count(); return n }

// DefaultMost is how many findings of each check are kept if not said otherwise.
const DefaultMost = 100

// book collects a report. It is safe for concurrent use.
type book struct {
	mu     sync.Mutex
	most   int
	report Report
	kept   map[string]int // findings kept, by check
}

func newBook(target, kind string, most int) *book {
	return &book{most: cmp.Or(most, DefaultMost), report: Report{Target: target, Kind: kind, Facts: []Fact{}, Findings: []Finding{}}, kept: map[string]int{}}
}

// fact adds a fact.
func (b *book) fact(name, value string) {
	b.report.Facts = append(b.report.Facts, Fact{name, value})
}

// check adds a check, in the order in which checks are told.
func (b *book) check(name, claim string) {
	b.report.Checks = append(b.report.Checks, Check{Name: name, Claim: claim})
}

// of returns a check that was added.
func (b *book) of(name string) *Check {
	i := slices.IndexFunc(b.report.Checks, func(c Check) bool { return c.Name == name })
	return &b.report.Checks[i]
}

// skip says why a check was not made.
func (b *book) skip(name, why string) { b.of(name).Skipped = why }

// examined says how much a check looked at.
func (b *book) examined(name, what string) { b.of(name).Examined = what }

// add counts a finding, and keeps it if not too many of its check are kept.
func (b *book) add(f Finding) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.of(f.Check)
	if f.Severity == Error {
		c.Errors++
	} else {
		c.Warnings++
	}
	if b.kept[f.Check] < b.most {
		b.kept[f.Check]++
		b.report.Findings = append(b.report.Findings, f)
	}
}

// close puts the findings into order, errors first and then by check, and says
// whether the target passes.
func (b *book) close() *Report {
	place := map[string]int{}
	for i, c := range b.report.Checks {
		place[c.Name] = i
	}
	slices.SortStableFunc(b.report.Findings, func(x, y Finding) int {
		return cmp.Or(cmp.Compare(x.Severity, y.Severity), cmp.Compare(place[x.Check], place[y.Check]))
	})
	b.report.Pass = b.report.Errors() == 0
	return &b.report
}
