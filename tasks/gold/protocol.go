package gold

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/mars-rec/mars/graph"
	"github.com/mars-rec/mars/tasks"
)

// Negatives says how the items beside the true one are drawn.
type Negatives string

// The ways to draw negatives. Cold-start-item tasks know neither: their
// negatives match the true item's degree. Both makes each task twice, with the
// one and with the other: the second has ";popular" behind its id, and what is
// drawn is what either alone would draw.
const (
	Uniform Negatives = "uniform" // every item of the pool alike
	Popular Negatives = "popular" // by its number of interactions in the pool, without replacement
	Both    Negatives = "both"
)

// Pool says which items there are to choose from.
type Pool string

// The pools. AllItems reproduces published protocols: negatives come from the
// whole log, with the popularity that they have in it, and a candidate without
// any interaction before as_of is then most likely not the true one.
const (
	Available Pool = "available" // items with an interaction before as_of
	AllItems  Pool = "all"       // all items of the log
)

// Config of [LeaveLastOut]. The zero value makes classic tasks of 20
// candidates with uniform negatives, seed 0.
type Config struct {
	Scenarios  []Scenario `json:"scenarios"`       // nil: classic
	Negatives  Negatives  `json:"negatives"`       // "": uniform
	Pool       Pool       `json:"pool"`            // "": available
	Candidates int        `json:"candidates"`      // the true item included; 0: 20
	Seed       uint64     `json:"seed"`            //
	MinHistory int        `json:"min_history"`     // of classic and evolving tasks; 0: 5
	MinWindow  int        `json:"min_window"`      // interactions in the window of evolving tasks; 0: 5
	ColdDegree int        `json:"cold_degree"`     // up to this degree a true item is a cold start
	After      time.Time  `json:"after,omitzero"`  // as_of is not before it
	Before     time.Time  `json:"before,omitzero"` // as_of is before it
	Apart      bool       `json:"apart,omitempty"` // with Before: none of users who have an interaction at or after it
	PerUser    int        `json:"per_user"`        // a user's last so many moments, a task each; 0: 1
	Limit      int        `json:"limit,omitempty"` // at most so many users, drawn by the seed; 0: all
}

// maxCandidates bounds the candidates of a task.
const maxCandidates = 1000

// Check reports what is wrong with the configuration, if anything.
func (c Config) Check() error {
	_, err := c.withDefaults()
	return err
}

func (c Config) withDefaults() (Config, error) {
	if c.Scenarios == nil {
		c.Scenarios = []Scenario{Classic}
	}
	c.Negatives = cmp.Or(c.Negatives, Uniform)
	c.Pool = cmp.Or(c.Pool, Available)
	c.Candidates = cmp.Or(c.Candidates, 20)
	c.MinHistory = cmp.Or(c.MinHistory, 5)
	c.MinWindow = cmp.Or(c.MinWindow, 5)
	c.PerUser = cmp.Or(c.PerUser, 1)
	switch {
	case c.Negatives != Uniform && c.Negatives != Popular && c.Negatives != Both:
		return c, fmt.Errorf("unknown negatives %q: want uniform, popular or both", c.Negatives)
	case c.Pool != Available && c.Pool != AllItems:
		return c, fmt.Errorf("unknown pool %q: want available or all", c.Pool)
	case c.Candidates < 2 || c.Candidates > maxCandidates:
		return c, fmt.Errorf("%d candidates: want 2 to %d", c.Candidates, maxCandidates)
	case c.MinHistory < 1 || c.MinWindow < 1 || c.PerUser < 1 || c.ColdDegree < 0 || c.Limit < 0:
		return c, fmt.Errorf("a minimum under 1, or a negative bound or limit")
	case c.Apart && c.Before.IsZero():
		return c, fmt.Errorf("users are kept apart by a moment: say before which the tasks are")
	case !c.After.IsZero() && !c.Before.IsZero() && !c.After.Before(c.Before):
		return c, fmt.Errorf("no time lies after %s and before %s", c.After.Format(time.RFC3339), c.Before.Format(time.RFC3339))
	}
	for i, s := range c.Scenarios {
		if !s.known() {
			return c, fmt.Errorf("unknown scenario %q", s)
		}
		if slices.Contains(c.Scenarios[:i], s) {
			return c, fmt.Errorf("scenario %s is named twice", s)
		}
		if s == ColdStartItem && c.Pool == AllItems {
			return c, fmt.Errorf("scenario cold-start-item matches degrees: it has no pool of all items")
		}
	}
	return c, nil
}

// Set is the cases that a protocol made and what was noted and counted on the
// way. Cases go by scenario, as configured, and then by user id; published ones
// by their number.
type Set struct {
	Protocol string
	Config   *Config // as it was used, with its defaults; nil for published tasks
	Cases    []Case
	Counts   Counts
	Notes    []string // what a reader of the tasks should know, and what was repaired
}

