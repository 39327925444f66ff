package gold

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mars-rec/mars/graph"
)

// epoch is where the times of generated logs start.
const epoch = 1_500_000_000

// rows is a log with at most one row per pair.
type rows []graph.Interaction

func (r rows) all() iter.Seq2[graph.Interaction, error] {
	return func(yield func(graph.Interaction, error) bool) {
		for _, in := range r {
			if !yield(in, nil) {
				return
			}
		}
	}
}

func (r rows) graph(t interface{ Fatal(...any) }) *graph.Graph {
	g, err := graph.Build(r.all())
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// degree counts the item's rows before at.
func (r rows) degree(item string, at time.Time) int {
	n := 0
	for _, in := range r {
		if in.Item == item && in.Time < at.Unix() {
			n++
		}
	}
	return n
}

func (r rows) touches(user, item string) bool {
	return slices.ContainsFunc(r, func(in graph.Interaction) bool { return in.User == user && in.Item == item })
}

// genRows draws a log in which many events share a second and some items come
// late.
func genRows(t *rapid.T) rows {
	users, items := rapid.IntRange(1, 8).Draw(t, "users"), rapid.IntRange(4, 25).Draw(t, "items")
	span := rapid.SampledFrom([]int64{3, 40, 100 * 86400}).Draw(t, "span")
	var out rows
	for u := range users {
		for _, i := range rapid.SliceOfNDistinct(rapid.IntRange(0, items-1), 1, min(items, 9), rapid.ID).Draw(t, "touched") {
			at := rapid.Int64Range(0, span).Draw(t, "time")
			out = append(out, graph.Interaction{User: fmt.Sprintf("u%d", u), Item: fmt.Sprintf("i%d", i), Time: epoch + at})
		}
	}
	return out
}

func genConfig(t *rapid.T) Config {
	c := Config{
		Negatives:  rapid.SampledFrom([]Negatives{Uniform, Popular}).Draw(t, "negatives"),
		Pool:       rapid.SampledFrom([]Pool{Available, AllItems}).Draw(t, "pool"),
		Candidates: rapid.IntRange(2, 5).Draw(t, "candidates"),
		Seed:       rapid.Uint64().Draw(t, "seed"),
		MinHistory: rapid.IntRange(1, 4).Draw(t, "history"),
		MinWindow:  rapid.IntRange(1, 3).Draw(t, "window"),
		ColdDegree: rapid.IntRange(0, 2).Draw(t, "cold"),
	}
	c.Scenarios = []Scenario{Classic, ColdStartUser, EvolvingLong, EvolvingShort}
	if c.Pool == Available {
		c.Scenarios = append(c.Scenarios, ColdStartItem)
	}
	return c
}

func make1(t interface{ Fatal(...any) }, r rows, c Config) *Set {
	s, err := LeaveLastOut("test", r.graph(t), c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestLeaveLastOutHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		log, c := genRows(t), genConfig(t)
		set := make1(t, log, c)
		made := 0
		for _, n := range set.Counts.Tasks {
			made += n
		}
		if made != len(set.Cases) {
			t.Fatalf("counted %d tasks, made %d", made, len(set.Cases))
		}
		users := map[string]bool{}
		for _, k := range set.Cases {
			users[k.Task.User] = true
			if err := k.Check(); err != nil {
				t.Fatal(err)
			}
			checkCase(t, log, c, k)
		}
		skipped := 0
		for _, n := range set.Counts.Skipped {
			skipped += n
		}
		if len(users)+skipped != set.Counts.Considered {
			t.Fatalf("%d users have tasks, %d were skipped, of %d", len(users), skipped, set.Counts.Considered)
		}
		if again := make1(t, log, c); !reflect.DeepEqual(again, set) {
			t.Fatal("the same log, configuration and seed gave other tasks")
		}
		slices.Reverse(log)
		if again := make1(t, log, c); !reflect.DeepEqual(again, set) {
			t.Fatal("the order of the log changed the tasks")
		}
	})
}

