package filter_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/message/phase"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tasks/gold"
	"github.com/mars-rec/mars/tools"
	"github.com/mars-rec/mars/trajectories"
	"github.com/mars-rec/mars/trajectories/filter"
)

// made says how a run of the tests differs from a good one.
type made struct {
	id, task string
	ranking  []string // labels, the right one is c02
	claim    string   // of the analysis
	tool     string   // that is called; "": item_cf
	answer   string   // its answer
	broken   bool     // without a reflection
}

const (
	claim  = `c02 "Emma" leads: 12 of 31 users also have it`
	answer = `{"evidence":["12 of 31 users also have c02 \"Emma\", before 2018-01-01T12:00:00Z"],"items":[{"item":"i2","label":"c02","date":"2018-01-01"},{"item":"i9"}]}`
)

var moment = time.Date(2018, 1, 1, 12, 0, 0, 0, time.UTC)

// sample makes a run.
func sample(m made) *filter.Sample {
	if m.task == "" {
		m.task = m.id
	}
	if m.ranking == nil {
		m.ranking = []string{"c02", "c01", "c03"}
	}
	if m.claim == "" {
		m.claim = claim
	}
	if m.answer == "" {
		m.answer = answer
	}
	task := tasks.Task{ID: m.task, Dataset: "d", User: "u-" + m.task, AsOf: moment, Candidates: []string{"i1", "i2", "i3"}}
	t := &trajectories.Trajectory{Run: trajectories.Run{ID: m.id, Task: task, Status: trajectories.Done, Seal: "seal of " + m.id}}
	for _, label := range m.ranking {
		item, _ := task.Item(label)
		t.Run.Ranking = append(t.Run.Ranking, item)
	}
	call := model.ToolCall{ID: "call_1_2_2_1", Name: cmp.Or(m.tool, "item_cf"), Arguments: `{"window":"all"}`}
	bodies := []message.Body{
		model.Message{Role: model.User, Content: "c01 | Dune (1965) | SF\nc02 | Emma | Classics\nc03 | Ulysses\n"},
		phase.Plan{Summary: "Look.", Subtasks: []phase.Subtask{{Role: "recent", Goal: "the last items"}}},
		model.Output{Message: model.Message{Role: model.Assistant, ToolCalls: []model.ToolCall{call}}},
		tools.Result{Call: call.ID, Tool: call.Name, Value: json.RawMessage(m.answer)},
		phase.Analysis{Role: "recent", Summary: "Clear.", Claims: []string{m.claim}},
		phase.Reflection{Verdict: phase.Accept, Issues: []string{}},
		phase.Recommend{Ranking: m.ranking},
	}
	if m.broken {
		bodies = append(bodies[:5:5], bodies[6])
	}
	for i, b := range bodies {
		raw, err := message.Marshal(b)
		if err != nil {
			panic(err)
		}
		t.Log = append(t.Log, message.Envelope{ID: message.Root.Child(i + 1), Kind: b.Kind(), Body: raw})
	}
	return filter.NewSample(t, "run.db")
}

// loads yields groups by task, in the order of the tasks.
func loads(all ...made) iter.Seq2[filter.Load, error] {
	var order []string
	byTask := map[string][]made{}
	for _, m := range all {
		if m.task == "" {
			m.task = m.id
		}
		if byTask[m.task] == nil {
			order = append(order, m.task)
		}
		byTask[m.task] = append(byTask[m.task], m)
	}
	return func(yield func(filter.Load, error) bool) {
		for _, task := range order {
			load := func(context.Context) (filter.Group, error) {
				g := filter.Group{Gold: goldOf(task)}
				for _, m := range byTask[task] {
					g.Runs = append(g.Runs, sample(m))
				}
				g.Task = g.Runs[0].Run.Task
				return g, nil
			}
			if !yield(load, nil) {
				return
			}
		}
	}
}

