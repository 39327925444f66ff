package datasets

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mars-rec/mars/graph"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tasks/datasets/formats"
)

func appendRows(t testing.TB, r rows, dir string) (Manifest, Appended) {
	t.Helper()
	m, a, err := Append(t.Context(), r.reader(), dir, dir, AppendConfig{Tool: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return m, a
}

func compact(t testing.TB, dir string) Manifest {
	t.Helper()
	m, done, err := Compact(t.Context(), dir, CompactConfig{})
	if err != nil || !done {
		t.Fatalf("compacted: %v, %v", done, err)
	}
	return m
}

// saved is the graph as it is saved, without a delta.
func saved(t testing.TB, d *Dataset) []byte {
	t.Helper()
	folded, err := d.Graph().Folded(graph.BuildConfig{})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "graph.bin")
	if err := folded.Save(path); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// said is all that a catalog says of some ids.
func said(t testing.TB, d *Dataset, users, items []string) string {
	t.Helper()
	ctx, c := t.Context(), d.Catalog()
	var b strings.Builder
	for _, id := range items {
		item, ok, err := c.Item(ctx, id)
		fmt.Fprintln(&b, "item", item, ok, err)
	}
	for _, id := range users {
		user, ok, err := c.User(ctx, id)
		fmt.Fprintln(&b, "user", user, ok, err)
	}
	for _, user := range append(users, "") {
		for _, item := range append(items, "") {
			if user+item == "" {
				continue
			}
			for _, q := range []tasks.ReviewQuery{{User: user, Item: item, Before: time.Unix(4, 0)}, {User: user, Item: item, Before: time.Unix(math.MaxInt32, 0), Limit: 2}} {
				reviews, err := c.Reviews(ctx, q)
				fmt.Fprintln(&b, "reviews", q, reviews, err)
			}
		}
	}
	for _, query := range []string{"alpha", "beta gamma", "alpha beta delta", "nothing"} {
		fmt.Fprint(&b, "search ", query)
		for item, err := range c.Search(ctx, query) {
			fmt.Fprint(&b, " ", item.ID, err)
		}
		fmt.Fprintln(&b)
	}
	a, err := d.Attributes(ctx)
	for _, id := range items {
		fmt.Fprintln(&b, "attributes", a.Categories(id), a.Year(id), err)
	}
	return b.String()
}

// sources draws a source in parts, each with a record of each item and user in
// it, and the source as a whole.
func sources(rt *rapid.T, users, items []string) (parts []rows, whole rows) {
	texts := []string{"", "alpha", "beta", "alpha gamma", "delta beta alpha"}
	event := rapid.Custom(func(rt *rapid.T) review {
		return review{graph.Interaction{
			User:   rapid.SampledFrom(users).Draw(rt, "user"),
			Item:   rapid.SampledFrom(items).Draw(rt, "item"),
			Time:   rapid.Int64Range(1, 6).Draw(rt, "time"),
			Rating: float32(rapid.IntRange(0, 3).Draw(rt, "rating")),
		}, rapid.SampledFrom([]string{"", "one", "two", "three"}).Draw(rt, "text")}
	})
	for range rapid.IntRange(2, 4).Draw(rt, "parts") {
		r := rows{
			events: rapid.SliceOfN(event, 1, 15).Draw(rt, "events"),
			drops:  rapid.SliceOfN(rapid.SampledFrom([]formats.Reason{formats.BadID, formats.BadTime}), 0, 2).Draw(rt, "drops"),
		}
		named := map[string]bool{}
		for _, e := range r.events {
			for _, id := range []string{e.User, e.Item} {
				if named[id] {
					continue
				}
				named[id] = true
				if id == e.User {
					r.users = append(r.users, tasks.User{ID: id, Name: "Name of " + id})
					continue
				}
				text := rapid.SampledFrom(texts).Draw(rt, "about")
				r.items = append(r.items, tasks.Item{ID: id, Title: "The " + id, Text: text, Categories: strings.Fields(text), Year: len(text)})
			}
		}
		if rapid.Bool().Draw(rt, "idle") {
			r.items = append(r.items, tasks.Item{ID: "idle" + fmt.Sprint(len(parts)), Title: "alpha"})
		}
		parts = append(parts, r)
		whole.items, whole.users = append(whole.items, r.items...), append(whole.users, r.users...)
		whole.events, whole.drops = append(whole.events, r.events...), append(whole.drops, r.drops...)
	}
	return parts, whole
}

// TestAppendedIsAsImported holds a data set that was appended to, before and
// after compaction, against one that was imported of all at once: the same
// graph, to the byte, the same catalog and the same counts.
func TestAppendedIsAsImported(t *testing.T) {
	t.Parallel() // it waits for the disk most of its time
	users, items := []string{"u1", "u2", "u3", "u4"}, []string{"a", "b", "c", "d", "e"}
	ids := append(slices.Clone(items), "idle0", "idle1", "idle2", "idle3")
	dir, n := t.TempDir(), 0
	rapid.Check(t, func(rt *rapid.T) {
		parts, whole := sources(rt, users, items)
		n++
		once, grown := filepath.Join(dir, fmt.Sprint("once", n)), filepath.Join(dir, fmt.Sprint("grown", n))
		want := importRows(t, whole, once, ImportConfig{Name: "set"})
		importRows(t, parts[0], grown, ImportConfig{Name: "set"})
		reference := open(t, once)
		graphWant, catalogWant := saved(t, reference), said(t, reference, users, ids)
		check := func(when string, m Manifest) {
			rt.Helper()
			d, err := Open(grown)
			if err != nil {
				rt.Fatal(err)
			}
			defer d.Close()
			if d.Manifest().Fingerprint() != m.Fingerprint() {
				rt.Errorf("%s: another manifest was opened", when)
			}
			if err := d.Verify(t.Context()); err != nil {
				rt.Errorf("%s: %v", when, err)
			}
			if !bytes.Equal(saved(t, d), graphWant) {
				rt.Errorf("%s: another graph", when)
			}
			if got := said(t, d, users, ids); got != catalogWant {
				rt.Errorf("%s: the catalog says\n%s\nnot\n%s", when, got, catalogWant)
			}
			if !reflect.DeepEqual(m.Counts, want.Counts) || m.First != want.First || m.Last != want.Last || m.Ratings != want.Ratings {
				rt.Errorf("%s: %+v, %v to %v, %+v\nwant %+v, %v to %v, %+v", when, m.Counts, m.First, m.Last, m.Ratings, want.Counts, want.First, want.Last, want.Ratings)
			}
		}
		var m Manifest
		for k, r := range parts[1:] {
			var a Appended
			m, a = appendRows(t, r, grown)
			sum := a.Counts.Interactions + a.Counts.Earlier
			for _, n := range a.Counts.Dropped {
				sum += n
			}
			if sum != a.Counts.Rows || a.Counts.Rows != len(r.events)+len(r.drops) {
				rt.Errorf("counts do not add up: %+v", a.Counts)
			}
			if k == 0 && m.Delta != nil && rapid.Bool().Draw(rt, "compacted between") {
				before := m.Fingerprint()
				if m = compact(t, grown); m.Fingerprint() != before {
					rt.Error("compaction changed the fingerprint")
				}
			}
		}
		if m.Counts.Rows != want.Counts.Rows {
			return // an append without news is not recorded, and its rows are not counted
		}
		check("appended", m)
		if m.Delta != nil {
			m = compact(t, grown)
			if m.Catalog.Content != want.Catalog.Content {
				rt.Error("compacted: another content of the catalog")
			}
			check("compacted", m)
		}
	})
}

// late is what comes after some: a new user, a new item, an event that is
// earlier than the one of its pair, one that is later, and one of an unknown item.
func late() rows {
	return rows{
		items: []tasks.Item{{ID: "n", Title: "New"}, {ID: "a", Title: "Another alpha"}},
		users: []tasks.User{{ID: "u3", Name: "Trix"}, {ID: "u2", Name: "Named late"}},
		events: []review{
			{graph.Interaction{User: "u3", Item: "n", Time: 400, Rating: 9}, "new"},
			{graph.Interaction{User: "u1", Item: "b", Time: 199}, "even earlier"},
			{graph.Interaction{User: "u1", Item: "a", Time: 500}, "again"},
			{graph.Interaction{User: "u3", Item: "z", Time: 410}, ""},
			{graph.Interaction{User: "u3", Item: "unheard of", Time: 420}, ""},
		},
		drops: []formats.Reason{formats.BadTime},
	}
}

// TestAppendTakesItemsThatNobodyDescribes: a log without a word on items is taken
// as an import takes it, and it is told that of the new ones only ids are known.
func TestAppendTakesItemsThatNobodyDescribes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "set")
	importRows(t, some(), dir, ImportConfig{})
	m, a := appendRows(t, rows{events: []review{
		{graph.Interaction{User: "u3", Item: "n", Time: 400, Rating: 9}, ""},
		{graph.Interaction{User: "u3", Item: "a", Time: 401}, ""},
	}}, dir)
	if a.Counts.Interactions != 2 || a.Counts.Items != 1 || a.Counts.Dropped[UnknownItem] != 0 {
		t.Errorf("counts %+v", a.Counts)
	}
	const want = "1 new items are known by their ids only: the source does not describe items"
	if !slices.Contains(m.Appends[0].Notes, want) {
		t.Errorf("notes %q, want %q", m.Appends[0].Notes, want)
	}
	if _, ok, err := open(t, dir).Catalog().Item(t.Context(), "n"); !ok || err != nil {
		t.Errorf("the new item: %v, %v", ok, err)
	}
}

