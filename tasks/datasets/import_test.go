package datasets

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mars-rec/mars/graph"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tasks/datasets/formats"
)

// rows is a source in memory: a reader that needs no files.
type rows struct {
	items  []tasks.Item
	users  []tasks.User
	events []review
	drops  []formats.Reason
	wider  bool
	then   func(context.Context) error // runs after the first event
}

type review struct {
	graph.Interaction
	text string
}

func (r rows) reader() formats.Reader {
	return formats.Reader{Name: "rows", Wider: r.wider, Read: func(ctx context.Context, _ string, opts formats.Options, sink formats.Sink) error {
		for _, item := range r.items {
			if err := sink.Item(item); err != nil {
				return err
			}
		}
		for _, user := range r.users {
			if err := sink.User(user); err != nil {
				return err
			}
		}
		sink.File(formats.File{Name: "about", Rows: len(r.items) + len(r.users)})
		for k, e := range r.events {
			if err := sink.Interaction(e.Interaction, e.text); err != nil {
				return err
			}
			if k == 0 && r.then != nil {
				if err := r.then(ctx); err != nil {
					return err
				}
			}
		}
		dropped := map[formats.Reason]int{}
		for _, reason := range r.drops {
			dropped[reason]++
		}
		if opts.Progress != nil {
			opts.Progress(1, 1)
		}
		sink.File(formats.File{Name: "events", Rows: len(r.events) + len(r.drops), Dropped: dropped})
		return nil
	}}
}

// some is a small source: u1 takes a, then b twice; u2 takes a.
func some() rows {
	return rows{
		items: []tasks.Item{{ID: "b", Title: "Beta"}, {ID: "a", Title: "Alpha", Categories: []string{"First"}}, {ID: "z", Title: "Idle"}},
		users: []tasks.User{{ID: "u1", Name: "Una"}},
		events: []review{
			{graph.Interaction{User: "u1", Item: "a", Time: 100, Rating: 4}, "fine"},
			{graph.Interaction{User: "u1", Item: "b", Time: 300, Rating: 2}, "came later"},
			{graph.Interaction{User: "u1", Item: "b", Time: 200, Rating: 5}, "came first"},
			{graph.Interaction{User: "u2", Item: "a", Time: 150}, ""},
		},
	}
}