// sift says of each run which filter dropped it and why; "" of accepted ones.
func sift(t *testing.T, sieve *filter.Sieve, all ...made) map[string]string {
	t.Helper()
	verdicts := map[string]string{}
	for sifted, err := range sieve.Each(t.Context(), loads(all...)) {
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range sifted.Verdicts {
			text := ""
			if v.Filter != "" {
				text = v.Filter + ": " + v.Reason + ": " + v.Detail
			}
			verdicts[sifted.Runs[i].Run.ID] = text
		}
	}
	return verdicts
}

// TestFilters: each filter keeps a good run and drops one that is bad in its
// way, with the reason.
func TestFilters(t *testing.T) {
	for _, c := range []struct {
		filter filter.Filter
		bad    made
		want   string
	}{
		{filter.Valid(trajectories.Linear{}, nil), made{broken: true}, "well formed: a phase is missing or malformed: .*reflection"},
		{filter.Valid(trajectories.Linear{}, []string{"item_cf"}), made{tool: "drop_table"}, `well formed: a tool is called that there is not: message 2 calls "drop_table"`},
		{filter.Top(1), made{ranking: []string{"c01", "c02", "c03"}}, "gold first: the first of the ranking is not right: it is at 2"},
		{filter.Top(2), made{ranking: []string{"c01", "c03", "c02"}}, "gold in the first 2: no right item is in the first 2 of the ranking: it is at 3"},
		{filter.Reward(filter.ByPaper(), 1.7), made{ranking: []string{"c01", "c02", "c03"}}, "its reward is under 1.7: 1.667 by paper/2"},
		{filter.Grounded(1), made{claim: "99 of 31 users, 12 of 31"}, "it states what nobody has told it: 1 statements: 99"},
		{filter.Grounded(0.9), made{claim: "99 of 31 users"}, "less than 0.9 of what it states was told to it: .*99"},
		{filter.Characters(trajectories.Linear{}, 2600), made{claim: strings.Repeat("a ", 1000)}, "length: it has more than 2600 characters: [0-9]+ characters"},
		{filter.Leakage(), made{answer: `{"items":[{"item":"i2"}]}`}, "the right item is marked beside the candidates: .*tells of the right item i2"},
		{filter.Leakage(), made{answer: `{"evidence":["on 2018-01-02 c02 was had"]}`}, "at or after the moment of its task: message 3, the answer of item_cf, has 2018-01-02"},
		{filter.Leakage(), made{answer: `{"items":[{"date":"2018-01-01T12:00:00Z"}]}`}, "at or after the moment"},
		{filter.Leakage(), made{answer: `{"evidence":["until 2018-01-01T12:00:01Z"]}`}, "at or after the moment"},
	} {
		c.bad.id = "bad"
		verdicts := sift(t, filter.NewSieve(c.filter), made{id: "good"}, c.bad)
		if verdicts["good"] != "" {
			t.Errorf("%s drops a good run: %s", c.filter.Name(), verdicts["good"])
		}
		if !matches(c.want, verdicts["bad"]) {
			t.Errorf("%s: %q, want %q", c.filter.Name(), verdicts["bad"], c.want)
		}
	}
	for _, fine := range []string{ // what is not of after the moment
		`{"evidence":["\"Party like it's 2999-12-31\" and 2018-01-01"],"items":[{"title":"2999-12-31","year":2030}]}`,
		`{"evidence":["before 2018-01-01T12:00:00Z", "2018-01-01T13:00:00+02:00"]}`,
	} {
		if v := sift(t, filter.NewSieve(filter.Leakage()), made{id: "t", answer: fine})["t"]; v != "" {
			t.Errorf("%s: %s", fine, v)
		}
	}
}

func matches(pattern, text string) bool {
	for part := range strings.SplitSeq(pattern, ".*") {
		part = strings.TrimSuffix(strings.TrimSuffix(part, " characters"), "[0-9]+")
		if !strings.Contains(text, part) {
			return false
		}
	}
	return true
}