// TestAppendTells holds what the manifest records of an append.
func TestAppendTells(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "set")
	before := importRows(t, some(), dir, ImportConfig{})
	m, a := appendRows(t, late(), dir)
	want := AppendedCounts{Rows: 6, Interactions: 2, Earlier: 1, Users: 1, Items: 1, KnownItems: 1, KnownUsers: 1, Reviews: 2,
		Dropped: map[formats.Reason]int{formats.BadTime: 1, formats.BadID: 0, formats.BadRating: 0, UnknownItem: 1, DuplicatePair: 1}}
	if !reflect.DeepEqual(a.Counts, want) {
		t.Errorf("counts %+v, want %+v", a.Counts, want)
	}
	if a.First.Unix() != 199 || a.Last.Unix() != 410 || a.Before != before.Fingerprint() || len(a.Source) != 2 || a.Tool != "test" || a.Recipe.Format != "rows" {
		t.Errorf("appended %+v", a)
	}
	if m.Fingerprint() == before.Fingerprint() || m.Counts.Reviews != 3 || m.Ratings.Max != 9 {
		t.Errorf("manifest %+v", m)
	}
	d := open(t, dir)
	for query, want := range map[tasks.ReviewQuery]string{
		{User: "u1", Item: "b", Before: time.Unix(999, 0)}: "even earlier",
		{User: "u3", Item: "n", Before: time.Unix(999, 0)}: "new",
		{User: "u1", Item: "a", Before: time.Unix(999, 0)}: "fine",
	} {
		if got, err := d.Catalog().Reviews(t.Context(), query); err != nil || len(got) != 1 || got[0].Text != want {
			t.Errorf("reviews of %+v: %v, %v, want %q", query, got, err, want)
		}
	}
	if item, _, err := d.Catalog().Item(t.Context(), "a"); err != nil || item.Title != "Alpha" {
		t.Errorf("what was said of an item changed: %+v, %v", item, err)
	}
	if user, _, err := d.Catalog().User(t.Context(), "u2"); err != nil || user.Name != "" {
		t.Errorf("what was said of a user changed: %+v, %v", user, err)
	}
}

