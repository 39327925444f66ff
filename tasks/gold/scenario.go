package gold

import (
	"fmt"
	"strings"
	"time"
)

// Scenario names a kind of task. With h the number of the user's interactions
// strictly before as_of, and d the number of interactions of the true item
// strictly before as_of:
//
//	cold-start-item   d <= Config.ColdDegree (0), h >= 1
//	cold-start-user   d above that, 1 <= h < Config.MinHistory (5)
//	classic           d above that, h >= Config.MinHistory
//	evolving-long     as classic, and at least Config.MinWindow (5) of the user's
//	                  interactions in the 90 days before as_of
//	evolving-short    the same in the 7 days before as_of
//
// The first three share no last interaction and leave none out that has any
// history. The evolving ones are classic tasks of users who are active in the
// window, so they overlap with classic and with one another.
type Scenario string

// The scenarios.
const (
	Classic       Scenario = "classic"
	ColdStartUser Scenario = "cold-start-user"
	ColdStartItem Scenario = "cold-start-item"
	EvolvingLong  Scenario = "evolving-long"
	EvolvingShort Scenario = "evolving-short"
)

// The windows of the evolving-interest scenarios.
const (
	longWindow  = 90 * 24 * time.Hour
	shortWindow = 7 * 24 * time.Hour
)

// ParseScenarios reads a comma-separated list of scenarios. "all" stands for
// classic, cold-start-user and cold-start-item, which together hold each
// user's last interaction once; where the pool is all items there is no
// cold-start-item, and "all" is the other two.
func ParseScenarios(list string, pool Pool) ([]Scenario, error) {
	if list == "all" {
		if pool == AllItems {
			return []Scenario{Classic, ColdStartUser}, nil
		}
		return []Scenario{Classic, ColdStartUser, ColdStartItem}, nil
	}
	var out []Scenario
	for name := range strings.SplitSeq(list, ",") {
		s := Scenario(strings.TrimSpace(name))
		if !s.known() {
			return nil, fmt.Errorf("unknown scenario %q: want all, or some of classic, cold-start-user, cold-start-item, evolving-long, evolving-short", name)
		}
		out = append(out, s)
	}
	return out, nil
}

func (s Scenario) known() bool {
	switch s {
	case Classic, ColdStartUser, ColdStartItem, EvolvingLong, EvolvingShort:
		return true
	}
	return false
}

// facts is what decides which scenarios a last interaction belongs to.
type facts struct {
	history     int // the user's interactions before as_of
	long, short int // of these, in the two windows
	degree      int // the true item's interactions before as_of
}

// refuse returns why the facts do not make a task of the scenario, or "".
func (c Config) refuse(s Scenario, f facts) string {
	cold := c.Pool != AllItems && f.degree <= c.ColdDegree
	switch {
	case f.history == 0:
		return "no history before as_of"
	case s == ColdStartItem && !cold:
		return fmt.Sprintf("true item has more than %d interactions before as_of", c.ColdDegree)
	case s == ColdStartItem:
		return ""
	case cold:
		return "true item belongs to cold-start-item"
	case s == ColdStartUser && f.history >= c.MinHistory:
		return fmt.Sprintf("history of %d or more", c.MinHistory)
	case s == ColdStartUser:
		return ""
	case f.history < c.MinHistory:
		return fmt.Sprintf("history under %d", c.MinHistory)
	case s == EvolvingLong && f.long < c.MinWindow:
		return fmt.Sprintf("under %d interactions in the 90 days before as_of", c.MinWindow)
	case s == EvolvingShort && f.short < c.MinWindow:
		return fmt.Sprintf("under %d interactions in the 7 days before as_of", c.MinWindow)
	}
	return ""
}
