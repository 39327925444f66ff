package ego_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	lib "github.com/dominikbraun/graph"
	"pgregory.net/rapid"

	"github.com/mars-rec/mars/graph"
	"github.com/mars-rec/mars/graph/ego"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tasks/taskstest"
)

// logs draws a log with ties in time, few enough users and items that they meet.
func logs(t *rapid.T) []graph.Interaction {
	n := rapid.SampledFrom([]int{1, 20, 60}).Draw(t, "at least")
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) graph.Interaction {
		return graph.Interaction{
			User: fmt.Sprintf("u%d", rapid.IntRange(0, 9).Draw(t, "user")), Item: fmt.Sprintf("i%d", rapid.IntRange(0, 9).Draw(t, "item")),
			Time: int64(rapid.IntRange(0, 20).Draw(t, "time")), Rating: float32(rapid.IntRange(0, 10).Draw(t, "rating")) / 2,
		}
	}), n, n+30).Draw(t, "log")
}

func build(t interface{ Fatal(...any) }, log []graph.Interaction) *graph.Graph {
	g, err := graph.Build(func(yield func(graph.Interaction, error) bool) {
		for _, in := range log {
			if !yield(in, nil) {
				return
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// all calls f with every ego graph of a cut that cfg asks for.
func all(t *rapid.T, cut *graph.Cut, cfg ego.Config, f func(*ego.Ego)) {
	made := func(e *ego.Ego, err error) {
		if err != nil {
			t.Fatal(err)
		}
		f(e)
	}
	for i := range cut.AllItems() {
		made(ego.AroundItem(cut, cut.ItemID(i), cfg))
		for u := range cut.AllUsers() {
			made(ego.Why(cut, cut.UserID(u), cut.ItemID(i), cfg))
		}
	}
	for u := range cut.AllUsers() {
		made(ego.AroundUser(cut, cut.UserID(u), cfg))
	}
}

// TestNumbers: every number is the graph's own answer, asked another way.
func TestNumbers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := build(t, logs(t))
		cut := g.At(time.Unix(int64(rapid.IntRange(1, 22).Draw(t, "at")), 0))
		cfg := ego.Config{K: rapid.IntRange(0, 4).Draw(t, "k"), Neighbours: rapid.IntRange(0, 6).Draw(t, "neighbours"), Support: rapid.IntRange(0, 3).Draw(t, "support")}
		all(t, cut, cfg, func(e *ego.Ego) { checkNumbers(t, cut, e) })
	})
}

func checkNumbers(t *rapid.T, cut *graph.Cut, e *ego.Ego) {
	users, items := map[string]graph.User{}, map[string]graph.Item{}
	for _, n := range e.Nodes {
		degree := 0
		if n.Kind == ego.User {
			u, _ := cut.User(n.ID)
			users[n.Key], degree = u, cut.UserDegree(u)
		} else {
			i, _ := cut.Item(n.ID)
			items[n.Key], degree = i, cut.ItemDegree(i)
		}
		if n.Degree != degree {
			t.Fatalf("%s has degree %d, said to be %d", n.Key, degree, n.Degree)
		}
	}
	if len(users)+len(items) != len(e.Nodes) {
		t.Fatalf("a node is there twice: %v", e.Nodes)
	}
	for _, d := range e.Edges {
		switch d.Relation {
		case ego.Had:
			history := cut.History(users[d.From])
			at := slices.IndexFunc(history, func(h graph.Event) bool { return h.Item == items[d.To] })
			if at < 0 || !history[at].Time.Equal(d.Time) || history[at].Rating != d.Rating || !d.Time.Before(cut.AsOf()) {
				t.Fatalf("%+v is not in the history", d)
			}
		case ego.Together:
			shared, degrees := cut.Shared(items[d.From], items[d.To]), float64(cut.ItemDegree(items[d.From]))*float64(cut.ItemDegree(items[d.To]))
			if d.Shared != shared || math.Abs(d.Cosine-float64(shared)/math.Sqrt(degrees)) > 1e-12 ||
				math.Abs(d.Lift-float64(shared)*float64(cut.Users())/degrees) > 1e-9 {
				t.Fatalf("%+v: %d are shared", d, shared)
			}
		case ego.Alike:
			shared := 0
			for _, h := range cut.History(users[d.To]) {
				for _, mine := range cut.History(users[d.From]) {
					if h.Item == mine.Item {
						shared++
					}
				}
			}
			degrees := float64(cut.UserDegree(users[d.From])) * float64(cut.UserDegree(users[d.To]))
			if d.Shared != shared || math.Abs(d.Cosine-float64(shared)/math.Sqrt(degrees)) > 1e-12 {
				t.Fatalf("%+v: %d are shared", d, shared)
			}
		}
	}
}

// TestStrongest: what is shown is the strongest there is, and what is not shown
// is counted.
func TestStrongest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cut := build(t, logs(t)).At(time.Unix(int64(rapid.IntRange(1, 22).Draw(t, "at")), 0))
		k, neighbours := rapid.IntRange(1, 4).Draw(t, "k"), rapid.IntRange(1, 6).Draw(t, "neighbours")
		for u := range cut.AllUsers() {
			for i := range cut.AllItems() {
				checkStrongest(t, cut, u, i, k, neighbours)
			}
		}
	})
}