// TestSieveCounts: every run is counted by each filter that it came to, and by
// the reason of the one that dropped it, whatever works at the same time.
func TestSieveCounts(t *testing.T) {
	var all []made
	for i := range 40 {
		m := made{id: fmt.Sprintf("t%d~%d", i%20, i), task: fmt.Sprintf("t%d", i%20), claim: fmt.Sprintf("%s %s", claim, strings.Repeat(fmt.Sprintf("w%d ", i), i))}
		switch i % 4 {
		case 1:
			m.broken = true
		case 2:
			m.ranking = []string{"c03", "c01", "c02"}
		}
		all = append(all, m)
	}
	want := []filter.Count{
		{Filter: "gold first", In: 40, Kept: 30, Dropped: map[string]int{"the first of the ranking is not right": 10}},
		{Filter: "well formed", In: 30, Kept: 20, Dropped: map[string]int{"a phase is missing or malformed": 10}},
		{Filter: "one per task", In: 20, Kept: 10, Dropped: map[string]int{"another run of its task is as good": 10}},
	}
	for range 3 {
		sieve := filter.NewSieve(filter.Top(1), filter.Valid(trajectories.Linear{}, nil), filter.Best(filter.ByPaper(), 1))
		sift(t, sieve, all...)
		if !reflect.DeepEqual(sieve.Counts(), want) {
			t.Fatalf("%+v, want %+v", sieve.Counts(), want)
		}
	}
}

// TestSieveEnds: an error ends the work, and so does a reader that stops.
func TestSieveEnds(t *testing.T) {
	lost := errors.New("the store is damaged")
	groups := func(yield func(filter.Load, error) bool) {
		for load, err := range loads(made{id: "a"}, made{id: "b"}) {
			if !yield(load, err) {
				return
			}
		}
		yield(func(context.Context) (filter.Group, error) { return filter.Group{}, lost }, nil)
	}
	n := 0
	var last error
	for _, err := range filter.NewSieve(filter.Valid(trajectories.Linear{}, nil)).Each(t.Context(), groups) {
		n, last = n+1, err
	}
	if n != 3 || !errors.Is(last, lost) {
		t.Errorf("%d groups, last error %v", n, last)
	}
	for range filter.NewSieve(filter.Valid(trajectories.Linear{}, nil)).Each(t.Context(), groups) {
		break
	}
	for _, err := range filter.NewSieve(filter.Valid(trajectories.Linear{}, nil)).Accepted(t.Context(), groups) {
		last = err
	}
	if !errors.Is(last, lost) {
		t.Errorf("of the accepted, the last error is %v", last)
	}
}

// TestBest: of several runs of a task the best is kept, of equals the first.
func TestBest(t *testing.T) {
	all := []made{
		{id: "t", ranking: []string{"c01", "c02", "c03"}},
		{id: "t~2", task: "t"},
		{id: "t~3", task: "t"},
		{id: "u", broken: true},
	}
	for n, want := range map[int][]string{1: {"t~2", "u"}, 2: {"t~2", "t~3", "u"}, 3: {"t", "t~2", "t~3", "u"}} {
		for id, v := range sift(t, filter.NewSieve(filter.Best(filter.ByPaper(), n)), all...) {
			if kept := v == ""; kept != strings.Contains(" "+strings.Join(want, " ")+" ", " "+id+" ") {
				t.Errorf("best %d: run %s: %q, want %v", n, id, v, want)
			}
		}
	}
}

// TestWanting: more runs are asked for where none was accepted, unless it is the
// task that is unwanted.
func TestWanting(t *testing.T) {
	outcomes := filter.NewOutcomes(1, filter.ByPaper())
	sieve := filter.NewSieve(filter.Top(1), filter.Varied(outcomes))
	asked := map[string]bool{}
	for g, err := range sieve.Each(t.Context(), loads(made{id: "unwanted"}, made{id: "wrong", ranking: []string{"c01", "c02", "c03"}})) {
		if err != nil {
			t.Fatal(err)
		}
		asked[g.Task.ID] = g.Wanting()
	}
	if asked["unwanted"] || !asked["wrong"] {
		t.Errorf("more runs are asked for: %v", asked)
	}
}

func goldOf(task string) gold.Gold { return gold.Gold{ID: task, Items: []string{"i2"}} }
