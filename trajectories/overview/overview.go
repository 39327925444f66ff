// Package overview tells how a batch stands by its run store alone, also while it
// is written: how many runs are done and how fast, what each role, model and tool
// took, what runs failed of, and which are at work.
//
//	store ── Since ──> runs that changed ──> counts of all runs
//	                      └─ ended ─> facts of the last Window runs ─> rows, quantiles, pace
//	                      └─ at work ─> since when, and what was said last
//
// A [Follower] reads the store once and from then on only what has changed. It
// reads and never writes, so any number of them may watch one store.
package overview

import (
	"time"

	"github.com/mars-rec/mars/message"
)

// Overview is how a batch stands. Counts are of all runs; rows, pace and
// durations are of the runs that ended last, as many as Window says.
type Overview struct {
	At      time.Time `json:"at"`
	Total   int       `json:"total"`
	Done    int       `json:"done"`
	Failed  int       `json:"failed"`
	Running int       `json:"running"` // or cut off
	Pending int       `json:"pending"`

	Calls int           `json:"calls"` // of models, in runs that have ended
	Tools int           `json:"tools"`
	Usage message.Usage `json:"usage"`

	Window    int           `json:"window"`
	PerMinute float64       `json:"runs_per_minute"`            // 0: not known
	Left      time.Duration `json:"left_nanoseconds,omitempty"` // 0: not known, or nothing is left
	Last      time.Time     `json:"last_written,omitzero"`      // when something was last said that is in the store

	Roles    []Row     `json:"roles"`  // replies by who asked, sorted by name
	Models   []Row     `json:"models"` // replies by model
	ToolRows []Row     `json:"tool_rows"`
	Failures []Failure `json:"failures"` // of all runs that have failed, the most frequent first
	AtWork   []Flight  `json:"at_work"`  // the slowest first
}

// Row sums up calls of one kind.
type Row struct {
	Name    string        `json:"name"`
	Calls   int           `json:"calls"`
	Usage   message.Usage `json:"usage"`
	Median  time.Duration `json:"p50_nanoseconds"` // of the calls that were not answered by a cache
	High    time.Duration `json:"p95_nanoseconds"`
	Retries int           `json:"retries"` // attempts beyond the first
	Cached  int           `json:"cached"`  // answered by a cache of replies
	Refused int           `json:"refused"` // tools: the model's mistakes
}

// Failure is what runs failed of: a cause without its numbers.
type Failure struct {
	Class string `json:"error_type"`
	Cause string `json:"cause"`
	Runs  int    `json:"runs"`
}

// Flight is a run at work, as far as the store knows it.
type Flight struct {
	Run   string          `json:"run"`
	Since time.Time       `json:"since,omitzero"` // of its first fact; zero: it has none yet
	Last  time.Time       `json:"last,omitzero"`  // when its last fact was there
	Facts int             `json:"facts"`
	Path  message.ID      `json:"path,omitempty"` // of the last
	Role  message.Address `json:"role,omitempty"` // who asked for the last
}

// Ended reports whether no run is left to be made.
func (o Overview) Ended() bool { return o.Running == 0 && o.Pending == 0 }
