package audit

import (
	"context"
	"runtime"

	"github.com/mars-rec/mars/tasks/gold"
)

// Config is what audits share. What is not given is not looked at, and the
// report says so.
type Config struct {
	// Data is the data set, with its future; nil: checks that need it are skipped.
	Data Data
	// Fingerprint identifies Data, as a recipe and a run's manifest name it.
	Fingerprint string
	// Verify reads the files of Data and compares them with what was imported;
	// nil: they are taken as they are.
	Verify func(context.Context) error
	// Gold is what the users really took, by task id; nil: not known.
	Gold map[string]gold.Gold
	// Against are the other sides of a split.
	Against []Side
	// ByTime says that a split is by time: a user may be on both sides if all
	// moments of the audited side lie before those of the other, or after.
	ByTime bool
	// Derive is how many runs are derived again, spread evenly over the moments;
	// 0: all of them. Every other check looks at all.
	Derive int
	// Most findings of each check that are kept; 0: [DefaultMost].
	Most int
	// Concurrency is how many runs or rows are looked at at once; 0: as many as
	// there are processors.
	Concurrency int
	// Progress is told how far the audit has come, by one goroutine at a time;
	// nil: nobody is.
	Progress func(done, total int)
}

func (c Config) concurrency() int {
	if c.Concurrency > 0 {
		return c.Concurrency
	}
	return runtime.GOMAXPROCS(0)
}

func (c Config) tell(done, total int) {
	if c.Progress != nil {
		c.Progress(done, total)
	}
}

// open starts a report with the checks of the given names.
func (c Config) open(target, kind string, checks ...string) *book {
	b := newBook(target, kind, c.Most)
	for _, name := range checks {
		b.check(name, claims[name])
	}
	return b
}
