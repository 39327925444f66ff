package stored_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mars-rec/mars/graph"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tasks/taskstest"
	"github.com/mars-rec/mars/tools"
	"github.com/mars-rec/mars/tools/catalog"
	"github.com/mars-rec/mars/tools/cf"
	"github.com/mars-rec/mars/tools/stored"
	"github.com/mars-rec/mars/tools/toolstest"
	"github.com/mars-rec/mars/tools/translate"
)

func all() []tools.Named {
	return slices.Concat(cf.Tools(cf.Config{}), catalog.Tools(catalog.Config{}))
}

// counted returns the tools with a count of the calls that reach them.
func counted(n *atomic.Int64) []tools.Named {
	named := all()
	for i := range named {
		factory := named[i].Factory
		named[i].Factory = func(v tasks.View) (tools.Tool, error) {
			t, err := factory(v)
			return counting{t.(canonical), n}, err
		}
	}
	return named
}

type canonical interface {
	tools.Tool
	tools.Canonical
}

type counting struct {
	canonical
	n *atomic.Int64
}

func (c counting) Call(ctx context.Context, args json.RawMessage) (json.RawMessage, error) {
	c.n.Add(1)
	return c.canonical.Call(ctx, args)
}

type world struct {
	source *taskstest.Source
	task   tasks.Task
	id     stored.Identity
	groups []stored.Group
	path   string
}

// library is the world of taskstest with all of its evidence stored as of the
// task's moment, and that of the task.
func library(t testing.TB) world {
	t.Helper()
	source, task := taskstest.Library()
	digest, err := stored.Digest(all())
	if err != nil {
		t.Fatal(err)
	}
	w := world{source: source, task: task, id: stored.Identity{Snapshot: "library", AsOf: task.AsOf, Tools: digest}}
	cut := source.Graph().At(task.AsOf)
	ofTasks, err := stored.Tasks([]tasks.Task{task}, task.AsOf)
	if err != nil {
		t.Fatal(err)
	}
	w.groups = []stored.Group{stored.Items("library", cut), stored.Users("library", cut), ofTasks}
	dir := t.TempDir()
	if _, err := stored.Precompute(t.Context(), dir, w.id, all(), source, stored.Config{}, w.groups...); err != nil {
		t.Fatal(err)
	}
	w.path = filepath.Join(dir, stored.Name(task.AsOf))
	return w
}