// Counts says what became of the users, and what a reader of the tasks should
// know of the negatives.
type Counts struct {
	Considered int              `json:"considered"` // users of the data; for published tasks, task files
	Tasks      map[Scenario]int `json:"tasks"`
	Skipped    map[string]int   `json:"skipped,omitempty"` // users without a task, by reason
	// OffDegree counts negatives of cold-start-item tasks that have another
	// degree than the true item, since the log had too few of the same.
	OffDegree int `json:"off_degree,omitempty"`
}

func newSet(protocol string, considered int) *Set {
	return &Set{Protocol: protocol, Counts: Counts{Considered: considered, Tasks: map[Scenario]int{}, Skipped: map[string]int{}}}
}

// draft is a task that is decided upon, without its candidates.
type draft struct {
	scenario Scenario
	nth      int // of the user's moments, from the last: 1 is the last
	user     graph.User
	userID   string
	truth    int // place
	asOf     time.Time
	popular  bool // negatives by popularity
	second   bool // of the two that the moment gives
}

func (d draft) id() string {
	if d.second {
		return d.seedID() + ";popular"
	}
	return d.seedID()
}

// seedID is what, with the seed, decides what is drawn.
func (d draft) seedID() string { return taskID(d.scenario, d.userID, d.nth) }

// taskID returns the id of a user's task in a scenario: both joined by a dash,
// the user escaped as in a URL's path, so that ids are readable and distinct. A
// task of an earlier moment than the user's last ends in a comma, which is
// escaped in users, and how many moments there are from it on.
func taskID(s Scenario, user string, nth int) string {
	id := string(s) + "-" + url.PathEscape(user)
	if nth > 1 {
		id += fmt.Sprintf(",%d", nth)
	}
	return id
}

// LeaveLastOut makes tasks of a log: for each user the last interaction is the
// true item, its time is as_of. If several items share that last second, the
// true one is that with the smallest SHA-256 of user id, a zero byte and item
// id: a rule that depends neither on the seed nor on the order of ids; the
// others of that second are neither visible nor candidates. With Config.PerUser
// the moments before it make tasks in the same way. Negatives are
// items that the user never touches in the whole log. With Config.Apart users
// who go on after Config.Before give no task: what is trained on such tasks and
// measured on later ones knows neither their moments nor their users. The
// candidates are shuffled. Dataset is the name that the tasks carry.
func LeaveLastOut(dataset string, g *graph.Graph, c Config) (*Set, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("leave-last-out: %w", err)
	}
	h := arrange(g, c.Negatives != Uniform)
	set := newSet("leave-last-out", g.Users())
	set.Config = &c
	if c.Pool == AllItems {
		set.Notes = append(set.Notes, "pool all: negatives come from the whole log, as in published protocols; those without an interaction before as_of give the answer away")
	}
	var drafts []draft
	for u := range h.end.AllUsers() {
		found, reason := h.drafts(g, u, c)
		if len(found) == 0 {
			set.Counts.Skipped[reason]++
		}
		drafts = append(drafts, found...)
	}
	drafts = sample(drafts, c, set.Counts.Skipped)
	for _, s := range c.Scenarios {
		for _, d := range drafts {
			if d.scenario != s {
				continue
			}
			candidates, off := h.candidates(g, d, c)
			id := d.id()
			set.Cases = append(set.Cases, Case{
				tasks.Task{ID: id, Dataset: dataset, User: d.userID, Scenario: string(s), AsOf: d.asOf, Candidates: candidates},
				Gold{ID: id, Items: []string{h.end.ItemID(h.items[d.truth])}},
			})
			set.Counts.Tasks[s]++
			set.Counts.OffDegree += off
		}
	}
	return set, nil
}

// drafts decides which tasks a user gives; if none, why.
func (h *history) drafts(g *graph.Graph, u graph.User, c Config) (found []draft, reason string) {
	events := h.end.History(u)
	if !c.Before.IsZero() {
		n, _ := slices.BinarySearchFunc(events, c.Before, func(e graph.Event, t time.Time) int { return e.Time.Compare(t) })
		if c.Apart && n < len(events) {
			return nil, "goes on after the tasks asked for"
		}
		events = events[:n]
	}
	if len(events) == 0 || events[len(events)-1].Time.Before(c.After) {
		return nil, "no interaction in the time asked for"
	}
	taken := set(h.touched(u))
	for nth := 1; nth <= c.PerUser && len(events) > 0 && !events[len(events)-1].Time.Before(c.After); nth++ {
		asOf := events[len(events)-1].Time
		seen := len(events)
		for seen > 0 && events[seen-1].Time.Equal(asOf) {
			seen--
		}
		d := draft{nth: nth, user: u, userID: h.end.UserID(u), asOf: asOf.UTC()}
		drafts, why := h.moment(g, d, events[:seen], events[seen:], taken, c)
		found = append(found, drafts...)
		if reason == "" {
			reason = why
		}
		events = events[:seen]
	}
	return found, reason
}

