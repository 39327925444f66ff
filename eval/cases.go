package eval

import (
	"fmt"
	"iter"
)

// Absent is the rank in a [CaseRow] of a system that was not asked the case.
const Absent = -1

// CaseRow is one case, and the rank of its true item under each run of each
// system, in the order of [Results.Columns]: from 1; 0 is a miss.
type CaseRow struct {
	Set      string
	Group    string
	ID       string // of the task
	User     string
	Scenario string
	AsOf     string // RFC 3339
	Ranks    []int
}

// Column is one run of one system.
type Column struct {
	System string
	Run    int // from 1
}

// String returns the system's name, and for its second run system#2.
func (c Column) String() string {
	if c.Run == 1 {
		return c.System
	}
	return fmt.Sprintf("%s#%d", c.System, c.Run)
}

// Columns returns the runs of all systems, in the order in which these were
// given.
func (r *Results) Columns() []Column {
	ran := r.ran()
	var all []Column
	for _, name := range systemNames(r.systems) {
		for k := range most(ran[name]) {
			all = append(all, Column{name, k + 1})
		}
	}
	return all
}

// most is the number of runs of a system in the set that has most.
func most(runs [][]int) int {
	n := 0
	for _, list := range runs {
		n = max(n, len(list))
	}
	return n
}

// EachCase yields all cases, by set and in the order of their task files.
func (r *Results) EachCase() iter.Seq[CaseRow] {
	ran := r.ran()
	names := systemNames(r.systems)
	group := make([]string, len(r.sets))
	for _, g := range r.groups {
		for _, set := range g.at {
			group[set] = g.Name
		}
	}
	return func(yield func(CaseRow) bool) {
		for s, set := range r.sets {
			for k, c := range set.Cases {
				row := CaseRow{set.Name, group[s], c.Task.ID, c.Task.User, c.Task.Scenario, c.Task.AsOf.UTC().Format("2006-01-02T15:04:05Z"), nil}
				for _, name := range names {
					for n := range most(ran[name]) {
						rank := Absent
						if n < len(ran[name][s]) {
							rank = r.outcomes[ran[name][s][n]][s][k].Rank
						}
						row.Ranks = append(row.Ranks, rank)
					}
				}
				if !yield(row) {
					return
				}
			}
		}
	}
}
