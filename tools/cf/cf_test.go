package cf_test

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mars-rec/mars/graph"
	"github.com/mars-rec/mars/graph/rank"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tasks/taskstest"
	"github.com/mars-rec/mars/tools"
	"github.com/mars-rec/mars/tools/cf"
	"github.com/mars-rec/mars/tools/toolstest"
	"github.com/mars-rec/mars/tools/translate"
)

var calls = map[string][]string{
	"item_cf": {
		`{}`, `{"window":"all"}`, `{"window":"last:10"}`, `{"window":"last:3"}`, `{"window":"last:1","k":1,"support":1}`,
		`{"window":"all","measure":"iuf"}`, `{"window":"last:5","measure":"lift","support":3}`,
		`{"item":"b01"}`, `{"item":"c02","k":3}`, `{"item":"b05","measure":"jaccard"}`, `{"item":"b05","measure":"iuf","support":1,"k":100}`,
		`{"item":"c03","among":"candidates"}`, `{"item":"0-new0"}`, `{"item":"m-new1"}`, `{"item":"nothing"}`,
		`{"item":"b01","window":"all"}`, `{"among":"candidates"}`, `{"window":"last:0"}`, `{"window":"first:3"}`, `{"window":"last:007"}`,
	},
	"user_cf": {`{}`, `{"k":3}`, `{"neighbours":5}`, `{"among":"candidates"}`, `{"among":"candidates","neighbours":1000}`},
}

func view(t testing.TB, source tasks.Source, task tasks.Task) tasks.View {
	t.Helper()
	v, err := source.View(task)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func call[R any](t testing.TB, v tasks.View, cfg cf.Config, name, args string) R {
	t.Helper()
	set, err := tools.Open(v, cf.Tools(cfg)...)
	if err != nil {
		t.Fatal(err)
	}
	tool, ok := set.Find(name)
	if !ok {
		t.Fatalf("no tool %s", name)
	}
	value, err := tool.Call(t.Context(), json.RawMessage(args))
	if err != nil {
		t.Fatalf("%s %s: %v", name, args, err)
	}
	var r R
	if err := json.Unmarshal(value, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestContract(t *testing.T) {
	library, task := taskstest.Library()
	hostile, same := taskstest.Hostile()
	newcomer := task
	newcomer.User = "nobody"
	for _, named := range cf.Tools(cf.Config{Words: translate.Words{Verb: "read"}}) {
		for _, task := range []tasks.Task{task, newcomer, {AsOf: task.AsOf, User: task.User}} {
			if err := toolstest.Check(t.Context(), named.Factory, view(t, library, task), calls[named.Name]...); err != nil {
				t.Errorf("user %s, %d candidates: %v", task.User, len(task.Candidates), err)
			}
		}
		for year := range 7 { // the task's own moment, and others
			at := task
			at.AsOf = task.AsOf.AddDate(year-3, 0, 0)
			one, other := view(t, library, at), view(t, library.OtherFuture(at.AsOf), at)
			if err := toolstest.Leaks(t.Context(), named.Factory, one, other, calls[named.Name]...); err != nil {
				t.Error(err)
			}
		}
		if err := toolstest.Forges(t.Context(), named.Factory, view(t, hostile, same), calls[named.Name]...); err != nil {
			t.Error(err)
		}
	}
}

// cinema is a log in which the counts can be seen: of users 0 to 9 all rated
// Dune; 0 to 5 also Foundation; 0 and 1 also Solaris; 20 to 29 rated Emma.
func cinema() (*taskstest.Source, tasks.Task) {
	items := []tasks.Item{{ID: "d", Title: `The "Dune"`}, {ID: "e", Title: "Emma"}, {ID: "f", Title: "Foundation"}, {ID: "s", Title: "Solaris"}}
	var log []graph.Interaction
	add := func(item string, from, to int, rating float32) {
		for u := from; u < to; u++ {
			log = append(log, graph.Interaction{User: fmt.Sprintf("u%02d", u), Item: item, Time: int64(100 + len(log)), Rating: rating})
		}
	}
	add("d", 0, 10, 5)
	add("f", 0, 4, 4)
	add("f", 4, 6, 3.5)
	add("s", 0, 2, 0)
	add("e", 20, 30, 3)
	return taskstest.New(items, nil, log, nil),
		tasks.Task{ID: "t", User: "u09", AsOf: time.Unix(1000, 0), Candidates: []string{"s", "e", "f"}}
}

func TestItemCFSentences(t *testing.T) {
	source, task := cinema()
	v := view(t, source, task)
	cfg := cf.Config{Words: translate.Words{Verb: "rated"}}
	near := call[cf.ItemResult](t, v, cfg, "item_cf", `{"item":"d"}`)
	want := []string{
		`Users who rated "The 'Dune'" also rated c03 "Foundation": 6 of 10 (60%), 2.0 times what chance would give; 4 of the 6 rated it 4 or more.`,
		`Users who rated "The 'Dune'" also rated c01 "Solaris": 2 of 10 (20%), 2.0 times what chance would give; thin: only 2 users in common.`,
	}
	if !slices.Equal(near.Evidence, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(near.Evidence, "\n"), strings.Join(want, "\n"))
	}
	if got := near.Items[0]; got.Item.Item != "f" || got.Shared != 6 || got.Liked != 4 || got.Degree != 6 || got.Cosine != 0.7746 || got.Lift != 2 {
		t.Errorf("got %+v", got)
	}
	window := call[cf.ItemResult](t, v, cfg, "item_cf", `{"window":"last:10"}`)
	want = []string{
		`By what goes together with the user's last 1 item: first c03 "Foundation", then c01 "Solaris"; nothing speaks for c02.`,
		`1 of them speaks for c03 "Foundation", nearest "The 'Dune'". ` + near.Evidence[0],
		`1 of them speaks for c01 "Solaris", nearest "The 'Dune'". ` + near.Evidence[1],
	}
	if !slices.Equal(window.Evidence, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(window.Evidence, "\n"), strings.Join(want, "\n"))
	}
	if r := window.Rankings; len(r) != 1 || r[0].Signal != "item_cf_recent" || fmt.Sprint(r[0].Ranking) != "[c03:9=0.7746 c01:5=0.4472 c02:0=0]" {
		t.Errorf("got %v", r)
	}
	none := call[cf.ItemResult](t, v, cfg, "item_cf", `{"item":"e"}`)
	if want := `10 users rated c02 "Emma" before 1970-01-01T00:16:40Z; no other item shares 2 users or more with it.`; !slices.Equal(none.Evidence, []string{want}) || none.Items == nil {
		t.Errorf("got %q, items %v", none.Evidence, none.Items)
	}
}

func TestUserCFSentences(t *testing.T) {
	source, task := cinema()
	task.User = "u05"
	v := view(t, source, task)
	r := call[cf.UserResult](t, v, cf.Config{}, "user_cf", `{}`)
	want := []string{
		`The user chose 2 items; with the 5 users nearest to this one it shares 2 of them. That is thin: no more than 2 items in common.`,
		`Of what the user has they most often have "The 'Dune'" (5 of 5), c03 "Foundation" (5 of 5).`,
		`Of the 5 nearest users 2 chose c01 "Solaris"; thin: only 2 users.`,
	}
	if !slices.Equal(r.Evidence, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(r.Evidence, "\n"), strings.Join(want, "\n"))
	}
	among := call[cf.UserResult](t, v, cf.Config{}, "user_cf", `{"among":"candidates"}`)
	if want := `By what the 5 nearest users chose: first c01 "Solaris"; nothing speaks for c02, c03.`; among.Evidence[1] != want {
		t.Errorf("got %q", among.Evidence[1])
	}
	if among.Items[0] != r.Items[0] || among.Items[0].Peers != 2 {
		t.Errorf("got %+v and %+v", among.Items, r.Items)
	}
}

