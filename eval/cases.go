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

// Columns names the runs of the systems: by the system, and by system#2 and so
// on where it has several.
func (r *Results) Columns() []string {
	ran := r.ran()
	var names []string
	for _, name := range systemNames(r.systems) {
		for k := range most(ran[name]) {
			if k == 0 {
				names = append(names, name)
			} else {
				names = append(names, fmt.Sprintf("%s#%d", name, k+1))
			}
		}
	}
	return names
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