func checkStrongest(t *rapid.T, cut *graph.Cut, u graph.User, i graph.Item, k, neighbours int) {
	e, err := ego.Why(cut, cut.UserID(u), cut.ItemID(i), ego.Config{K: k, Neighbours: neighbours})
	if err != nil {
		t.Fatal(err)
	}
	mine := map[graph.Item]bool{}
	for _, h := range cut.History(u) {
		mine[h.Item] = true
	}
	var through []string
	for _, n := range cut.ItemCF(i, graph.Query{K: -1}) { // all of the item's neighbours, not only the user's
		if mine[n.Item] {
			through = append(through, ego.ItemKey(cut.ItemID(n.Item)))
		}
	}
	g, _ := e.Group(ego.ItemCF)
	if g.Of != len(through) || !slices.Equal(g.Nodes, through[:min(k, len(through))]) && len(through) > 0 {
		t.Fatalf("Item-CF goes through %v of %d, want the first %d of %v", g.Nodes, g.Of, k, through)
	}
	g, _ = e.Group(ego.UserCF)
	if !mine[i] {
		var want graph.Suggestion
		if s := cut.UserCF(u, graph.UserQuery{K: 1, Neighbours: neighbours, Among: []graph.Item{i}}); len(s) > 0 {
			want = s[0]
		}
		if g.Of != want.Peers || g.Score != want.Score || len(g.Nodes) != min(k, g.Of) {
			t.Fatalf("User-CF says %+v, the graph %+v", g, want)
		}
	}
	for k, key := range g.Nodes {
		d, _ := e.Edge(ego.UserKey(e.User), key)
		if k == 0 {
			continue
		}
		if before, _ := e.Edge(ego.UserKey(e.User), g.Nodes[k-1]); before.Cosine < d.Cosine || (before.Cosine == d.Cosine && before.To > d.To) {
			t.Fatalf("%+v comes before %+v", before, d)
		}
	}
}

// TestPaths: the library's own search finds each path, and no other.
func TestPaths(t *testing.T) {
	source, task := taskstest.Library()
	e, err := ego.Why(source.Graph().At(later(task)), task.User, "b10", ego.Config{})
	if err != nil {
		t.Fatal(err)
	}
	g, err := e.Graph()
	if err != nil {
		t.Fatal(err)
	}
	paths, err := lib.AllPathsBetween(g, ego.UserKey(e.User), ego.ItemKey(e.Item))
	if err != nil {
		t.Fatal(err)
	}
	want := len(e.Groups[0].Nodes) + len(e.Groups[1].Nodes)
	if len(paths) != want || want < 6 {
		t.Errorf("%d paths, want %d, and that to be some", len(paths), want)
	}
	for _, p := range paths {
		if len(p) != 3 || !slices.Contains(append(e.Groups[0].Nodes, e.Groups[1].Nodes...), p[1]) {
			t.Errorf("path %v", p)
		}
	}
}