// checkCase holds a case against what docs/tasks.md promises, counted from the
// rows.
func checkCase(t *rapid.T, log rows, c Config, k Case) {
	task, truth := k.Task, k.Gold.Items[0]
	var last int64
	before := 0
	for _, in := range log {
		if in.User == task.User {
			last = max(last, in.Time)
		}
	}
	for _, in := range log {
		if in.User == task.User && in.Time < last {
			before++
		}
		if in.User == task.User && in.Item == truth && in.Time != last {
			t.Fatalf("%s: the true item %s is of %d, the last second is %d", task.ID, truth, in.Time, last)
		}
	}
	if task.AsOf.Unix() != last {
		t.Fatalf("%s: as of %d, want the last interaction's %d", task.ID, task.AsOf.Unix(), last)
	}
	if len(task.Candidates) != c.Candidates || task.ID != task.Scenario+"-"+task.User || task.Dataset != "test" {
		t.Fatalf("%+v", task)
	}
	degree, cold := log.degree(truth, task.AsOf), false
	if c.Pool == Available {
		cold = degree <= c.ColdDegree
	}
	want := Classic
	if cold {
		want = ColdStartItem
	} else if before < c.MinHistory {
		want = ColdStartUser
	}
	if got := Scenario(task.Scenario); before == 0 || (got != want && (want != Classic || !strings.HasPrefix(task.Scenario, "evolving"))) {
		t.Fatalf("%s: history %d, degree %d belong to %s", task.ID, before, degree, want)
	}
	for _, item := range task.Candidates {
		if item == truth {
			continue
		}
		if log.touches(task.User, item) {
			t.Fatalf("%s: negative %s is an item that the user touched", task.ID, item)
		}
		if c.Pool == Available && !cold && log.degree(item, task.AsOf) == 0 {
			t.Fatalf("%s: negative %s has no interaction before as_of", task.ID, item)
		}
	}
	if cold {
		checkMatched(t, log, k, degree)
	}
}

// checkMatched demands that no item left out is nearer in degree than one that
// was drawn.
func checkMatched(t *rapid.T, log rows, k Case, degree int) {
	distance := func(item string) int {
		d := log.degree(item, k.Task.AsOf) - degree
		return max(d, -d)
	}
	farthest := 0
	for _, item := range k.Task.Candidates {
		if item != k.Gold.Items[0] {
			farthest = max(farthest, distance(item))
		}
	}
	for _, in := range log {
		if !slices.Contains(k.Task.Candidates, in.Item) && !log.touches(k.Task.User, in.Item) && distance(in.Item) < farthest {
			if log.degree(in.Item, k.Task.AsOf) > 0 { // of the others only the soonest count
				t.Fatalf("%s: %s is nearer in degree than a negative", k.Task.ID, in.Item)
			}
		}
	}
}

func TestTheFutureChangesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		log, c := genRows(t), genConfig(t)
		c.Pool, c.Scenarios = Available, []Scenario{Classic, ColdStartUser, EvolvingLong, EvolvingShort}
		set := make1(t, log, c)
		if len(set.Cases) == 0 {
			t.Skip("no case")
		}
		k := rapid.SampledFrom(set.Cases).Draw(t, "case")
		// Everything of other users at or after as_of goes, and something else comes.
		other := slices.DeleteFunc(slices.Clone(log), func(in graph.Interaction) bool {
			return in.User != k.Task.User && in.Time >= k.Task.AsOf.Unix()
		})
		for n := range rapid.IntRange(0, 5).Draw(t, "new") {
			other = append(other, graph.Interaction{User: fmt.Sprintf("new%d", n), Item: rapid.SampledFrom([]string{"i0", "i1", "a-new", "z-new"}).Draw(t, "item"),
				Time: k.Task.AsOf.Unix() + rapid.Int64Range(0, 5).Draw(t, "later")})
		}
		for _, again := range make1(t, other, c).Cases {
			if again.Task.ID == k.Task.ID {
				if !reflect.DeepEqual(again, k) {
					t.Fatalf("with another future:\n%+v\nwas\n%+v", again, k)
				}
				return
			}
		}
		t.Fatalf("with another future there is no %s", k.Task.ID)
	})
}

func TestOneTaskDoesNotDependOnTheOthers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		log, c := genRows(t), genConfig(t)
		set := make1(t, log, c)
		for _, s := range c.Scenarios {
			alone := c
			alone.Scenarios = []Scenario{s}
			alone.Limit = rapid.IntRange(0, 4).Draw(t, "limit")
			got := make1(t, log, alone)
			if alone.Limit > 0 && len(got.Cases) > alone.Limit {
				t.Fatalf("%d tasks over the limit of %d", len(got.Cases), alone.Limit)
			}
			if alone.Limit == 0 && len(got.Cases) != set.Counts.Tasks[s] {
				t.Fatalf("%d tasks of %s alone, %d among others", len(got.Cases), s, set.Counts.Tasks[s])
			}
			for _, k := range got.Cases {
				if !slices.ContainsFunc(set.Cases, func(o Case) bool { return reflect.DeepEqual(o, k) }) {
					t.Fatalf("%s is another task when made alone", k.Task.ID)
				}
			}
		}
	})
}

