// Package trajectories is what a run leaves behind, and what can be done with
// it. A trajectory is the log of one run: every message that was said, sorted
// by its path ID, with what is known of the run as a whole.
//
//	Run   t1, done, builtin, seed 42, ranking [i9 i4 ...]
//	Log   1        task    user -> team
//	      1.1      brief   team -> planner
//	      1.1.1    prompt  planner
//	      1.1.2    reply   planner            a fact: what a model said
//	      1.1.3    plan    planner -> team
//	      ...
//
// # One log, many readings
//
// Nothing in a log is stored twice. What a consumer needs is a view of it:
// [Trajectory.Steps] gives each reply of a model with the conversation that
// the model had read; [Diff] finds where two logs part; [Seal] is the hash
// that says that nothing has changed.
//
// # Records
//
// A [Record] hands the facts of a trajectory back to a run that asks for them,
// and is the whole difference between four kinds of run:
//
//	Replay       knows every fact; an unknown or changed one is ErrDiverged
//	ReplayTools  knows every reply; tools are executed anew and compared
//	Resume       knows what was recorded before a crash; the rest is fetched
//	Fork         knows what came before an ID; from there on all is fetched
//
// A run that is given a Record cannot tell it from the world.
package trajectories

import (
	"slices"
	"strconv"
	"strings"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/tasks"
)

// Status says how far a run has come.
type Status string

// The states of a run. A run goes from pending to running, and from there to
// done or failed; a run that is not done may be started again.
const (
	Pending Status = "pending" // not started
	Running Status = "running" // started and not ended, or killed
	Done    Status = "done"    // ended with a ranking; its log is sealed
	Failed  Status = "failed"  // ended with a cause of failure
)

// Run is what is known of a run as a whole.
type Run struct {
	ID       string     `json:"id"` // the task's id; of a fork, see Origin.Fork
	Task     tasks.Task `json:"task"`
	Status   Status     `json:"status"`
	Attempts int        `json:"attempts,omitempty"` // times that it was started
	Cause    string     `json:"cause,omitempty"`    // of its failure
	Ranking  []string   `json:"ranking,omitempty"`  // item ids, best first
	Seal     string     `json:"seal,omitempty"`     // of the log, once done
	Manifest Manifest   `json:"manifest,omitzero"`
}

// Trajectory is a run and its log, sorted by ID.
type Trajectory struct {
	Run Run                `json:"run"`
	Log []message.Envelope `json:"log"`
}

// Find returns the message at id.
func (t *Trajectory) Find(id message.ID) (message.Envelope, bool) {
	i, ok := t.index(id)
	if !ok {
		return message.Envelope{}, false
	}
	return t.Log[i], true
}

// index returns where the message at id stands in the log.
func (t *Trajectory) index(id message.ID) (int, bool) {
	from, to := 0, len(t.Log)
	for from < to {
		if at := (from + to) / 2; t.Log[at].ID.Compare(id) < 0 {
			from = at + 1
		} else {
			to = at
		}
	}
	return from, from < len(t.Log) && t.Log[from].ID == id
}

// Nearest returns the ID in the log that is nearest to one that may not be
// there: of those that share the longest path with it, the one whose next
// ordinal is closest, the first of them in the log. It is "" for an empty log.
func (t *Trajectory) Nearest(id message.ID) message.ID {
	want := strings.Split(string(id), ".")
	var nearest message.ID
	most, least := -1, 0
	for _, e := range t.Log {
		path := strings.Split(string(e.ID), ".")
		n := 0
		for n < len(path) && n < len(want) && path[n] == want[n] {
			n++
		}
		away := ordinal(path, n) - ordinal(want, n)
		if away < 0 {
			away = -away
		}
		if n > most || n == most && away < least {
			nearest, most, least = e.ID, n, away
		}
	}
	return nearest
}

// ordinal is the nth of a path, 0 where it has ended.
func ordinal(path []string, n int) int {
	if n >= len(path) {
		return 0
	}
	i, _ := strconv.Atoi(path[n])
	return i
}

// Sort puts messages into the order of a walk of the causal tree, which is the
// order of a trajectory's log.
func Sort(log []message.Envelope) {
	slices.SortFunc(log, byID)
}

func byID(a, b message.Envelope) int { return a.ID.Compare(b.ID) }
