package eval_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mars-rec/mars/eval"
	"github.com/mars-rec/mars/graph"
	"github.com/mars-rec/mars/graph/rank"
	"github.com/mars-rec/mars/tasks/gold"
	"github.com/mars-rec/mars/tasks/taskstest"
)

// cases are n tasks, two of a user, whose gold item is the ith candidate.
func cases(n int) []gold.Case {
	_, task := taskstest.Library()
	var all []gold.Case
	for i := range n {
		c := gold.Case{Task: task}
		c.Task.ID = fmt.Sprintf("t%d", i)
		c.Task.User = fmt.Sprintf("u%02d", i/2)
		c.Gold = gold.Gold{ID: c.Task.ID, Items: []string{task.Candidates[i%len(task.Candidates)]}}
		all = append(all, c)
	}
	return all
}

// asGiven ranks in the order in which candidates are given.
func asGiven() eval.System {
	return eval.System{Name: "as given", Rank: func(_ context.Context, q eval.Question) (eval.Answer, error) {
		return eval.Answer{Ranking: q.Task.Candidates}, nil
	}}
}

func report(t *testing.T, sets []eval.Set, systems []eval.System, cfg eval.Config) eval.Report {
	t.Helper()
	results, err := eval.Run(t.Context(), sets, systems, cfg)
	if err != nil {
		t.Fatal(err)
	}
	r, err := results.Report()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestByHand: four cases, gold at places 1, 2, 3, 4 of the candidates, and
// answers with every fault.
func TestByHand(t *testing.T) {
	all := cases(4)
	c := all[0].Task.Candidates
	n := len(c)
	answers := map[string]eval.Answer{
		"t0": {Ranking: []string{c[0], c[0], c[1]}},            // right, an item twice, the rest left out
		"t1": {Ranking: append([]string{"foreign"}, c[1:]...)}, // right at rank 2 after a stranger
		"t2": {Ranking: []string{}},                            // empty
	} // t3 is not answered
	r := report(t, []eval.Set{{Name: "s", Cases: all}}, []eval.System{asGiven(), eval.Rankings("answers", answers)}, eval.Config{Rounds: 100})
	if r.Cases != 4 || r.Users != 2 || len(r.Groups) != 1 || len(r.Groups[0].Tables) != 1 || r.Groups[0].Tables[0].Scenario != "classic" {
		t.Fatalf("the report is of %+v", r)
	}
	table := r.Groups[0].Tables[0]
	first, second := table.Rows[0], table.Rows[1]
	if first.HR1 != 0.25 || first.HR3 != 0.75 || first.HR5 != 1 || first.Missing != 0 || first.Form.Valid != 1 {
		t.Errorf("as given: %+v", first)
	}
	if second.HR1 != 0.25 || second.HR3 != 0.5 || second.HR5 != 0.5 || second.Missing != 2 || second.MRR != 1.5/4 {
		t.Errorf("answers: %+v", second)
	}
	if want := (eval.FormReport{Valid: 0, Unanswered: 2, Repeated: 1, Foreign: 1, Left: 2}); second.Form != want {
		t.Errorf("form of the answers: %+v, want %+v", second.Form, want)
	}
	if want := (eval.AgentSociety{Total: 4, Hits1: 1, Hits3: 2, Hits5: 2, Top1: 0.25, Top3: 0.5, Top5: 0.5, Average: 1.25 / 3}); second.AgentSociety != want {
		t.Errorf("scored as the challenge does: %+v, want %+v", second.AgentSociety, want)
	}
	p, ok := table.Pair("as given", "answers")
	if want := first.MeanHR - second.MeanHR; !ok || math.Abs(p.Difference-want) > 1e-12 || p.Clusters != 2 {
		t.Errorf("the difference is %+v, want %g over 2 users", p, want)
	}
	if math.Abs(first.Position.Correlation-1) > 1e-12 {
		t.Errorf("the given order has a position bias of %g", first.Position.Correlation)
	}
	if g := table.GoldPlace; g.Mean != 2.5 || g.Expected != float64(n+1)/2 || g.Freedom != n-1 {
		t.Errorf("places of the true item: %+v", g)
	}
	if first.Coverage.Items != 5 || first.Coverage.Of != n || math.Abs(first.Coverage.Gini-float64(n-5)/float64(n)) > 1e-12 {
		t.Errorf("coverage of five items of %d, all alike: %+v", n, first.Coverage)
	}
	if first.Popularity != nil || first.Expense.Known != 0 {
		t.Errorf("without a graph, popularity is %+v and expense %+v", first.Popularity, first.Expense)
	}
}

func TestControlsDoNotDependOnTheOrderOfTheCandidates(t *testing.T) {
	source, task := taskstest.Library()
	turned := task
	turned.ID, turned.Candidates = "turned", slices.Clone(task.Candidates)
	slices.Reverse(turned.Candidates)
	g := gold.Gold{ID: task.ID, Items: task.Candidates[:1]}
	set := eval.Set{Name: "s", Cases: []gold.Case{{Task: task, Gold: g}, {Task: turned, Gold: g}}}
	var systems []eval.System
	rankings := map[string][][]string{}
	for _, r := range rank.Controls() {
		s := eval.Control(r)
		inner := s.Rank
		s.Rank = func(ctx context.Context, q eval.Question) (eval.Answer, error) {
			a, err := inner(ctx, q)
			rankings[s.Name] = append(rankings[s.Name], a.Ranking)
			return a, err
		}
		systems = append(systems, s)
	}
	report(t, []eval.Set{set}, systems, eval.Config{Graph: source.Graph(), Workers: 1})
	for name, r := range rankings {
		if same := slices.Equal(r[0], r[1]); same == (name == rank.Identity().Name() || name == rank.Random().Name()) {
			t.Errorf("%s ranks %v, and %v when the candidates are turned around", name, r[0], r[1])
		}
	}
}

// TestWorkersChangeNothing: all figures are the same with any number of workers
// and in any order of arrival.
func TestWorkersChangeNothing(t *testing.T) {
	source, _ := taskstest.Library()
	systems := []eval.System{asGiven(), learned(source.Graph())}
	for _, r := range rank.Controls() {
		systems = append(systems, eval.Control(r))
	}
	sets := []eval.Set{{Name: "s", Cases: cases(60)}}
	one := report(t, sets, systems, eval.Config{Graph: source.Graph(), Workers: 1, Rounds: 300, Pairs: true})
	many := report(t, sets, systems, eval.Config{Graph: source.Graph(), Workers: 9, Rounds: 300, Pairs: true})
	if !reflect.DeepEqual(one, many) {
		t.Errorf("one worker and nine:\n%+v\n%+v", one, many)
	}
}

func learned(g *graph.Graph) eval.System {
	return eval.Trained("ease", g, func(ctx context.Context, cut *graph.Cut) (rank.Learned, error) {
		return rank.TrainEASE(ctx, cut, rank.EASEConfig{})
	})
}

// TestBlocks: what is trained is trained as of a block's first task, never later
// than any of its tasks.
func TestBlocks(t *testing.T) {
	source, task := taskstest.Library()
	var set eval.Set
	for k := range 30 {
		c := gold.Case{Task: task, Gold: gold.Gold{Items: task.Candidates[:1]}}
		c.Task.ID, c.Task.AsOf = fmt.Sprint(k), task.AsOf.Add(time.Duration(k*k%7)*time.Hour)
		set.Cases = append(set.Cases, c)
	}
	var trained []time.Time
	asked := 0
	s := eval.System{Name: "spy", Train: func(_ context.Context, before time.Time) (func(context.Context, eval.Question) (eval.Answer, error), error) {
		trained = append(trained, before)
		return func(_ context.Context, q eval.Question) (eval.Answer, error) {
			asked++
			if q.Task.AsOf.Before(before) {
				t.Errorf("trained before %s, asked about %s", before, q.Task.AsOf)
			}
			return eval.Answer{}, nil
		}, nil
	}}
	report(t, []eval.Set{set}, []eval.System{s}, eval.Config{Graph: source.Graph(), Workers: 1, Blocks: 3})
	if len(trained) != 3 || asked != 30 || !slices.IsSortedFunc(trained, time.Time.Compare) || !trained[0].Equal(task.AsOf) {
		t.Errorf("trained as of %v, asked %d times", trained, asked)
	}
}

// TestPopularity compares percentiles with a count of all items.
func TestPopularity(t *testing.T) {
	source, task := taskstest.Library()
	set := eval.Set{Name: "s", Cases: cases(1)}
	r := report(t, []eval.Set{set}, []eval.System{asGiven()}, eval.Config{Graph: source.Graph()})
	cut := source.Graph().At(task.AsOf)
	percentile := func(id string) float64 {
		item, ok := cut.Item(id)
		if !ok {
			return 0
		}
		lower, same, all := 0, 0, 0
		for i := range cut.AllItems() {
			all++
			switch d := cut.ItemDegree(i) - cut.ItemDegree(item); {
			case d < 0:
				lower++
			case d == 0:
				same++
			}
		}
		return (float64(lower) + float64(same)/2) / float64(all)
	}
	var want eval.Popularity
	for k, id := range task.Candidates {
		if k < 5 {
			want.Recommended += percentile(id) / 5
		}
		want.Candidates += percentile(id) / float64(len(task.Candidates))
	}
	want.Gold = percentile(task.Candidates[0])
	got := *r.Groups[0].Tables[0].Rows[0].Popularity
	for _, pair := range [][2]float64{{got.Recommended, want.Recommended}, {got.Candidates, want.Candidates}, {got.Gold, want.Gold}} {
		if math.Abs(pair[0]-pair[1]) > 1e-6 {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}

// TestSeeds: runs of one system are averaged, sets that differ in their seed are
// one group, and how far both lie apart is told.
func TestSeeds(t *testing.T) {
	all := cases(4)
	run := func(ranks ...int) eval.System { // the gold at those ranks
		answers := map[string]eval.Answer{}
		for k, r := range ranks {
			list := make([]string, r-1, r)
			answers[all[k].Task.ID] = eval.Answer{Ranking: append(list, all[k].Gold.Items[0])}
		}
		return eval.Rankings("student", answers)
	}
	recipe := func(n gold.Negatives, seed uint64) *gold.Recipe {
		return &gold.Recipe{Config: &gold.Config{Negatives: n, Pool: gold.Available, Candidates: 20, Seed: seed}}
	}
	first, second := run(1, 1, 1, 1), run(1, 1, 4, 4)
	r := report(t, []eval.Set{{Name: "a", Cases: all, Recipe: recipe(gold.Uniform, 1)}, {Name: "b", Cases: all, Recipe: recipe(gold.Uniform, 2)}, {Name: "c", Cases: all, Recipe: recipe(gold.Popular, 1)}},
		[]eval.System{asGiven(), first, second}, eval.Config{Measure: "hr@1"})
	if len(r.Groups) != 2 || r.Groups[0].Name != "uniform" || !slices.Equal(r.Groups[0].Sets, []string{"a", "b"}) || r.Groups[1].Name != "popular" {
		t.Fatalf("groups are %+v", r.Groups)
	}
	table := r.Groups[0].Tables[0]
	row, _ := table.Row("student")
	if row.Runs != 2 || row.Value != 0.75 || row.HR1 != 0.75 || row.Seeds.Runs.Low != 0.5 || row.Seeds.Runs.High != 1 {
		t.Errorf("two runs: %+v", row)
	}
	if table.Cases != 8 || table.Users != 2 || row.Seeds.Draws.Seeds != 2 || row.Seeds.Draws.SD != 0 {
		t.Errorf("two draws of the same cases: %d cases, %d users, %+v", table.Cases, table.Users, row.Seeds.Draws)
	}
	switch all := r.Together; {
	case all == nil || !slices.Equal(all.Sets, []string{"a", "b", "c"}) || len(all.Tables) != 1:
		t.Errorf("all groups together: %+v", all)
	default:
		student, _ := all.Tables[0].Row("student")
		if table := all.Tables[0]; table.Cases != 12 || table.Users != 2 || student.Value != 0.75 || student.Seeds.Draws != nil || len(table.Pairs) != 1 || all.Seeds() != 1 {
			t.Errorf("twelve cases, of sets that differ in more than the seed: %+v", table)
		}
	}
	if len(r.Notes) != 0 {
		t.Errorf("both kinds of negatives are there: %v", r.Notes)
	}
	one := report(t, []eval.Set{{Name: "a", Cases: all, Recipe: recipe(gold.Uniform, 1)}}, []eval.System{asGiven()}, eval.Config{})
	if len(one.Notes) != 1 || !strings.Contains(one.Notes[0], "only uniform negatives") {
		t.Errorf("notes: %v", one.Notes)
	}
	if one.Together != nil {
		t.Errorf("one group has no other beside it: %+v", one.Together)
	}
	second.Name, second.Sets = "uniform only", []string{"a"}
	apart := report(t, []eval.Set{{Name: "a", Cases: all, Recipe: recipe(gold.Uniform, 1)}, {Name: "c", Cases: all, Recipe: recipe(gold.Popular, 1)}},
		[]eval.System{asGiven(), first, second}, eval.Config{})
	if apart.Together == nil || len(apart.Together.Tables[0].Rows) != 2 || len(apart.Groups[0].Tables[0].Rows) != 3 {
		t.Errorf("who answers one group alone is not among those together: %+v", apart.Together)
	}
	first.Sets = []string{"a"}
	if _, err := eval.Run(t.Context(), []eval.Set{{Name: "a", Cases: all, Recipe: recipe(gold.Uniform, 1)}, {Name: "b", Cases: all, Recipe: recipe(gold.Uniform, 2)}}, []eval.System{first}, eval.Config{}); err == nil || !strings.Contains(err.Error(), "b is missing") {
		t.Errorf("half of a group: %v", err)
	}
}

// TestFull: a full ranking ranks what is there and what the user does not have.
func TestFull(t *testing.T) {
	source, task := taskstest.Library()
	c := gold.Case{Task: task, Gold: gold.Gold{ID: task.ID, Items: task.Candidates[:1]}}
	cut := source.Graph().At(task.AsOf)
	user, _ := cut.User(task.User)
	s := eval.System{Name: "spy", Rank: func(_ context.Context, q eval.Question) (eval.Answer, error) {
		if want := cut.Items() - cut.UserDegree(user); len(q.Task.Candidates) != want {
			t.Errorf("%d items are ranked, want %d", len(q.Task.Candidates), want)
		}
		return eval.Answer{Ranking: q.Task.Candidates}, nil
	}}
	r := report(t, []eval.Set{{Name: "s", Cases: []gold.Case{c}}}, []eval.System{s}, eval.Config{Graph: source.Graph(), Full: true})
	if row := r.Groups[0].Tables[0].Rows[0]; !r.Full || row.Position != nil || row.Form.Valid != 1 {
		t.Errorf("%+v", row)
	}
}

func TestRefusals(t *testing.T) {
	set := []eval.Set{{Name: "s", Cases: cases(1)}}
	bad := eval.System{Name: "bad", Rank: func(context.Context, eval.Question) (eval.Answer, error) { return eval.Answer{}, errors.New("no disk") }}
	for want, run := range map[string]func() error{
		"bad on t0: no disk": func() error { _, err := eval.Run(t.Context(), set, []eval.System{bad}, eval.Config{}); return err },
		"no cases":           func() error { _, err := eval.Run(t.Context(), nil, []eval.System{bad}, eval.Config{}); return err },
		"the set s has no cases": func() error {
			_, err := eval.Run(t.Context(), []eval.Set{{Name: "s"}}, []eval.System{asGiven()}, eval.Config{})
			return err
		},
		"two sets are called s": func() error {
			_, err := eval.Run(t.Context(), append(set, set...), []eval.System{asGiven()}, eval.Config{})
			return err
		},
		"needs the graph": func() error {
			_, err := eval.Run(t.Context(), set, []eval.System{asGiven()}, eval.Config{Full: true})
			return err
		},
		"unknown measure": func() error {
			_, err := eval.Run(t.Context(), set, []eval.System{asGiven()}, eval.Config{Measure: "luck"})
			return err
		},
		`no system "nobody"`: func() error {
			_, err := eval.Run(t.Context(), set, []eval.System{asGiven()}, eval.Config{Against: "nobody"})
			return err
		},
	} {
		if err := run(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want %q", err, want)
		}
	}
}

func Example() {
	source, task := taskstest.Library()
	c := gold.Case{Task: task, Gold: gold.Gold{ID: task.ID, Items: task.Candidates[:1]}}
	results, err := eval.Run(context.Background(), []eval.Set{{Name: "library", Cases: []gold.Case{c}}},
		[]eval.System{eval.Control(rank.MostPopular()), eval.Control(rank.Random())}, eval.Config{Graph: source.Graph()})
	if err != nil {
		fmt.Println(err)
		return
	}
	report, err := results.Report()
	if err != nil {
		fmt.Println(err)
		return
	}
	pair := report.Groups[0].Tables[0].Pairs[0]
	fmt.Printf("%s against %s, one case: %s\n", pair.First, pair.Second, pair.Verdict)
	// Output: most popular against random, one case: undecided
}