// TestAppendTwice changes nothing the second time.
func TestAppendTwice(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "set")
	importRows(t, some(), dir, ImportConfig{})
	first, _ := appendRows(t, late(), dir)
	files := readDir(t, dir)
	second, a := appendRows(t, late(), dir)
	if !a.Counts.nothing() || a.Counts.Dropped[DuplicatePair] != 4 || second.Fingerprint() != first.Fingerprint() {
		t.Errorf("the second time %+v", a.Counts)
	}
	if !maps.EqualFunc(files, readDir(t, dir), bytes.Equal) {
		t.Error("the second time the files changed")
	}
	if _, done, err := Compact(t.Context(), dir, CompactConfig{}); err != nil || !done {
		t.Errorf("compacted: %v, %v", done, err)
	}
	files = readDir(t, dir)
	if _, done, err := Compact(t.Context(), dir, CompactConfig{}); err != nil || done {
		t.Errorf("compacted twice: %v, %v", done, err)
	}
	if !maps.EqualFunc(files, readDir(t, dir), bytes.Equal) || len(files) != 3 {
		t.Errorf("%d files after the second compaction", len(files))
	}
}

// TestAppendLeavesNothingBehind: whatever fails, the data set is as it was.
func TestAppendLeavesNothingBehind(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "set")
	importRows(t, some(), dir, ImportConfig{})
	files := readDir(t, dir)
	broken := &formats.Error{File: "x", Line: 7, Want: "a row", Got: "half of one"}
	unusable, far, torn := late(), late(), late()
	unusable.events = unusable.events[4:]
	far.events = []review{{graph.Interaction{User: "u1", Item: "n", Time: math.MaxUint32 + 1}, ""}}
	torn.then = func(context.Context) error { return broken }
	for name, c := range map[string]struct {
		rows rows
		want string
	}{
		"broken source":    {torn, broken.Error()},
		"nothing usable":   {unusable, "none of the 2 rows can be used"},
		"out of its reach": {far, "out of the graph's reach"},
	} {
		_, _, err := Append(t.Context(), c.rows.reader(), dir, dir, AppendConfig{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if !maps.EqualFunc(files, readDir(t, dir), bytes.Equal) {
			t.Errorf("%s: the files changed", name)
		}
	}
	for _, stage := range []string{StageRead, StageGraph, StageCatalog, StageSync} {
		ctx, cancel := context.WithCancel(t.Context())
		_, _, err := Append(ctx, late().reader(), dir, dir, AppendConfig{Progress: func(s string, _, _ int64) {
			if s == stage {
				cancel()
			}
		}})
		cancel()
		if !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled in %s: %v", stage, err)
		}
		if !maps.EqualFunc(files, readDir(t, dir), bytes.Equal) {
			t.Errorf("cancelled in %s: the files changed", stage)
		}
	}
}

