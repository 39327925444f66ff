package eval

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/mars-rec/mars/tasks/gold"
)

// Set is cases that were made together: a task file and its gold.
type Set struct {
	Name   string
	Cases  []gold.Case
	Recipe *gold.Recipe // how they were made; nil: unknown
}

// Group is sets that differ in their seed alone: other negatives for the same
// question. Cases of one user in several of its sets are no new users.
type Group struct {
	Name       string   `json:"name"`
	Negatives  string   `json:"negatives,omitempty"` // uniform, popular; "": unknown
	Pool       string   `json:"pool,omitempty"`      // available, all; "": unknown
	Candidates int      `json:"candidates,omitempty"`
	Sets       []string `json:"sets"`

	at    []int // of the sets
	mixed bool  // of several groups, so that the sets differ in more than their seed
}

// Seeds returns how many sets differ in their seed alone.
func (g Group) Seeds() int {
	if g.mixed {
		return 1
	}
	return len(g.Sets)
}

// together is all groups as one, in which each case counts alike; none where
// there is one group, or where their candidates are not drawn alike but for the
// kind of negatives.
func together(groups []Group) (Group, bool) {
	all := Group{Name: Together, mixed: true}
	for k, g := range groups {
		if k == 0 {
			all.Pool, all.Candidates = g.Pool, g.Candidates
		}
		if g.Pool != all.Pool || g.Candidates != all.Candidates {
			return Group{}, false
		}
		all.Sets, all.at = append(all.Sets, g.Sets...), append(all.at, g.at...)
	}
	return all, len(groups) > 1
}

// Groups puts the sets together that have the same recipe but for the seed, in
// the order of their first. A set without a recipe is a group of its own. A
// group is named by its negatives and, where that does not tell it from others,
// by its pool and its sets.
func Groups(sets []Set) []Group {
	var groups []Group
	at := map[string]int{}
	for k, s := range sets {
		key := "set " + s.Name
		g := Group{Name: s.Name}
		if s.Recipe != nil && s.Recipe.Config != nil {
			c := *s.Recipe.Config
			g.Negatives, g.Pool, g.Candidates = string(c.Negatives), string(c.Pool), c.Candidates
			g.Name = g.Negatives
			c.Seed = 0
			b, _ := json.Marshal(c) // a struct of numbers and strings
			key = s.Recipe.Data + string(b)
		}
		n, ok := at[key]
		if !ok {
			n = len(groups)
			at[key], groups = n, append(groups, g)
		}
		groups[n].Sets = append(groups[n].Sets, s.Name)
		groups[n].at = append(groups[n].at, k)
	}
	for _, longer := range []func(Group) string{
		func(g Group) string { return strings.TrimSuffix(g.Negatives+", pool "+g.Pool, ", pool ") },
		func(g Group) string { return strings.Join(g.Sets, "+") },
	} {
		names := map[string]int{}
		for _, g := range groups {
			names[g.Name]++
		}
		for k := range groups {
			if names[groups[k].Name] > 1 {
				groups[k].Name = longer(groups[k])
			}
		}
	}
	return groups
}

// notes says what a reader of a comparison on these groups should know.
func notes(groups []Group) []string {
	var list []string
	kinds := map[string]bool{}
	for _, g := range groups {
		kinds[g.Negatives] = true
		if g.Pool == string(gold.AllItems) {
			list = append(list, fmt.Sprintf("%s: negatives come from all items, also those that nobody had before as_of, which gives some answers away: do not compare with pools of available items", g.Name))
		}
	}
	if kinds[string(gold.Uniform)] != kinds[string(gold.Popular)] {
		have, lack := gold.Uniform, gold.Popular
		if kinds[string(gold.Popular)] {
			have, lack = lack, have
		}
		list = append(list, fmt.Sprintf("only %s negatives: popularity alone does well against uniform ones and is worth nothing against popular ones; give tasks with %s ones too", have, lack))
	}
	return list
}

// check reports what keeps the sets and systems from being compared.
func check(sets []Set, groups []Group, systems []System) error {
	names := map[string]bool{}
	for _, s := range sets {
		if len(s.Cases) == 0 {
			return fmt.Errorf("eval: the set %s has no cases", s.Name)
		}
		if names[s.Name] {
			return fmt.Errorf("eval: two sets are called %s", s.Name)
		}
		names[s.Name] = true
	}
	if len(sets) == 0 || len(systems) == 0 {
		return fmt.Errorf("eval: no cases or no systems")
	}
	for _, name := range systemNames(systems) {
		for _, g := range groups {
			var lacks []string
			for _, set := range g.Sets {
				if !slices.ContainsFunc(systems, func(s System) bool { return s.Name == name && s.answers(set) }) {
					lacks = append(lacks, set)
				}
			}
			if len(lacks) > 0 && len(lacks) < len(g.Sets) {
				return fmt.Errorf("eval: %s answers only some of the sets of %s: %s is missing", name, g.Name, strings.Join(lacks, ", "))
			}
		}
	}
	return nil
}

// systemNames returns the names of the systems, each once, in order.
func systemNames(systems []System) []string {
	var names []string
	for _, s := range systems {
		if !slices.Contains(names, s.Name) {
			names = append(names, s.Name)
		}
	}
	return names
}

// timed is a case in the order of time.
type timed struct{ set, at int }

// blocks divides the cases, in the order of time, into at most n blocks of about
// the same size. Cases of one moment are in one block.
func blocks(sets []Set, n int) [][]timed {
	var all []timed
	for s := range sets {
		for k := range sets[s].Cases {
			all = append(all, timed{s, k})
		}
	}
	moment := func(t timed) int64 { return sets[t.set].Cases[t.at].Task.AsOf.Unix() }
	slices.SortStableFunc(all, func(a, b timed) int { return cmp.Compare(moment(a), moment(b)) })
	var out [][]timed
	for left := n; len(all) > 0; left-- {
		k := len(all)
		if left > 1 {
			k = max(1, len(all)/left)
			for k < len(all) && moment(all[k]) == moment(all[k-1]) {
				k++
			}
		}
		out, all = append(out, all[:k]), all[k:]
	}
	return out
}
