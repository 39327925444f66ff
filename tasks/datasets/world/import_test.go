package world

import (
	"math"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/mars-rec/mars/graph/rank"
	"github.com/mars-rec/mars/tasks/datasets"
	"github.com/mars-rec/mars/tasks/datasets/formats"
	"github.com/mars-rec/mars/tasks/gold"
)

// imported writes a world and imports it.
func imported(t *testing.T, c Config) *datasets.Dataset {
	dir := t.TempDir()
	source, out := filepath.Join(dir, "source"), filepath.Join(dir, "world")
	summary, err := Write(source, c)
	if err != nil {
		t.Fatal(err)
	}
	reader, why, err := formats.Detect(source)
	if err != nil || reader.Name != "agentsociety" {
		t.Fatalf("detected as %q (%s), %v", reader.Name, why, err)
	}
	m, err := datasets.Import(t.Context(), reader, source, out, datasets.ImportConfig{})
	if err != nil {
		t.Fatal(err)
	}
	if m.Counts.Interactions != summary.Interactions || m.Counts.Rows != summary.Interactions ||
		m.Counts.Users != summary.Users || m.Counts.ItemRecords != summary.Items {
		t.Errorf("imported %+v of %+v: something was dropped", m.Counts, summary)
	}
	d, err := datasets.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func TestTheWorldOfTheDemo(t *testing.T) {
	d := imported(t, Config{Seed: 42})
	m, g := d.Manifest(), d.Graph()
	t.Logf("%+v, %s to %s", m.Counts, m.First.Format(time.DateOnly), m.Last.Format(time.DateOnly))
	if n := m.Counts.Interactions; n < 17_000 || n > 23_000 {
		t.Errorf("%d interactions, want about 20,000", n)
	}
	item, ok, err := d.Catalog().Item(t.Context(), "b0001")
	if err != nil || !ok || item.Title == "" || len(item.Creators) != 1 || len(item.Categories) == 0 || item.Year < 1985 || item.Text == "" {
		t.Errorf("item %+v, %v, %v", item, ok, err)
	}
	if m.Counts.Reviews < m.Counts.Interactions/4 {
		t.Errorf("%d reviews of %d interactions", m.Counts.Reviews, m.Counts.Interactions)
	}

	end := g.At(g.End())
	late, ties := 0, 0
	for u := range end.AllUsers() {
		events := end.History(u)
		if len(events) <= 5 {
			late++
		}
		for n := 1; n < len(events); n++ {
			if events[n].Time.Equal(events[n-1].Time) {
				ties++
			}
		}
	}
	if late < 10 || late > 60 {
		t.Errorf("%d users with at most 5 interactions of 600", late)
	}
	if ties < 5 || ties > 200 {
		t.Errorf("%d pairs of interactions in one second", ties)
	}
	popular := end.Popular(0)
	head := 0
	for _, i := range popular[:len(popular)/10] {
		head += end.ItemDegree(i)
	}
	if share := float64(head) / float64(g.Interactions()); share < 0.2 || share > 0.7 {
		t.Errorf("a tenth of the items has %.2f of the interactions", share)
	}
}

// TestTheWorldCanBeLearnt demands what the package promises: co-reading says
// more than chance and popularity, and the recent history more than the whole.
func TestTheWorldCanBeLearnt(t *testing.T) {
	g := imported(t, Config{Seed: 42}).Graph()
	for _, negatives := range []gold.Negatives{gold.Uniform, gold.Popular} {
		scenarios, err := gold.ParseScenarios("all", gold.Available)
		if err != nil {
			t.Fatal(err)
		}
		set, err := gold.LeaveLastOut("world", g, gold.Config{Scenarios: scenarios, Negatives: negatives, Seed: 42})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %+v", negatives, set.Counts)
		if set.Counts.Tasks[gold.ColdStartUser] == 0 || set.Counts.Tasks[gold.ColdStartItem] == 0 {
			t.Errorf("no cold starts: %v", set.Counts.Tasks)
		}
		rate := make(map[string]float64) // mean of hit rates at 1, 3, 5 on classic tasks
		classic := 0
		for _, c := range set.Cases {
			if c.Task.Scenario != string(gold.Classic) {
				continue
			}
			classic++
			q := rank.Request{ID: c.Task.ID, User: c.Task.User, Items: c.Task.Candidates, Cut: g.At(c.Task.AsOf)}
			for _, r := range rank.Controls() {
				at := slices.Index(rank.Order(q.Items, r.Score(q)), c.Gold.Items[0])
				for _, k := range []int{1, 3, 5} {
					if at < k {
						rate[r.Name()] += 1.0 / 3
					}
				}
			}
		}
		for name := range rate {
			rate[name] = math.Round(1000*rate[name]/float64(classic)) / 1000
		}
		t.Logf("%s, mean HR@1,3,5 on %d classic tasks: %v", negatives, classic, rate)
		chance, popular := rate[rank.Random().Name()], rate[rank.MostPopular().Name()]
		all, recent := rate[rank.ItemCFAll().Name()], rate[rank.ItemCFLastTen().Name()]
		if chance > 0.2 || all < popular+0.1 || all < chance+0.12 || recent < all {
			t.Errorf("%s: chance %.3f, popular %.3f, Item-CF %.3f, recent %.3f", negatives, chance, popular, all, recent)
		}
	}
}