func TestTimesOfTasks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		log, c := genRows(t), genConfig(t)
		c.After = time.Unix(epoch+rapid.Int64Range(0, 30).Draw(t, "after"), 0)
		c.Before = c.After.Add(time.Duration(rapid.IntRange(1, 30).Draw(t, "length")) * time.Second)
		for _, k := range make1(t, log, c).Cases {
			if k.Task.AsOf.Before(c.After) || !k.Task.AsOf.Before(c.Before) {
				t.Fatalf("%s is as of %s, outside of [%s, %s)", k.Task.ID, k.Task.AsOf, c.After, c.Before)
			}
			for _, in := range log {
				if in.User == k.Task.User && in.Time > k.Task.AsOf.Unix() && in.Time < c.Before.Unix() {
					t.Fatalf("%s: the user has a later interaction before the bound", k.Task.ID)
				}
				if in.User == k.Task.User && in.Item != k.Gold.Items[0] && slices.Contains(k.Task.Candidates, in.Item) {
					t.Fatalf("%s: negative %s is touched after the bound", k.Task.ID, in.Item)
				}
			}
		}
	})
}

// Users who go on at the bound are on the other side of it.
func TestUsersAreKeptApart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		log, c := genRows(t), genConfig(t)
		bound := time.Unix(epoch+rapid.Int64Range(0, 40).Draw(t, "bound"), 0)
		c.PerUser = 3
		late, early := c, c
		late.After, early.Before, early.Apart = bound, bound, true
		whole := early
		whole.Apart = false
		users := map[string]bool{}
		for _, in := range log {
			users[in.User] = users[in.User] || in.Time >= bound.Unix()
		}
		var want []Case
		for _, k := range make1(t, log, whole).Cases {
			if !users[k.Task.User] {
				want = append(want, k)
			}
		}
		if got := make1(t, log, early).Cases; !reflect.DeepEqual(got, want) {
			t.Fatalf("kept apart %v, want %v", got, want)
		}
		for _, k := range make1(t, log, late).Cases {
			if !users[k.Task.User] {
				t.Fatalf("%s is of a user who has nothing at or after %s", k.Task.ID, bound)
			}
		}
	})
}

// Both kinds of negatives are what each alone would draw.
func TestBothNegatives(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		log, c := genRows(t), genConfig(t)
		c.PerUser = rapid.IntRange(1, 3).Draw(t, "moments")
		of := func(n Negatives) *Set {
			c := c
			c.Negatives = n
			return make1(t, log, c)
		}
		want := map[string][]string{}
		for _, k := range of(Uniform).Cases {
			want[k.Task.ID] = k.Task.Candidates
		}
		for _, k := range of(Popular).Cases {
			if k.Task.Scenario != string(ColdStartItem) {
				want[k.Task.ID+";popular"] = k.Task.Candidates
			}
		}
		both := of(Both)
		for _, k := range both.Cases {
			if !slices.Equal(k.Task.Candidates, want[k.Task.ID]) {
				t.Fatalf("%s: candidates %v, want %v", k.Task.ID, k.Task.Candidates, want[k.Task.ID])
			}
			delete(want, k.Task.ID)
		}
		if len(want) > 0 {
			t.Fatalf("not made: %v", want)
		}
	})
}

func TestTiesOfTheLastSecond(t *testing.T) {
	log := crowd()
	tied := []string{"i02", "i03", "i04"}
	for _, item := range tied {
		log = append(log, graph.Interaction{User: "me", Item: item, Time: epoch + 500})
	}
	want := slices.MinFunc(tied, func(a, b string) int {
		x, y := sha256.Sum256([]byte("me\x00"+a)), sha256.Sum256([]byte("me\x00"+b))
		return bytes.Compare(x[:], y[:])
	})
	for seed := range uint64(20) {
		for _, k := range make1(t, log, Config{Candidates: 10, Seed: seed}).Cases {
			if k.Task.User != "me" {
				continue
			}
			if k.Gold.Items[0] != want {
				t.Fatalf("seed %d: true item %s, want %s", seed, k.Gold.Items[0], want)
			}
			for _, item := range tied {
				if item != want && slices.Contains(k.Task.Candidates, item) {
					t.Fatalf("seed %d: %s of the same second is a candidate", seed, item)
				}
			}
		}
	}
}

