package catalog_test

import (
	"encoding/json"
	"errors"
	"fmt"
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
	"github.com/mars-rec/mars/tools/catalog"
	"github.com/mars-rec/mars/tools/toolstest"
	"github.com/mars-rec/mars/tools/translate"
)

var calls = map[string][]string{
	"user_profile": {`{}`},
	"user_history": {
		`{}`, `{"last":3}`, `{"last":100}`, `{"summary":true}`, `{"summary":true,"last":5}`, `{"start":2,"end":4}`, `{"start":3}`, `{"end":2}`,
		`{"start":4,"end":2}`, `{"start":1000}`, `{"last":3,"start":1}`,
	},
	"item_info":       {`{"item":"b01"}`, `{"item":"b17"}`, `{"item":"c01"}`, `{"item":"c05"}`, `{"item":"0-new0"}`, `{"item":"c99"}`, `{"item":"<b>"}`, `{}`},
	"candidate_stats": {`{}`},
	"popularity":      {`{}`},
	"catalog_search":  {`{"query":"book of travel"}`, `{"query":"classics","limit":3}`, `{"query":"nothing such"}`, `{"query":""}`, `{"query":"\"*( OR NEAR"}`, `{"query":"recommend c99"}`},
}

func view(t testing.TB, source tasks.Source, task tasks.Task) tasks.View {
	t.Helper()
	v, err := source.View(task)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func call[R any](t testing.TB, v tasks.View, name, args string) (r R) {
	t.Helper()
	set, err := tools.Open(v, catalog.Tools(catalog.Config{Words: translate.Words{Verb: "read"}})...)
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
	for _, named := range catalog.Tools(catalog.Config{}) {
		for _, task := range []tasks.Task{task, newcomer} {
			if err := toolstest.Check(t.Context(), named.Factory, view(t, library, task), calls[named.Name]...); err != nil {
				t.Errorf("user %s: %v", task.User, err)
			}
		}
		for year := range 7 {
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

// Without a user or candidates, what needs them says so and the rest answers.
func TestBareView(t *testing.T) {
	source, task := taskstest.Library()
	set, err := tools.Open(view(t, source, tasks.Task{AsOf: task.AsOf}), catalog.Tools(catalog.Config{})...)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ tool, args, want string }{
		{"user_profile", `{}`, "user_profile needs a user"},
		{"user_history", `{}`, "user_history needs a user"},
		{"candidate_stats", `{}`, "this view has none"},
		{"popularity", `{}`, "this view has none"},
		{"item_info", `{"item":"b01"}`, ""},
		{"catalog_search", `{"query":"travel"}`, ""},
	} {
		tool, _ := set.Find(tc.tool)
		_, err := tool.Call(t.Context(), json.RawMessage(tc.args))
		bad := (*tools.InputError)(nil)
		if tc.want == "" && err != nil || tc.want != "" && (!errors.As(err, &bad) || !strings.Contains(bad.Reason, tc.want)) {
			t.Errorf("%s: got %v, want %q", tc.tool, err, tc.want)
		}
	}
}

// shelf is a reader with twelve books: first nine classics, then three of
// science fiction.
func shelf() (*taskstest.Source, tasks.Task) {
	start := time.Date(2016, 12, 20, 12, 0, 0, 0, time.UTC)
	items := []tasks.Item{
		{ID: "x", Title: "Dune (1965)", Year: 1965, Categories: []string{"SF"}, Creators: []string{"Herbert"}, Text: "Sand."},
		{ID: "y", Title: "Middlemarch", Year: 1871, Categories: []string{"Classics", "Novel"}},
		{ID: "z", Title: "Nothing", Categories: []string{"Poems"}},
	}
	var log []graph.Interaction
	for i := range 12 {
		item := tasks.Item{ID: fmt.Sprintf("k%02d", i), Title: fmt.Sprintf("Classic %d", i), Year: 1860 + i, Categories: []string{"Classics"}, Creators: []string{"Eliot"}}
		rating := float32(3)
		if i >= 9 {
			item.Title, item.Year, item.Categories, item.Creators = fmt.Sprintf("Star %d", i), 1960, []string{"SF", "Novel"}, nil
			rating = 5
		}
		items = append(items, item)
		log = append(log, graph.Interaction{User: "me", Item: item.ID, Time: start.AddDate(0, 0, 2*i).Unix(), Rating: rating})
	}
	var reviews []tasks.Review
	for i := range 6 {
		at := start.AddDate(-2+i/3, 0, i)
		if i >= 3 {
			at = start.AddDate(0, 0, i)
		}
		log = append(log, graph.Interaction{User: fmt.Sprintf("u%d", i), Item: "x", Time: at.Unix(), Rating: float32(i)})
		reviews = append(reviews, tasks.Review{User: fmt.Sprintf("u%d", i), Item: "x", Time: at, Rating: float64(i), Text: fmt.Sprintf("Review %d.", i)})
	}
	log = append(log, graph.Interaction{User: "u0", Item: "y", Time: start.Unix()})
	return taskstest.New(items, nil, log, reviews),
		tasks.Task{ID: "t", User: "me", AsOf: start.AddDate(0, 1, 0), Candidates: []string{"y", "x", "z"}}
}

func TestSentences(t *testing.T) {
	source, task := shelf()
	v := view(t, source, task)
	for _, tc := range []struct {
		name, args string
		want       []string
	}{
		{"user_profile", `{}`, []string{
			`The user read 12 items from 2016-12-20 to 2017-01-11, the last 9 days before now.`,
			`Ratings: mean 3.5 over 12 ratings, 3 (25%) of them 4 or more.`,
			`Most frequent categories: Classics (9 of 12, 75%), Novel (3 of 12, 25%), SF (3 of 12, 25%).`,
			`Best rated categories, of those with 3 or more ratings: Novel (mean 5 over 3), SF (mean 5 over 3), Classics (mean 3 over 9).`,
			`Most frequent creators: Eliot (9 of 12, 75%).`,
			`Best rated creators, of those with 3 or more ratings: Eliot (mean 3 over 9).`,
			`Of late less Classics: 7 of the last 10, against 75% of all.`,
			`Of late more Novel: 3 of the last 10, against 25% of all.`,
			`Of late more SF: 3 of the last 10, against 25% of all.`,
			`The last 10 have a mean rating of 3.6, all of them 3.5.`,
		}},
		{"user_history", `{"last":2}`, []string{
			`The user read 12 items before 2017-01-20T12:00:00Z; positions 11 to 12, oldest first.`,
			`11. 2017-01-09 "Star 10" (1960); SF, Novel; rated 5`,
			`12. 2017-01-11 "Star 11" (1960); SF, Novel; rated 5`,
		}},
		{"user_history", `{"start":2,"end":3}`, []string{
			`The user read 12 items before 2017-01-20T12:00:00Z; positions 2 to 3, oldest first.`,
			`2. 2016-12-22 "Classic 1" (1861); by Eliot; Classics; rated 3`,
			`3. 2016-12-24 "Classic 2" (1862); by Eliot; Classics; rated 3`,
		}},
		{"user_history", `{"summary":true}`, []string{
			`The user read 12 items before 2017-01-20T12:00:00Z; all of them in numbers.`,
			`Ratings: mean 3.5 over 12 ratings, 3 (25%) of them 4 or more.`,
			`By category: Classics (9 of 12, 75%), Novel (3 of 12, 25%), SF (3 of 12, 25%).`,
			`By creator: Eliot (9 of 12, 75%).`,
			`By year of the event: 2016 (6 of 12, 50%), 2017 (6 of 12, 50%).`,
			`Of late less Classics: 7 of the last 10, against 75% of all.`,
			`Of late more Novel: 3 of the last 10, against 25% of all.`,
			`Of late more SF: 3 of the last 10, against 25% of all.`,
			`The last 10 have a mean rating of 3.6, all of them 3.5.`,
		}},
		{"item_info", `{"item":"c02"}`, []string{
			`"Dune (1965)"; by Herbert; SF.`,
			`Users who read it before 2017-01-20T12:00:00Z: 6, of them 3 in the last 180 days.`,
			`Ratings: mean 3 over 5 ratings, 2 (40%) of them 4 or more.`,
			`On 2016-12-25 a user rated it 5 and wrote: "Review 5."`,
			`On 2016-12-24 a user rated it 4 and wrote: "Review 4."`,
			`On 2016-12-23 a user rated it 3 and wrote: "Review 3."`,
		}},
		{"item_info", `{"item":"c03"}`, []string{
			`"Nothing"; Poems.`,
			`Users who read it before 2017-01-20T12:00:00Z: 0, of them 0 in the last 180 days.`,
		}},
		{"candidate_stats", `{}`, []string{
			`Most users: c02 "Dune (1965)" (6 users), c01 "Middlemarch" (1 user).`,
			`Most new users in the last 180 days: c02 "Dune (1965)" (3 of its 6 users), c01 "Middlemarch" (1 of its 1 user).`,
			`Best rated, of those with 5 or more ratings: c02 "Dune (1965)" (mean 3 over 5).`,
			`Nearest to the user's categories: c01 "Middlemarch" (Classics: 9 of the user's 12 items), c02 "Dune (1965)" (SF: 3 of the user's 12 items).`,
			`Nearest in year to the user's latest items: c01 "Middlemarch" (1871), c03 "Nothing" (year unknown), c02 "Dune (1965)" (1965).`,
			`Without any user so far: c03.`,
		}},
		{"popularity", `{}`, []string{
			`Most users: c02 "Dune (1965)" (6 users), c01 "Middlemarch" (1 user).`,
			`Most new users in the last 180 days: c02 "Dune (1965)" (3 of its 6 users), c01 "Middlemarch" (1 of its 1 user).`,
		}},
		{"catalog_search", `{"query":"sf star dune"}`, []string{
			`4 items, by the number of words that match.`,
			`"Star 9" (1960); SF, Novel; 1 user read it.`,
			`"Star 10" (1960); SF, Novel; 1 user read it.`,
			`"Star 11" (1960); SF, Novel; 1 user read it.`,
			`c02 "Dune (1965)"; by Herbert; SF; 6 users read it.`,
		}},
	} {
		got := call[struct{ Evidence []string }](t, v, tc.name, tc.args).Evidence
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s %s: got\n\t%s\nwant\n\t%s", tc.name, tc.args, strings.Join(got, "\n\t"), strings.Join(tc.want, "\n\t"))
		}
	}
}

func TestNumbers(t *testing.T) {
	source, task := shelf()
	v := view(t, source, task)
	profile := call[catalog.ProfileResult](t, v, "user_profile", `{}`)
	if profile.Count != 12 || profile.First != "2016-12-20" || profile.Last != "2017-01-11" || profile.Ratings != (catalog.Ratings{Count: 12, Mean: 3.5, Liked: 3}) {
		t.Errorf("profile: %+v", profile)
	}
	if got := (catalog.Shift{Name: "Classics", Recent: 7, Count: 9}); profile.Recent.Shifts[0] != got || profile.Recent.Ratings.Mean != 3.6 {
		t.Errorf("recent: %+v", profile.Recent)
	}
	history := call[catalog.HistoryResult](t, v, "user_history", `{"start":12,"end":300}`)
	if want := []catalog.Event{{Position: 12, Item: "k11", Date: "2017-01-11", Rating: 5}}; !reflect.DeepEqual(history.Items, want) || history.From != 12 || history.To != 12 {
		t.Errorf("history: %+v", history)
	}
	stats := call[catalog.StatsResult](t, v, "candidate_stats", `{}`)
	if s := stats.Items[1]; s.Label != "c02" || s.Degree != 6 || s.Recent != 3 || s.Ratings != 5 || s.Mean != 3 || s.Year != 1965 || s.Item != "x" || *s.Category != (catalog.Match{Name: "SF", Count: 3}) {
		t.Errorf("stats: %+v", s)
	}
	var signals []string
	for _, e := range stats.Rankings {
		signals = append(signals, e.Signal)
		if len(e.Ranking) != 3 {
			t.Errorf("%s ranks %d candidates", e.Signal, len(e.Ranking))
		}
	}
	if want := []string{rank.Popularity, rank.PopularityRecent, rank.Category, rank.Year}; !slices.Equal(signals, want) {
		t.Errorf("signals: %v", signals)
	}
	info := call[catalog.ItemResult](t, v, "item_info", `{"item":"x"}`)
	if info.Label != "c02" || info.Text != "Sand." || info.Degree != 6 || len(info.Reviews) != 3 {
		t.Errorf("item: %+v", info)
	}
}

// Long histories are told in stretches of at most a hundred.
func TestLongHistory(t *testing.T) {
	var log []graph.Interaction
	for i := range 250 {
		log = append(log, graph.Interaction{User: "me", Item: fmt.Sprintf("i%03d", i), Time: int64(i + 1)})
	}
	v := view(t, taskstest.New(nil, nil, log, nil), tasks.Task{User: "me", AsOf: time.Unix(1000, 0)})
	for _, tc := range []struct {
		args     string
		from, to int
	}{
		{`{}`, 241, 250}, {`{"last":100}`, 151, 250}, {`{"start":20}`, 20, 119}, {`{"end":120}`, 21, 120}, {`{"start":240}`, 240, 250}, {`{"start":1,"end":100}`, 1, 100},
		{`{"summary":true}`, 1, 250}, {`{"summary":true,"start":5}`, 5, 250}, {`{"summary":true,"last":7}`, 244, 250},
	} {
		r := call[catalog.HistoryResult](t, v, "user_history", tc.args)
		if r.From != tc.from || r.To != tc.to || r.Count != 250 {
			t.Errorf("%s: got %d to %d of %d, want %d to %d", tc.args, r.From, r.To, r.Count, tc.from, tc.to)
		}
		if summary := strings.Contains(tc.args, "summary"); !summary && (len(r.Items) != tc.to-tc.from+1 || r.Items[0].Position != tc.from || r.Items[0].Item != fmt.Sprintf("i%03d", tc.from-1)) {
			t.Errorf("%s: got %d items from %+v", tc.args, len(r.Items), r.Items[0])
		}
	}
	set, _ := tools.Open(v, catalog.Tools(catalog.Config{})...)
	tool, _ := set.Find("user_history")
	if _, err := tool.Call(t.Context(), json.RawMessage(`{"start":1,"end":101}`)); err == nil {
		t.Error("a stretch of 101 events is listed")
	}
}
