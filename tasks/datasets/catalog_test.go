package datasets

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mars-rec/mars/graph"
	"github.com/mars-rec/mars/tasks"
)

// imported imports rows into a new data set and opens it.
func imported(t testing.TB, r rows) *Dataset {
	t.Helper()
	out := filepath.Join(t.TempDir(), "set")
	importRows(t, r, out, ImportConfig{})
	return open(t, out)
}

func found(t testing.TB, c tasks.Catalog, query string) string {
	t.Helper()
	var ids []string
	for item, err := range c.Search(t.Context(), query) {
		if err != nil {
			t.Fatalf("search %q: %v", query, err)
		}
		ids = append(ids, item.ID)
	}
	return strings.Join(ids, " ")
}

func TestSearch(t *testing.T) {
	r := rows{
		items: []tasks.Item{
			{ID: "3", Title: "Le Fabuleux Destin d'Amélie Poulain", Categories: []string{"Comedy", "Romance"}},
			{ID: "1", Title: "Toy Story", Categories: []string{"Comedy", "Animation"}, Creators: []string{"John Lasseter"}},
			{ID: "2", Title: "Toy Story 2", Categories: []string{"Animation"}, Text: "Woody is stolen by a toy collector. A toy, a toy!"},
			{ID: "4", Title: "Heat", Text: "NOT a toy AND no \"story\" OR title:comedy"},
			{ID: "5", Title: "千と千尋の神隠し", Creators: []string{"O'Brien"}},
		},
		events: []review{{graph.Interaction{User: "u", Item: "1", Time: 1}, ""}},
	}
	c := imported(t, r).Catalog()
	for query, want := range map[string]string{
		"toy":                      "1 2 4",
		"TOY story":                "1 2 4", // the number of words, not how often or how rare they are
		"toy story collector":      "2 1 4",
		"toy toy toy comedy":       "1 4 2 3",
		"amelie":                   "3",
		"Amélie":                   "3",
		"lasseter":                 "1",
		"animation comedy":         "1 2 3 4",
		"千と千尋の神隠し":                 "5",
		"o'brien":                  "5",
		"":                         "",
		"  ** -- \"\" () : ^":      "",
		"nothing matches":          "",
		"title:heat":               "4",
		"NOT heat":                 "4",
		"heat AND lasseter":        "4 1",
		"toy*":                     "1 2 4",
		"to":                       "",
		"NEAR(toy story, 2)":       "2 1 4",
		"\"toy story":              "1 2 4",
		"toy') OR 1=1; DROP TABLE": "4 1 2",
		"words MATCH \x00 toy":     "1 2 4",
	} {
		if got := found(t, c, query); got != want {
			t.Errorf("search %q found %q, want %q", query, got, want)
		}
	}
}

// TestSearchIsBounded reads 16 distinct words of a query and no more.
func TestSearchIsBounded(t *testing.T) {
	c := imported(t, some()).Catalog()
	filler := func(n int) string {
		var b strings.Builder
		for k := range n {
			fmt.Fprintf(&b, "w%d ", k)
		}
		return b.String()
	}
	if got := found(t, c, filler(15)+"alpha"); got != "a" {
		t.Errorf("the 16th word found %q", got)
	}
	if got := found(t, c, filler(16)+"alpha"); got != "" {
		t.Errorf("the 17th word found %q", got)
	}
	if got := found(t, c, strings.Repeat("é", 1<<20)); got != "" {
		t.Errorf("a word of a megabyte found %q", got)
	}
}

// TestSearchAnswersAnyQuery has no query that is an error.
func TestSearchAnswersAnyQuery(t *testing.T) {
	c := imported(t, some()).Catalog()
	rapid.Check(t, func(rt *rapid.T) {
		query := rapid.String().Draw(rt, "query")
		for _, err := range c.Search(t.Context(), query) {
			if err != nil {
				rt.Errorf("search %q: %v", query, err)
			}
		}
	})
}

// TestTextsComeBack holds that every text comes out as it went in. All of them
// share one data set, since an import takes far longer than a look-up.
func TestTextsComeBack(t *testing.T) {
	const examples = 300
	text := rapid.String()
	texts := rapid.SliceOfN(text, 0, 4)
	var r rows
	for k := range examples {
		id := fmt.Sprint("x", k)
		r.items = append(r.items, tasks.Item{ID: id, Title: text.Example(k), Text: text.Example(k + 1), Year: k,
			Categories: texts.Example(k), Creators: texts.Example(k + 1)})
		r.users = append(r.users, tasks.User{ID: id, Name: text.Example(k)})
		r.events = append(r.events, review{graph.Interaction{User: id, Item: id, Time: 1, Rating: 3.5}, text.Example(k)})
	}
	c := imported(t, r).Catalog()
	for k, want := range r.items {
		for range 2 { // from the file, then from memory
			got, ok, err := c.Item(t.Context(), want.ID)
			if err != nil || !ok || got.ID != want.ID || got.Title != want.Title || got.Text != want.Text || got.Year != want.Year ||
				!slices.Equal(got.Categories, want.Categories) || !slices.Equal(got.Creators, want.Creators) {
				t.Errorf("got %+v, %v, %v\nwant %+v", got, ok, err, want)
			}
		}
		if got, ok, err := c.User(t.Context(), want.ID); got != r.users[k] || !ok || err != nil {
			t.Errorf("got %+v, %v, %v, want %+v", got, ok, err, r.users[k])
		}
		reviews, err := c.Reviews(t.Context(), tasks.ReviewQuery{User: want.ID, Before: time.Unix(2, 0)})
		written := r.events[k].text
		if err != nil || written != "" && (len(reviews) != 1 || reviews[0].Text != written || reviews[0].Rating != 3.5) {
			t.Errorf("got %+v, %v, want %q", reviews, err, written)
		}
	}
}