func (w world) open(t testing.TB) *stored.Store {
	t.Helper()
	s, err := stored.Open(t.Context(), w.path, w.id, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// call returns what a call comes to as text: the value, or why it is refused.
func call(t testing.TB, source tasks.Source, named []tools.Named, task tasks.Task, c stored.Call) string {
	t.Helper()
	view, err := source.View(task)
	if err != nil {
		t.Fatal(err)
	}
	set, err := tools.Open(view, named...)
	if err != nil {
		t.Fatal(err)
	}
	tool, _ := set.Find(c.Tool)
	value, err := tool.Call(context.Background(), c.Args)
	if bad := (*tools.InputError)(nil); errors.As(err, &bad) {
		return "refused: " + bad.Reason
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(value)
}

// Every stored result has the bytes that the tool gives at that moment, and no
// tool is asked for it.
func TestStoredIsLive(t *testing.T) {
	w := library(t)
	var asked atomic.Int64
	wrapped := stored.Wrap(counted(&asked), w.open(t), w.source)
	n := 0
	for _, g := range w.groups {
		in := 0
		for b := range g.Batches {
			for _, c := range b.Calls {
				in++
				live := call(t, w.source, all(), b.Task, c)
				before := asked.Load()
				if got := call(t, w.source, wrapped, b.Task, c); got != live {
					t.Errorf("%s %s for %s: stored\n%s\nlive\n%s", c.Tool, c.Args, b.Task.ID, got, live)
				}
				if asked.Load() != before {
					t.Errorf("%s %s for %s is not answered from the store", c.Tool, c.Args, b.Task.ID)
				}
			}
		}
		if in != g.Count || in == 0 {
			t.Errorf("group %s has %d calls, said to be %d", g.Name, in, g.Count)
		}
		n += in
	}
	h := w.open(t).Header()
	sum := 0
	for _, k := range h.Calls {
		sum += k
	}
	if sum != n || h.Raw == 0 || h.Content == "" || !h.AsOf.Equal(w.task.AsOf) {
		t.Errorf("header %+v of %d calls", h, n)
	}
}

// Whoever asks, with whatever candidates, at the moment or later: the answer is
// that of the tool as of the moment.
func TestAnyTaskGetsTheLiveBytes(t *testing.T) {
	w := library(t)
	var asked atomic.Int64
	wrapped := stored.Wrap(counted(&asked), w.open(t), w.source)
	cut := w.source.Graph().At(w.source.Graph().End())
	var items, users []string
	for i := range cut.AllItems() {
		items = append(items, cut.ItemID(i))
	}
	for u := range cut.AllUsers() {
		users = append(users, cut.UserID(u))
	}
	users = append(users, "", "nobody")
	args := []stored.Call{
		{"user_cf", json.RawMessage(`{}`)}, {"user_cf", json.RawMessage(`{"k":"20","neighbours":50}`)}, {"user_cf", json.RawMessage(`{"among":"candidates"}`)},
		{"user_profile", json.RawMessage(`{}`)}, {"user_history", json.RawMessage(`{}`)}, {"user_history", json.RawMessage(`{"summary":true}`)},
		{"user_history", json.RawMessage(`{"last":3}`)}, {"item_cf", json.RawMessage(`{"window":"last:10"}`)}, {"candidate_stats", nil}, {"catalog_search", json.RawMessage(`{"query":"travel"}`)},
	}
	calls, fromStore := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		task := tasks.Task{ID: "t", Dataset: "library", User: rapid.SampledFrom(users).Draw(rt, "user"), AsOf: w.task.AsOf}
		task.AsOf = task.AsOf.Add(time.Duration(rapid.IntRange(0, 3).Draw(rt, "days")) * 24 * time.Hour)
		order := rapid.Permutation(items).Draw(rt, "candidates")
		task.Candidates = order[:rapid.IntRange(0, 6).Draw(rt, "n")]
		c := rapid.SampledFrom(args).Draw(rt, "call")
		if rapid.Bool().Draw(rt, "item") {
			item := rapid.SampledFrom(append([]string{"c01", "c02", "none"}, items...)).Draw(rt, "which")
			c = stored.Call{Tool: "item_cf", Args: json.RawMessage(`{"item":"` + item + `","measure":"cosine"}`)}
		}
		frozen := task
		frozen.AsOf = w.task.AsOf
		live := call(t, w.source, all(), frozen, c)
		before := asked.Load()
		if got := call(t, w.source, wrapped, task, c); got != live {
			rt.Errorf("%s %s for %+v: got\n%s\nlive\n%s", c.Tool, c.Args, task, got, live)
		}
		calls++
		if asked.Load() == before {
			fromStore++
		}
	})
	if fromStore == 0 || fromStore == calls {
		t.Errorf("%d of %d calls are answered from the store", fromStore, calls)
	}
}

func TestEarlierTasksAreRefused(t *testing.T) {
	w := library(t)
	early := w.task
	early.AsOf = early.AsOf.Add(-time.Second)
	view, err := w.source.View(early)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tools.Open(view, stored.Wrap(all(), w.open(t), w.source)...); !errors.Is(err, stored.ErrLater) {
		t.Errorf("got %v", err)
	}
	if _, err := stored.Tasks([]tasks.Task{early}, w.task.AsOf); !errors.Is(err, stored.ErrLater) {
		t.Errorf("got %v", err)
	}
}

// With a store before them tools keep their contract, and see no future: not
// that of the task, nor that between the store's moment and the task's.
func TestContract(t *testing.T) {
	w := library(t)
	view, err := w.source.View(w.task)
	if err != nil {
		t.Fatal(err)
	}
	later := w.task
	later.AsOf = later.AsOf.AddDate(1, 0, 0)
	one, err := w.source.View(later)
	if err != nil {
		t.Fatal(err)
	}
	future := w.source.OtherFuture(w.task.AsOf)
	other, err := future.View(later)
	if err != nil {
		t.Fatal(err)
	}
	calls := []string{`{}`, `{"item":"b01"}`, `{"item":"c01"}`, `{"query":"travel"}`, `{"window":"last:10"}`, `{"among":"candidates"}`, `{"summary":true}`}
	here, there := stored.Wrap(all(), w.open(t), w.source), stored.Wrap(all(), w.open(t), future)
	for i, named := range here {
		if err := toolstest.Check(t.Context(), named.Factory, view, calls...); err != nil {
			t.Errorf("%s: %v", named.Name, err)
		}
		both := func(v tasks.View) (tools.Tool, error) {
			if v.Cut() == other.Cut() {
				return there[i].Factory(v)
			}
			return named.Factory(v)
		}
		if err := toolstest.Leaks(t.Context(), both, one, other, calls...); err != nil {
			t.Error(err)
		}
	}
}

// The same calls make the same bytes, and nothing else is left in the folder.
func TestPrecomputeIsReproducible(t *testing.T) {
	w := library(t)
	dir := t.TempDir()
	left := filepath.Join(dir, stored.Name(w.task.AsOf)+".123.partial")
	if err := os.WriteFile(left, []byte("a killed run"), 0o600); err != nil {
		t.Fatal(err)
	}
	said := 0
	if _, err := stored.Precompute(t.Context(), dir, w.id, all(), w.source, stored.Config{Workers: 1, Progress: func(n int) { said += n }}, w.groups...); err != nil {
		t.Fatal(err)
	}
	one, err := os.ReadFile(w.path)
	if err != nil {
		t.Fatal(err)
	}
	two, err := os.ReadFile(filepath.Join(dir, stored.Name(w.task.AsOf)))
	if err != nil || !bytes.Equal(one, two) {
		t.Errorf("the files differ, or %v", err)
	}
	if want := w.groups[0].Count + w.groups[1].Count + w.groups[2].Count; said != want {
		t.Errorf("progress tells of %d calls of %d", said, want)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
		t.Errorf("the folder has %v, %v", files, err)
	}
}

func TestPrecomputeFails(t *testing.T) {
	w := library(t)
	named := all()
	broken := named[0]
	broken.Factory = func(v tasks.View) (tools.Tool, error) {
		tool, err := named[0].Factory(v)
		return failing{tool.(canonical)}, err
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	other := w.id
	other.AsOf = other.AsOf.Add(time.Hour)
	for _, tc := range []struct {
		name, want string
		ctx        context.Context
		id         stored.Identity
		named      []tools.Named
	}{
		{"a tool fails", "no disk", t.Context(), w.id, append([]tools.Named{broken}, named[1:]...)},
		{"cancelled", "context canceled", cancelled, w.id, named},
		{"another moment", "is of", t.Context(), other, named},
		{"no such tool", "there is no tool item_cf", t.Context(), w.id, named[1:]},
	} {
		dir := t.TempDir()
		_, err := stored.Precompute(tc.ctx, dir, tc.id, tc.named, w.source, stored.Config{}, w.groups...)
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want an error with %q", tc.name, err, tc.want)
		}
		if files, _ := os.ReadDir(dir); len(files) > 0 {
			t.Errorf("%s: %v is left", tc.name, files)
		}
	}
}

type failing struct{ canonical }

func (f failing) Call(_ context.Context, args json.RawMessage) (json.RawMessage, error) {
	if strings.Contains(string(args), "b20") {
		return nil, errors.New("no disk")
	}
	return f.canonical.Call(context.Background(), args)
}

func TestOpenRefuses(t *testing.T) {
	w := library(t)
	good, err := os.ReadFile(w.path)
	if err != nil {
		t.Fatal(err)
	}
	change := func(statement string) func(path string) {
		return func(path string) {
			db, err := sql.Open("sqlite", path)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if _, err := db.Exec(statement); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, tc := range []struct {
		name, want string
		id         func(*stored.Identity)
		damage     func(path string)
	}{
		{"other data", "is of other data", func(i *stored.Identity) { i.Snapshot = "x" }, nil},
		{"other tools", "made with other tools", func(i *stored.Identity) { i.Tools = "x" }, nil},
		{"newer", "use a newer mars", nil, change(`UPDATE about SET header = CAST(replace(header, '"version":1', '"version":2') AS BLOB)`)},
		{"older", "make it again", nil, change(`UPDATE about SET header = CAST(replace(header, '"version":1', '"version":0') AS BLOB)`)},
		{"no header", "make it again", nil, change(`UPDATE about SET header = 'x'`)},
		{"another database", "is no stored evidence", nil, change(`DROP TABLE about`)},
		{"cut", "damaged", nil, func(path string) { check(t, os.Truncate(path, 100)) }},
		{"text", "damaged", nil, func(path string) { check(t, os.WriteFile(path, []byte("hello"), 0o600)) }},
		{"gone", "mars graph precompute makes it", nil, func(path string) { check(t, os.Remove(path)) }},
	} {
		path := filepath.Join(t.TempDir(), "evidence.db")
		check(t, os.WriteFile(path, good, 0o600))
		id := w.id
		if tc.id != nil {
			tc.id(&id)
		}
		if tc.damage != nil {
			tc.damage(path)
		}
		if s, err := stored.Open(t.Context(), path, id, nil); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, %v, want an error with %q", tc.name, s, err, tc.want)
		}
	}
}

// A changed byte of a result is told, and never handed on.
func TestDamagedResult(t *testing.T) {
	w := library(t)
	db, err := sql.Open("sqlite", w.path)
	check(t, err)
	_, err = db.Exec(`UPDATE bodies SET body = CAST(substr(body, 1, 12) || x'00' || substr(body, 14) AS BLOB)`)
	check(t, errors.Join(err, db.Close()))
	view, err := w.source.View(w.task)
	check(t, err)
	set, err := tools.Open(view, stored.Wrap(all(), w.open(t), w.source)...)
	check(t, err)
	tool, _ := set.Find("item_cf")
	if value, err := tool.Call(t.Context(), json.RawMessage(`{}`)); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("got %s, %v", value, err)
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// sequence is a group of one batch.
func sequence(b stored.Batch) stored.Group {
	return stored.Group{Name: "one", Count: len(b.Calls), Batches: iter.Seq[stored.Batch](func(yield func(stored.Batch) bool) { yield(b) })}
}

// Sentences that are written anew are stored in the place of the tool's.
func TestRewrite(t *testing.T) {
	w := library(t)
	dir := t.TempDir()
	c := stored.Call{Tool: "user_profile", Args: json.RawMessage(`{}`)}
	cfg := stored.Config{Rewriter: "a model", Rewrite: func(_ context.Context, value json.RawMessage) (json.RawMessage, error) {
		return bytes.Replace(value, []byte("The user"), []byte("This reader"), 1), nil
	}}
	_, err := stored.Precompute(t.Context(), dir, w.id, all(), w.source, cfg, sequence(stored.Batch{Task: w.task, Calls: []stored.Call{c}}))
	check(t, err)
	w.path = filepath.Join(dir, stored.Name(w.task.AsOf))
	s := w.open(t)
	if got := call(t, w.source, stored.Wrap(all(), s, w.source), w.task, c); !strings.HasPrefix(got, `{"evidence":["This reader chose`) || s.Header().Rewritten != "a model" {
		t.Errorf("got %s, %+v", got, s.Header())
	}
}

// Where an item's id looks like a label, a candidate's label wins, as it does
// without a store.
func TestIdsThatLookLikeLabels(t *testing.T) {
	var log []graph.Interaction
	for u := range 3 {
		for i, item := range []string{"c01", "near"} {
			log = append(log, graph.Interaction{User: string(rune('a' + u)), Item: item, Time: int64(10*u + i + 1)})
		}
	}
	log = append(log, graph.Interaction{User: "d", Item: "far", Time: 50})
	source := taskstest.New(nil, nil, log, nil)
	digest, err := stored.Digest(all())
	check(t, err)
	id := stored.Identity{Snapshot: "s", AsOf: time.Unix(100, 0), Tools: digest}
	dir := t.TempDir()
	_, err = stored.Precompute(t.Context(), dir, id, all(), source, stored.Config{}, stored.Items("", source.Graph().At(id.AsOf)))
	check(t, err)
	s := world{path: filepath.Join(dir, stored.Name(id.AsOf)), id: id}.open(t)
	task := tasks.Task{ID: "t", AsOf: id.AsOf, Candidates: []string{"far"}}
	c := stored.Call{Tool: "item_cf", Args: json.RawMessage(`{"item":"c01"}`)}
	live := call(t, source, all(), task, c)
	if got := call(t, source, stored.Wrap(all(), s, source), task, c); got != live || !strings.Contains(got, `"far"`) {
		t.Errorf("got %s, want %s", got, live)
	}
}

// A change of the tools is noticed, also where their specs are as they were.
func TestCheck(t *testing.T) {
	w := library(t)
	s := w.open(t)
	if n := len(s.Header().Probes); n < 6 {
		t.Errorf("%d probes", n)
	}
	check(t, s.Check(t.Context(), all(), w.source))
	other := slices.Concat(cf.Tools(cf.Config{}), catalog.Tools(catalog.Config{Words: translate.Words{Verb: "sold"}}))
	if err := s.Check(t.Context(), other, w.source); err == nil || !strings.Contains(err.Error(), "user_profile answers {} otherwise now") {
		t.Errorf("got %v", err)
	}
}

func TestMemory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "texts.db")
	for i := range 2 {
		m, err := stored.OpenMemory(t.Context(), path)
		check(t, err)
		text, ok, err := m.Get(t.Context(), "k")
		if err != nil || ok != (i == 1) || ok && text != "one" {
			t.Errorf("got %q, %v, %v", text, ok, err)
		}
		check(t, m.Put(t.Context(), "k", []string{"one", "two"}[i]))
		check(t, m.Close())
	}
}