// TestSecondWriterIsRefused, be it an append, a compaction or an import.
func TestSecondWriterIsRefused(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "set")
	importRows(t, some(), dir, ImportConfig{})
	r := late()
	r.then = func(ctx context.Context) error {
		if _, _, err := Append(ctx, late().reader(), dir, dir, AppendConfig{}); !errors.Is(err, ErrBusy) {
			t.Errorf("a second append: %v", err)
		}
		if _, _, err := Compact(ctx, dir, CompactConfig{}); !errors.Is(err, ErrBusy) {
			t.Errorf("a compaction during an append: %v", err)
		}
		if _, err := Import(ctx, some().reader(), dir, dir, ImportConfig{Replace: true}); err == nil || !strings.Contains(err.Error(), "is writing it") {
			t.Errorf("an import during an append: %v", err)
		}
		return nil
	}
	if _, a := appendRows(t, r, dir); a.Counts.Interactions != 2 {
		t.Errorf("appended %+v", a)
	}
}

// TestHolds tells what an append invalidates, and what not.
func TestHolds(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "set")
	at := func(user, item string, seconds int64) rows {
		return rows{events: []review{{graph.Interaction{User: user, Item: item, Time: seconds}, ""}}}
	}
	prints := []string{importRows(t, at("u1", "a", 100), dir, ImportConfig{}).Fingerprint()}
	for _, r := range []rows{at("u2", "a", 300), at("u2", "b", 200), at("u3", "b", 400)} {
		m, _ := appendRows(t, r, dir)
		prints = append(prints, m.Fingerprint())
	}
	for _, compacted := range []bool{false, true} {
		if compacted {
			compact(t, dir)
		}
		d := open(t, dir)
		for _, c := range []struct {
			made  string
			asOf  int64
			fract int64
			want  error
		}{
			{prints[0], 200, 0, nil}, {prints[0], 200, 5, nil}, {prints[0], 201, 0, ErrAppended},
			{prints[1], 200, 0, nil}, {prints[1], 300, 0, ErrAppended},
			{prints[2], 400, 0, nil}, {prints[2], 401, 0, ErrAppended},
			{prints[3], 9999, 0, nil}, {"another", 1, 0, ErrOtherData}, {"", 9999, 0, nil},
		} {
			task := tasks.Task{ID: "t", Dataset: "set", User: "u1", AsOf: time.Unix(c.asOf, c.fract), Candidates: []string{"a", "b"}}
			if err := d.CheckTask(t.Context(), task, c.made); !errors.Is(err, c.want) {
				t.Errorf("made of %.6s, as of %d, compacted %v: %v, want %v", c.made, c.asOf, compacted, err, c.want)
			}
		}
	}
}