func TestConfigIsChecked(t *testing.T) {
	g := crowd().graph(t)
	for name, tc := range map[string]struct {
		c    Config
		want string
	}{
		"scenario":        {Config{Scenarios: []Scenario{"warm"}}, `unknown scenario "warm"`},
		"scenario twice":  {Config{Scenarios: []Scenario{Classic, Classic}}, "classic is named twice"},
		"negatives":       {Config{Negatives: "hard"}, `unknown negatives "hard"`},
		"pool":            {Config{Pool: "some"}, `unknown pool "some"`},
		"candidates":      {Config{Candidates: 1}, "1 candidates"},
		"many candidates": {Config{Candidates: 1001}, "1001 candidates"},
		"limit":           {Config{Limit: -1}, "negative bound or limit"},
		"cold, all items": {Config{Scenarios: []Scenario{ColdStartItem}, Pool: AllItems}, "no pool of all items"},
		"apart":           {Config{Apart: true}, "say before which"},
		"empty time":      {Config{After: time.Unix(9, 0), Before: time.Unix(9, 0)}, "no time lies after"},
	} {
		if _, err := LeaveLastOut("test", g, tc.c); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: error %v, want %q", name, err, tc.want)
		}
	}
}

func TestParseScenarios(t *testing.T) {
	for list, want := range map[string][]Scenario{
		"all":                    {Classic, ColdStartUser, ColdStartItem},
		"classic":                {Classic},
		"classic, evolving-long": {Classic, EvolvingLong},
	} {
		if got, err := ParseScenarios(list, Available); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %v, %v, want %v", list, got, err, want)
		}
	}
	if got, err := ParseScenarios("all", AllItems); err != nil || !slices.Equal(got, []Scenario{Classic, ColdStartUser}) {
		t.Errorf("all of all items: %v, %v", got, err)
	}
	if _, err := ParseScenarios("clasic", Available); err == nil {
		t.Error("a misspelt scenario was accepted")
	}
}

func TestTaskIDsAreReadableAndDistinct(t *testing.T) {
	for user, want := range map[string]string{"42": "classic-42", "a/b": "classic-a%2Fb", "a%2Fb": "classic-a%252Fb", "é x": "classic-%C3%A9%20x"} {
		if got := taskID(Classic, user, 1); got != want {
			t.Errorf("user %q: %s, want %s", user, got, want)
		}
	}
}

// TestEarlierMoments: the nth task of a user is the last one of a log that ends
// before the moments after it, but for the negatives, which nobody touches in
// the whole log.
func TestEarlierMoments(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		log, c := genRows(t), genConfig(t)
		c.Scenarios, c.PerUser = []Scenario{Classic, ColdStartUser, ColdStartItem}, 3
		if c.Pool == AllItems {
			c.Scenarios = c.Scenarios[:2]
		}
		set := make1(t, log, c)
		seen := map[string]bool{}
		for _, k := range set.Cases {
			if seen[k.Task.ID] {
				t.Fatalf("two tasks are called %s", k.Task.ID)
			}
			seen[k.Task.ID] = true
			one := c
			one.PerUser, one.Before = 1, k.Task.AsOf.Add(time.Second)
			want := slices.IndexFunc(make1(t, log, one).Cases, func(o Case) bool { return o.Task.User == k.Task.User })
			if want < 0 {
				t.Fatalf("%s is no last task of the log before %s", k.Task.ID, one.Before)
			}
			last := make1(t, log, one).Cases[want]
			if !last.Task.AsOf.Equal(k.Task.AsOf) || last.Task.Scenario != k.Task.Scenario || !slices.Equal(last.Gold.Items, k.Gold.Items) {
				t.Fatalf("%+v, as the last one %+v", k, last)
			}
			for _, item := range k.Task.Candidates {
				if item != k.Gold.Items[0] && log.touches(k.Task.User, item) {
					t.Fatalf("%s: negative %s is an item that the user touched", k.Task.ID, item)
				}
			}
		}
		for id := range seen {
			if base, n, ok := strings.Cut(id, ","); ok && n == "1" {
				t.Fatalf("%s should be called %s", id, base)
			}
		}
	})
}

func TestAnEmptyLogHasNoTasks(t *testing.T) {
	if set := make1(t, nil, Config{}); len(set.Cases) != 0 {
		t.Errorf("made %v", set.Cases)
	}
}