func TestReviews(t *testing.T) {
	var r rows
	for _, e := range []struct {
		user, item string
		time       int64
	}{{"u1", "a", 10}, {"u1", "c", 30}, {"u1", "b", 30}, {"u1", "d", 40}, {"u2", "a", 20}, {"u3", "a", 20}} {
		r.events = append(r.events, review{graph.Interaction{User: e.user, Item: e.item, Time: e.time}, "of " + e.user + " on " + e.item})
	}
	c := imported(t, r).Catalog()
	for _, test := range []struct {
		q    tasks.ReviewQuery
		want string
	}{
		{tasks.ReviewQuery{User: "u1", Before: time.Unix(41, 0)}, "u1d u1b u1c u1a"},
		{tasks.ReviewQuery{User: "u1", Before: time.Unix(40, 0)}, "u1b u1c u1a"},
		{tasks.ReviewQuery{User: "u1", Before: time.Unix(40, 999)}, "u1b u1c u1a"},
		{tasks.ReviewQuery{User: "u1", Before: time.Unix(40, 0), Limit: 2}, "u1b u1c"},
		{tasks.ReviewQuery{Item: "a", Before: time.Unix(100, 0)}, "u2a u3a u1a"},
		{tasks.ReviewQuery{Item: "a", Before: time.Unix(20, 0)}, "u1a"},
		{tasks.ReviewQuery{User: "u2", Item: "a", Before: time.Unix(21, 0)}, "u2a"},
		{tasks.ReviewQuery{User: "u2", Item: "b", Before: time.Unix(21, 0)}, ""},
		{tasks.ReviewQuery{User: "nobody", Before: time.Unix(21, 0)}, ""},
	} {
		reviews, err := c.Reviews(t.Context(), test.q)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range reviews {
			got = append(got, r.User+r.Item)
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("%+v: got %q, want %q", test.q, got, test.want)
		}
	}
	if _, err := c.Reviews(t.Context(), tasks.ReviewQuery{Before: time.Unix(21, 0)}); err == nil {
		t.Error("a query for nobody and nothing was answered")
	}
}

// TestCatalogServesMany asks one catalog from many sides at once.
func TestCatalogServesMany(t *testing.T) {
	c := imported(t, some()).Catalog()
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 20 {
				if item, ok, err := c.Item(t.Context(), "a"); err != nil || !ok || item.Title != "Alpha" {
					t.Errorf("item a: %+v, %v, %v", item, ok, err)
				}
				if got := found(t, c, "alpha first"); got != "a" {
					t.Errorf("search found %q", got)
				}
			}
		})
	}
	wg.Wait()
}

// TestMemoIsBounded forgets what is oldest, never what was just put.
func TestMemoIsBounded(t *testing.T) {
	var m memo[tasks.Item]
	text := strings.Repeat("x", memoBytes/10)
	for k := range 100 {
		item := tasks.Item{ID: fmt.Sprint(k), Year: k, Text: text}
		m.put(item.ID, item, weight(item))
		if item, ok := m.get(fmt.Sprint(k)); !ok || item.Year != k {
			t.Fatalf("%d is forgotten at once", k)
		}
		if n := len(m.young) + len(m.old); n > 24 {
			t.Fatalf("%d values of a tenth of a generation each are held", n)
		}
	}
	if _, ok := m.get("0"); ok {
		t.Error("the first value is still held")
	}
}

func BenchmarkItem(b *testing.B) {
	r := some()
	for k := range 1000 {
		r.items = append(r.items, tasks.Item{ID: fmt.Sprint("i", k), Title: "Title of some length", Text: strings.Repeat("word ", 100)})
	}
	d := imported(b, r)
	b.Run("file", func(b *testing.B) {
		for k := 0; b.Loop(); k++ {
			d.catalog.items = memo[tasks.Item]{}
			if _, ok, err := d.catalog.Item(b.Context(), fmt.Sprint("i", k%1000)); !ok || err != nil {
				b.Fatal(ok, err)
			}
		}
	})
	b.Run("memory", func(b *testing.B) {
		for k := 0; b.Loop(); k++ {
			if _, ok, err := d.catalog.Item(b.Context(), fmt.Sprint("i", k%1000)); !ok || err != nil {
				b.Fatal(ok, err)
			}
		}
	})
}