// The rankings are the signals of package rank, under their names.
func TestRankingsAreTheSignals(t *testing.T) {
	source, task := taskstest.Library()
	v := view(t, source, task)
	for _, tc := range []struct{ tool, args, signal string }{
		{"item_cf", `{}`, rank.ItemCF},
		{"item_cf", `{"window":"all"}`, rank.ItemCF},
		{"item_cf", `{"window":"last:10"}`, rank.ItemCFRecent},
		{"item_cf", `{"window":"last:3"}`, rank.ItemCFLast},
		{"item_cf", `{"window":"last:5"}`, "item_cf_last_5"},
		{"user_cf", `{"among":"candidates"}`, rank.UserCF},
	} {
		r := call[cf.ItemResult](t, v, cf.Config{}, tc.tool, tc.args)
		scores, err := rank.Score(tc.signal, v.Cut(), task.User, task.Candidates, nil)
		if err != nil {
			t.Fatal(err)
		}
		if want := translate.Rank(task, tc.tool, tc.signal, scores); len(r.Rankings) != 1 || !reflect.DeepEqual(r.Rankings[0], want) {
			t.Errorf("%s %s: got %v, want %v", tc.tool, tc.args, r.Rankings, want)
		}
	}
	all := call[cf.ItemResult](t, v, cf.Config{Told: 100}, "item_cf", `{"window":"all"}`)
	for _, p := range all.Items {
		links := rank.ItemCFLinks(v.Cut(), task.User, p.Item.Item, rank.ItemCFQuery{})
		if len(links) != p.Links || v.Cut().ItemID(links[0].Item) != p.Nearest.Item {
			t.Errorf("%s: got %d links, nearest %s, want %v", p.Item, p.Links, p.Nearest, links)
		}
	}
	r := call[cf.ItemResult](t, v, cf.Config{}, "item_cf", `{"window":"all","measure":"lift"}`)
	if got := r.Rankings[0].Signal; got != "item_cf_lift" {
		t.Errorf("another measure goes by the name %s", got)
	}
}

// Every count of a result is that of a walk over the log by hand.
func TestItemCFCounts(t *testing.T) {
	source, task := taskstest.Library()
	v := view(t, source, task)
	cut := v.Cut()
	has := map[string]map[string]float32{}
	for u := range cut.AllUsers() {
		for _, e := range cut.History(u) {
			item := cut.ItemID(e.Item)
			if has[item] == nil {
				has[item] = map[string]float32{}
			}
			has[item][cut.UserID(u)] = e.Rating
		}
	}
	checked := 0
	for item := range has {
		r := call[cf.ItemResult](t, v, cf.Config{}, "item_cf", `{"item":"`+item+`","k":100}`)
		for _, p := range r.Items {
			other := p.Item.Item
			shared, liked := 0, 0
			for u := range has[item] {
				if rating, ok := has[other][u]; ok {
					shared++
					if rating >= 4 {
						liked++
					}
				}
			}
			a, b := float64(len(has[item])), float64(len(has[other]))
			if p.Shared != shared || p.Liked != liked || p.Degree != len(has[other]) ||
				math.Abs(p.Cosine-float64(shared)/math.Sqrt(a*b)) > 1e-3*p.Cosine ||
				math.Abs(p.Lift-float64(shared)*float64(cut.Users())/(a*b)) > 1e-3*p.Lift {
				t.Fatalf("%s and %s: got %+v, want %d shared, %d liked", item, other, p, shared, liked)
			}
			checked++
		}
	}
	if checked < 100 {
		t.Errorf("only %d pairs", checked)
	}
}