// TestFuture: with another future everything is the same, to the byte.
func TestFuture(t *testing.T) {
	source, task := taskstest.Library()
	for _, at := range []time.Time{task.AsOf.AddDate(-2, 0, 0), task.AsOf, task.AsOf.AddDate(1, 0, 0)} {
		one, two := source.Graph().At(at), source.OtherFuture(at).Graph().At(at)
		seen := 0
		for u := range one.AllUsers() {
			for i := range one.AllItems() {
				write := why
				if seen%37 == 0 {
					write = written
				}
				a, b := write(t, one, one.UserID(u), one.ItemID(i)), write(t, two, one.UserID(u), one.ItemID(i))
				if !bytes.Equal(a, b) {
					t.Fatalf("as of %s, user %s and item %s know the future:\n%s\n%s", at, one.UserID(u), one.ItemID(i), a, b)
				}
				seen++
			}
		}
		if seen < 100 {
			t.Errorf("as of %s only %d pairs", at, seen)
		}
	}
	if a, b := written(t, source.Graph().At(source.Graph().End()), task.User, "b00"), written(t, source.Graph().At(task.AsOf), task.User, "b00"); bytes.Equal(a, b) {
		t.Error("what comes later changes nothing: the test sees nothing")
	}
}

// why is the ego graph between a user and an item as JSON.
func why(t *testing.T, cut *graph.Cut, user, item string) []byte {
	t.Helper()
	e, err := ego.Why(cut, user, item, ego.Config{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// written is all that an ego graph can be written as, between and around.
func written(t *testing.T, cut *graph.Cut, user, item string) []byte {
	t.Helper()
	var out bytes.Buffer
	add := func(e *ego.Ego, err error) {
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(json.NewEncoder(&out).Encode(e), e.DOT(&out), e.SVG(&out)); err != nil {
			t.Fatal(err)
		}
	}
	add(ego.Why(cut, user, item, ego.Config{}))
	add(ego.AroundUser(cut, user, ego.Config{}))
	add(ego.AroundItem(cut, item, ego.Config{}))
	return out.Bytes()
}

// TestAlwaysTheSame: not even the library's walk over a map shows.
func TestAlwaysTheSame(t *testing.T) {
	source, task := taskstest.Library()
	cut := source.Graph().At(later(task))
	want := written(t, cut, task.User, "b03")
	for range 30 {
		if got := written(t, cut, task.User, "b03"); !bytes.Equal(got, want) {
			t.Fatal("the same ego graph is written in two ways")
		}
	}
}

func TestJSON(t *testing.T) {
	source, task := taskstest.Library()
	e, err := ego.Why(source.Graph().At(later(task)), task.User, "b10", ego.Config{Title: titles(t, source)})
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	var back ego.Ego
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(*e, back) {
		t.Errorf("read back:\n%+v\nwritten:\n%+v", back, *e)
	}
}

// later is a moment at which the library's user has more to go by.
func later(task tasks.Task) time.Time { return task.AsOf.AddDate(2, 0, 0) }

func TestUnknown(t *testing.T) {
	source, task := taskstest.Library()
	cut := source.Graph().At(task.AsOf)
	for _, tc := range []struct{ user, item, want string }{
		{"nobody", "b10", `no user "nobody": no interaction is known before 2018-01-01T00:00:00Z`},
		{"u07", "nothing", `no item "nothing": no interaction`},
	} {
		_, err := ego.Why(cut, tc.user, tc.item, ego.Config{})
		if unknown := (*ego.Unknown)(nil); !errors.As(err, &unknown) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("got %v, want %s", err, tc.want)
		}
	}
	broken := errors.New("disk on fire")
	if _, err := ego.Why(cut, "u07", "b10", ego.Config{Title: func(string) (string, error) { return "", broken }}); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

// titles are those of the catalog, as foreign as they come.
func titles(t *testing.T, source interface{ Catalog() tasks.Catalog }) func(string) (string, error) {
	return func(id string) (string, error) {
		item, _, err := source.Catalog().Item(t.Context(), id)
		return item.Title, err
	}
}
