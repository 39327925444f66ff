package cf_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mars-rec/mars/graph"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tasks/taskstest"
	"github.com/mars-rec/mars/tools/cf"
	"github.com/mars-rec/mars/tools/translate"
)

// bookshop is a log in which users 0 to 9 have all of five books, whose
// categories and authors can be counted by hand, and "me" the first two.
func bookshop() (*taskstest.Source, tasks.Task) {
	items := []tasks.Item{
		{ID: "a", Title: "Dune", Categories: []string{"SF", "Epic"}, Creators: []string{"Herbert"}},
		{ID: "b", Title: "Dune Messiah", Categories: []string{"SF", "Epic"}, Creators: []string{"Herbert", "Herbert"}},
		{ID: "c", Title: "Solaris", Categories: []string{"SF", "SF"}, Creators: []string{"Lem"}},
		{ID: "d", Title: "Fiasco", Categories: []string{"SF"}, Creators: []string{"Lem"}},
		{ID: "e", Title: "Emma", Categories: []string{"Romance"}, Creators: []string{"Austen"}},
	}
	var log []graph.Interaction
	for u := range 10 {
		for i, item := range items {
			log = append(log, graph.Interaction{User: string(rune('A' + u)), Item: item.ID, Time: int64(10*u + i + 1)})
		}
	}
	log = append(log, graph.Interaction{User: "me", Item: "a", Time: 500}, graph.Interaction{User: "me", Item: "b", Time: 501})
	return taskstest.New(items, nil, log, nil), tasks.Task{ID: "t", User: "me", AsOf: time.Unix(1000, 0)}
}

func TestWhatIsShared(t *testing.T) {
	source, task := bookshop()
	v := view(t, source, task)
	near := call[cf.ItemResult](t, v, cf.Config{Words: translate.Words{Verb: "read"}}, "item_cf", `{"item":"a"}`)
	if want := `Of the 4 items nearest to it 3 share SF; 1 is by Herbert too.`; near.Evidence[0] != want {
		t.Errorf("got %q, want %q", near.Evidence[0], want)
	}
	if k := near.Alike; k == nil || k.Count != 4 || !slices.Equal(k.Categories, []cf.Group{{"SF", 3}}) || !slices.Equal(k.Creators, []cf.Group{{"Herbert", 1}}) {
		t.Errorf("got %+v", k)
	}
	users := call[cf.UserResult](t, v, cf.Config{}, "user_cf", `{}`)
	if want := `Of the 3 items that they have most and the user has not, 2 are SF; 2 are by Lem.`; !slices.Contains(users.Evidence, want) {
		t.Errorf("got %q, want %q among them", users.Evidence, want)
	}
	if !slices.Equal(users.Common, []cf.Common{{translate.Item{Item: "a", Title: "Dune"}, 10}, {translate.Item{Item: "b", Title: "Dune Messiah"}, 10}}) {
		t.Errorf("got %+v", users.Common)
	}
	task.Candidates = []string{"c", "e"}
	window := call[cf.ItemResult](t, view(t, source, task), cf.Config{}, "item_cf", `{}`)
	if want := `2 of them speak for c01 "Solaris", nearest "Dune", both SF.`; !strings.HasPrefix(window.Evidence[1], want) {
		t.Errorf("got %q, want %q", window.Evidence[1], want)
	}
}

// An item's neighbours are told alike to everybody, so that they can be stored.
func TestItemsAreTheSameForEverybody(t *testing.T) {
	source, task := taskstest.Library()
	task.Candidates = nil
	mine, nobodys := view(t, source, task), view(t, source, tasks.Task{AsOf: task.AsOf})
	for i := range mine.Cut().AllItems() {
		args := `{"item":"` + mine.Cut().ItemID(i) + `"}`
		a, b := call[cf.ItemResult](t, mine, cf.Config{}, "item_cf", args), call[cf.ItemResult](t, nobodys, cf.Config{}, "item_cf", args)
		if !slices.Equal(a.Evidence, b.Evidence) || !slices.Equal(a.Items, b.Items) {
			t.Errorf("%s: got %v for a user, %v for nobody", args, a, b)
		}
	}
}

func TestParseSentences(t *testing.T) {
	plain, err := cf.ParseSentences("")
	if err != nil {
		t.Fatal(err)
	}
	german, err := cf.ParseSentences(`{{define "chance"}}{{times .Lift}}-mal so viele wie zufällig{{end}}`)
	if err != nil {
		t.Fatal(err)
	}
	if plain.Digest() == german.Digest() {
		t.Error("another wording has the same digest")
	}
	source, task := cinema()
	r := call[cf.ItemResult](t, view(t, source, task), cf.Config{Sentences: german}, "item_cf", `{"item":"d"}`)
	if want := `6 of 10 (60%), 2.0-mal so viele wie zufällig; 4 of the 6 rated it 4 or more.`; !strings.HasSuffix(r.Evidence[0], want) {
		t.Errorf("got %q, want %q at its end", r.Evidence[0], want)
	}
	for _, tc := range []struct{ text, want string }{
		{`{{define "suggset"}}x{{end}}`, `no sentence "suggset"`},
		{`{{define "suggest"}}{{.Score}}{{end}}`, "Score"},
		{`{{define "suggest"}}{{count .Did}}{{end}}`, "wrong type"},
		{`{{define "suggest"}}{{`, "unclosed"},
	} {
		if _, err := cf.ParseSentences(tc.text); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want an error with %q", tc.text, err, tc.want)
		}
	}
}

// Lift is told in words that say which way it points.
func TestChance(t *testing.T) {
	var log []graph.Interaction
	add := func(item string, users string) {
		for _, u := range users {
			log = append(log, graph.Interaction{User: string(u), Item: item, Time: int64(len(log) + 1)})
		}
	}
	add("a", "ABCDEFGHIJ")
	add("b", "ABCDEFG")
	add("c", "EFGHIJ")
	v := view(t, taskstest.New(nil, nil, log, nil), tasks.Task{AsOf: time.Unix(1000, 0)})
	for args, want := range map[string]string{
		`{"item":"a"}`: "7 of 10 (70%), as many as chance would give.",
		`{"item":"c"}`: "6 of 6 (100%), as many as chance would give.",
	} {
		if r := call[cf.ItemResult](t, v, cf.Config{}, "item_cf", args); !strings.HasSuffix(r.Evidence[0], want) {
			t.Errorf("%s: got %q, want %q", args, r.Evidence[0], want)
		}
	}
	r := call[cf.ItemResult](t, v, cf.Config{}, "item_cf", `{"item":"b"}`)
	if want := `Users who chose "b" also chose "c": 3 of 7 (43%), fewer than chance would give (0.7 times as many); thin: only 3 users in common.`; r.Evidence[1] != want {
		t.Errorf("got %q, want %q", r.Evidence[1], want)
	}
}