func importRows(t testing.TB, r rows, out string, cfg ImportConfig) Manifest {
	t.Helper()
	m, err := Import(t.Context(), r.reader(), filepath.Dir(out), out, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func open(t testing.TB, dir string) *Dataset {
	t.Helper()
	d, err := Open(dir)
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

// TestImportKeepsTheEarliest holds an import against a plain count: of random
// rows the earliest event of each pair stays, with its review, and the counts
// add up.
func TestImportKeepsTheEarliest(t *testing.T) {
	dir, n := t.TempDir(), 0
	rapid.Check(t, func(rt *rapid.T) {
		event := rapid.Custom(func(rt *rapid.T) review {
			return review{graph.Interaction{
				User:   rapid.SampledFrom([]string{"u1", "u2", "u3"}).Draw(rt, "user"),
				Item:   rapid.SampledFrom([]string{"a", "b", "c", "unknown"}).Draw(rt, "item"),
				Time:   rapid.Int64Range(1, 5).Draw(rt, "time"),
				Rating: float32(rapid.IntRange(0, 5).Draw(rt, "rating")),
			}, rapid.SampledFrom([]string{"", "first text", "second text", "third text"}).Draw(rt, "text")}
		})
		r := rows{
			items:  []tasks.Item{{ID: "c"}, {ID: "a"}, {ID: "b"}},
			events: rapid.SliceOfN(event, 1, 30).Draw(rt, "events"),
			drops:  rapid.SliceOfN(rapid.SampledFrom([]formats.Reason{formats.BadID, formats.BadTime, formats.BadRating}), 0, 5).Draw(rt, "drops"),
		}
		r.events = append(r.events, review{graph.Interaction{User: "u9", Item: "a", Time: 9}, ""}) // so that one stays

		want := map[[2]string]review{}
		unknown := 0
		for _, e := range r.events {
			pair := [2]string{e.User, e.Item}
			first, ok := want[pair]
			switch {
			case e.Item == "unknown":
				unknown++
			case !ok, e.Time < first.Time, e.Time == first.Time && e.Rating > first.Rating:
				want[pair] = e
			}
		}
		n++
		out := filepath.Join(dir, fmt.Sprint(n))
		m := importRows(t, r, out, ImportConfig{})
		if m.Counts.Interactions != len(want) || m.Counts.Dropped[UnknownItem] != unknown ||
			m.Counts.Dropped[DuplicatePair] != len(r.events)-unknown-len(want) {
			rt.Errorf("counts %+v, want %d kept, %d unknown", m.Counts, len(want), unknown)
		}
		dropped := 0
		for _, k := range m.Counts.Dropped {
			dropped += k
		}
		if m.Counts.Rows != len(r.events)+len(r.drops) || m.Counts.Rows != m.Counts.Interactions+dropped {
			rt.Errorf("%d rows, %d kept, %d dropped do not add up", m.Counts.Rows, m.Counts.Interactions, dropped)
		}
		d, err := Open(out)
		if err != nil {
			rt.Fatal(err)
		}
		defer d.Close()
		if d.Graph().Interactions() != len(want) {
			rt.Errorf("the graph has %d interactions, want %d", d.Graph().Interactions(), len(want))
		}
		cut := d.Graph().At(time.Unix(1000, 0))
		for pair, e := range want {
			u, _ := cut.User(pair[0])
			k := slices.IndexFunc(cut.History(u), func(h graph.Event) bool { return cut.ItemID(h.Item) == pair[1] })
			if k < 0 || cut.History(u)[k].Time.Unix() != e.Time || cut.History(u)[k].Rating != e.Rating {
				rt.Errorf("%v: not in the graph as %+v", pair, e)
			}
			reviews, err := d.Catalog().Reviews(t.Context(), tasks.ReviewQuery{User: pair[0], Item: pair[1], Before: time.Unix(1000, 0)})
			if err != nil {
				rt.Fatal(err)
			}
			if e.text == "" && len(reviews) > 0 || e.text != "" && (len(reviews) != 1 || reviews[0].Text != e.text || reviews[0].Time.Unix() != e.Time) {
				rt.Errorf("%v: reviews %+v, want %q", pair, reviews, e.text)
			}
		}
	})
}

func TestImportCounts(t *testing.T) {
	r := some()
	r.drops = []formats.Reason{formats.BadTime, formats.BadTime, formats.BadID}
	out := filepath.Join(t.TempDir(), "small")
	m := importRows(t, r, out, ImportConfig{Tool: "v1"})
	want := Counts{
		Rows: 7, Interactions: 3, Users: 2, UserRecords: 1, Items: 3, ItemRecords: 3, IdleItems: 1, Reviews: 2,
		Dropped: map[formats.Reason]int{formats.BadTime: 2, formats.BadID: 1, formats.BadRating: 0, UnknownItem: 0, DuplicatePair: 1},
	}
	if got := m.Counts; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("counts %+v\nwant   %+v", got, want)
	}
	if m.Name != "small" || m.Tool != "v1" || m.First.Unix() != 100 || m.Last.Unix() != 200 {
		t.Errorf("manifest %+v", m)
	}
	if m.Ratings != (Ratings{Share: 2.0 / 3, Min: 4, Max: 5}) {
		t.Errorf("ratings %+v", m.Ratings)
	}
	if want := []string{"1 of 2 users have a user record; the others are known by their interactions only"}; !slices.Equal(m.Notes, want) {
		t.Errorf("notes %q", m.Notes)
	}
	if got := open(t, out).Manifest(); fmt.Sprint(got) != fmt.Sprint(m) {
		t.Errorf("read back %+v\nwant %+v", got, m)
	}
}

// TestImportOfAWiderItemFile leaves out what nobody took.
func TestImportOfAWiderItemFile(t *testing.T) {
	r := some()
	r.wider = true
	out := filepath.Join(t.TempDir(), "shop")
	m := importRows(t, r, out, ImportConfig{})
	if m.Counts.Items != 2 || m.Counts.LeftOut != 1 || m.Counts.IdleItems != 0 {
		t.Errorf("counts %+v", m.Counts)
	}
	if _, ok, err := open(t, out).Catalog().Item(t.Context(), "z"); ok || err != nil {
		t.Errorf("the item that nobody took: %v, %v", ok, err)
	}
}

// TestImportWithoutItems has all items of the graph in the catalog.
func TestImportWithoutItems(t *testing.T) {
	r := some()
	r.items, r.users = nil, nil
	out := filepath.Join(t.TempDir(), "plain")
	m := importRows(t, r, out, ImportConfig{})
	if m.Counts.Items != 2 || m.Counts.ItemRecords != 0 || m.Counts.Interactions != 3 {
		t.Errorf("counts %+v", m.Counts)
	}
	if _, ok, err := open(t, out).Catalog().Item(t.Context(), "a"); !ok || err != nil {
		t.Errorf("item a: %v, %v", ok, err)
	}
}

func TestImportIsDeterministic(t *testing.T) {
	var made [2]map[string][]byte
	for k := range made {
		out := filepath.Join(t.TempDir(), "same")
		importRows(t, some(), out, ImportConfig{})
		made[k] = readDir(t, out)
	}
	names := slices.Sorted(maps.Keys(made[0]))
	if want := []string{"catalog.db", "graph.bin", "manifest.json"}; !slices.Equal(names, want) {
		t.Fatalf("files %q, want %q", names, want)
	}
	for _, name := range names {
		if !bytes.Equal(made[0][name], made[1][name]) {
			t.Errorf("%s differs between two imports", name)
		}
	}
}

func readDir(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, e := range entries {
		if files[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

func TestImportOfNothing(t *testing.T) {
	parent := t.TempDir()
	for want, r := range map[string]rows{
		"no interactions": {},
		"none of the 2 rows can be used (bad time: 1, unknown item: 1)": {
			items:  []tasks.Item{{ID: "a"}},
			events: []review{{graph.Interaction{User: "u", Item: "b", Time: 1}, ""}}, drops: []formats.Reason{formats.BadTime}},
	} {
		_, err := Import(t.Context(), r.reader(), parent, filepath.Join(parent, "x"), ImportConfig{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// TestImportHoldsNoTexts reads 26 MB of reviews and descriptions and looks at
// what of them is in memory when all is read.
func TestImportHoldsNoTexts(t *testing.T) {
	const texts, size = 400, 32 << 10
	r := formats.Reader{Name: "texts", Read: func(_ context.Context, _ string, _ formats.Options, sink formats.Sink) error {
		before := heap()
		for k := range texts {
			if err := sink.Item(tasks.Item{ID: fmt.Sprint("i", k), Text: strings.Repeat("a description ", size/14)}); err != nil {
				return err
			}
		}
		for k := range texts {
			in := graph.Interaction{User: "u", Item: fmt.Sprint("i", k), Time: 1}
			if err := sink.Interaction(in, strings.Repeat("a review ", size/9)); err != nil {
				return err
			}
		}
		if grown := heap() - before; grown > 4<<20 {
			t.Errorf("after %d bytes of texts the heap has grown by %d bytes", 2*texts*size, grown)
		}
		return nil
	}}
	out := filepath.Join(t.TempDir(), "x")
	if _, err := Import(t.Context(), r, filepath.Dir(out), out, ImportConfig{}); err != nil {
		t.Fatal(err)
	}
}

// heap returns the bytes in use, after a collection.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestNamesOfDatasets(t *testing.T) {
	parent := t.TempDir()
	for _, name := range []string{"a\nb", "\xff", strings.Repeat("x", 201), "/"} {
		if _, err := Import(t.Context(), some().reader(), parent, filepath.Join(parent, "x"), ImportConfig{Name: name}); err == nil {
			t.Errorf("name %q was taken", name)
		}
	}
}