// moment decides which tasks a user's moment gives: before is what is visible
// then, tied what happened in its second. If there are none, it says why.
func (h *history) moment(g *graph.Graph, d draft, before, tied []graph.Event, taken set, c Config) (found []draft, reason string) {
	truth := h.lastOf(d.userID, tied)
	d.truth = h.place[truth]
	f := facts{history: len(before), degree: g.At(d.asOf).ItemDegree(truth)}
	for _, e := range before {
		if !e.Time.Before(d.asOf.Add(-longWindow)) {
			f.long++
		}
		if !e.Time.Before(d.asOf.Add(-shortWindow)) {
			f.short++
		}
	}
	for _, s := range c.Scenarios {
		why := c.refuse(s, f)
		if why == "" && h.eligible(s, d, taken, c) < c.Candidates-1 {
			why = fmt.Sprintf("fewer than %d items to choose from", c.Candidates-1)
		}
		if why == "" {
			d.scenario, d.popular = s, c.Negatives == Popular
			found = append(found, d)
			if c.Negatives == Both && s != ColdStartItem {
				d.popular, d.second = true, true
				found = append(found, d)
				d.second = false
			}
		} else if reason == "" {
			reason = why
		}
	}
	return found, reason
}

// lastOf returns the true one of the items of a user's last second.
func (h *history) lastOf(user string, tied []graph.Event) graph.Item {
	return slices.MinFunc(tied, func(a, b graph.Event) int {
		x, y := h.digest(user, a.Item), h.digest(user, b.Item)
		return bytes.Compare(x[:], y[:])
	}).Item
}

func (h *history) digest(user string, item graph.Item) [sha256.Size]byte {
	return sha256.Sum256([]byte(user + "\x00" + h.end.ItemID(item)))
}

// pool returns how many of the items, from the first, are the pool of a task.
func (h *history) pool(d draft, c Config) int {
	if c.Pool == AllItems {
		return len(h.items)
	}
	return h.known(d.asOf.Unix())
}

// eligible returns how many items could be a negative of the task.
func (h *history) eligible(s Scenario, d draft, taken set, c Config) int {
	n := h.pool(d, c)
	if s == ColdStartItem {
		n = len(h.items)
	}
	return n - taken.below(n)
}

// candidates returns the true item and its negatives, shuffled, and how many
// of the negatives miss the degree that they should match.
func (h *history) candidates(g *graph.Graph, d draft, c Config) (ids []string, off int) {
	rng := source(c.Seed, d.seedID())
	taken, k := set(h.touched(d.user)), c.Candidates-1
	var drawn []int
	switch {
	case d.scenario == ColdStartItem:
		cut := g.At(d.asOf)
		drawn, off = h.matched(rng, cut, cut.ItemDegree(h.items[d.truth]), taken, k)
	case d.popular && c.Pool == AllItems:
		drawn = popular(rng, h.events, taken, k)
	case d.popular:
		drawn = popular(rng, h.before(d.asOf.Unix()), taken, k)
	default:
		drawn = uniform(rng, h.pool(d, c), taken, k)
	}
	for _, p := range append(drawn, d.truth) {
		ids = append(ids, h.end.ItemID(h.items[p]))
	}
	rng.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
	return ids, off
}

// sample keeps the drafts of c.Limit users, those with the smallest SHA-256 of
// seed and user id, and counts the other users as skipped.
func sample(drafts []draft, c Config, skipped map[string]int) []draft {
	rank := make(map[string][sha256.Size]byte)
	var users []string
	for _, d := range drafts {
		if _, ok := rank[d.userID]; !ok {
			rank[d.userID] = sha256.Sum256(fmt.Appendf(nil, "mars limit 1\x00%d\x00%s", c.Seed, d.userID))
			users = append(users, d.userID)
		}
	}
	if c.Limit == 0 || len(users) <= c.Limit {
		return drafts
	}
	slices.SortFunc(users, func(a, b string) int {
		x, y := rank[a], rank[b]
		return bytes.Compare(x[:], y[:])
	})
	skipped["over the limit"] = len(users) - c.Limit
	kept := make(map[string]bool, c.Limit)
	for _, u := range users[:c.Limit] {
		kept[u] = true
	}
	return slices.DeleteFunc(drafts, func(d draft) bool { return !kept[d.userID] })
}
