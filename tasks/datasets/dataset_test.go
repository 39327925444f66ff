package datasets

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mars-rec/mars/graph"
	"github.com/mars-rec/mars/tasks"
)

// broad is a source whose files are larger than what Open reads of them.
func broad() rows {
	var r rows
	for k := range 5000 {
		r.events = append(r.events, review{graph.Interaction{User: fmt.Sprint("u", k%50), Item: fmt.Sprint("i", k), Time: int64(k)},
			strings.Repeat("a long text ", 5)})
	}
	return r
}

// TestOpenRefusesDamage opens data sets that something has happened to. Each
// error says what to do.
func TestOpenRefusesDamage(t *testing.T) {
	cut := func(name string, to func(int64) int64) func(string) error {
		return func(dir string) error {
			info, err := os.Stat(filepath.Join(dir, name))
			if err != nil {
				return err
			}
			return os.Truncate(filepath.Join(dir, name), to(info.Size()))
		}
	}
	flip := func(name string, at int) func(string) error {
		return func(dir string) error {
			b, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				return err
			}
			b[at] ^= 1
			return os.WriteFile(filepath.Join(dir, name), b, 0o600)
		}
	}
	version := func(v string) func(string) error {
		return func(dir string) error {
			path := filepath.Join(dir, manifestFile)
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			return os.WriteFile(path, []byte(strings.Replace(string(b), `"version": 1`, `"version": `+v, 1)), 0o600)
		}
	}
	half := func(n int64) int64 { return n / 2 }
	none := func(int64) int64 { return 0 }
	whole := filepath.Join(t.TempDir(), "set")
	importRows(t, broad(), whole, ImportConfig{})
	for name, c := range map[string]struct {
		harm func(dir string) error
		want string
	}{
		"no directory":    {os.RemoveAll, "file does not exist"},
		"no manifest":     {func(dir string) error { return os.Remove(filepath.Join(dir, manifestFile)) }, "is not a data set: it has no manifest.json"},
		"half a manifest": {cut(manifestFile, half), "import it again with --force"},
		"empty manifest":  {cut(manifestFile, none), "import it again with --force"},
		"newer":           {version("3"), "has version 3, this program reads 2: use a newer mars"},
		"older":           {version("0"), "has version 0, this program reads 2: import it again"},
		"no version":      {func(dir string) error { return os.WriteFile(filepath.Join(dir, manifestFile), []byte("[]"), 0o600) }, "is damaged"},
		"unknown field": {func(dir string) error {
			return os.WriteFile(filepath.Join(dir, manifestFile), []byte(`{"version":1,"x":1}`), 0o600)
		}, `unknown field "x"`},
		"half a graph":     {cut(graphFile, half), "graph.bin has"},
		"another graph":    {flip(graphFile, 100), "graph.bin is not the file that was imported"},
		"damaged graph":    {flip(graphFile, headBytes+100), "graph.bin"},
		"no graph":         {func(dir string) error { return os.Remove(filepath.Join(dir, graphFile)) }, "no such file"},
		"half a catalog":   {cut(catalogFile, half), "catalog.db has"},
		"another catalog":  {flip(catalogFile, 30), "catalog.db is not the file that was imported"},
		"no catalog":       {func(dir string) error { return os.Remove(filepath.Join(dir, catalogFile)) }, "no such file"},
		"two things wrong": {func(dir string) error { return errors.Join(cut(catalogFile, none)(dir), cut(graphFile, none)(dir)) }, "catalog.db has 0 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "set")
			if err := os.CopyFS(out, os.DirFS(whole)); err != nil {
				t.Fatal(err)
			}
			if err := c.harm(out); err != nil {
				t.Fatal(err)
			}
			d, err := Open(out)
			if err == nil {
				d.Close()
				t.Fatal("it was opened")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %q, want %q in it", err, c.want)
			}
			if missing := name == "no directory" || name == "no manifest"; errors.Is(err, fs.ErrNotExist) != missing {
				t.Errorf("%v: is fs.ErrNotExist: %v", err, !missing)
			}
		})
	}
}

// TestVerifyReadsEveryByte finds a bit that Open does not look at.
func TestVerifyReadsEveryByte(t *testing.T) {
	out := filepath.Join(t.TempDir(), "set")
	importRows(t, broad(), out, ImportConfig{})
	path := filepath.Join(out, catalogFile)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(b) < 3*headBytes {
		t.Fatalf("the catalog has %d bytes only", len(b))
	}
	d := open(t, out)
	if err := d.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	b[2*headBytes] ^= 1
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := open(t, out).Verify(t.Context()); err == nil || !strings.Contains(err.Error(), "catalog.db has SHA-256") {
		t.Errorf("got %v", err)
	}
}

func TestView(t *testing.T) {
	out := filepath.Join(t.TempDir(), "small")
	importRows(t, some(), out, ImportConfig{})
	d := open(t, out)
	var _ tasks.Source = d
	task := tasks.Task{ID: "t", Dataset: "small", User: "u1", AsOf: time.Unix(200, 0), Candidates: []string{"a", "b"}}
	v, err := d.View(task)
	if err != nil {
		t.Fatal(err)
	}
	if n := v.Cut().Interactions(); n != 2 {
		t.Errorf("%d interactions before the task's moment, want 2", n)
	}
	if item, err := v.Item(t.Context(), "b"); err != nil || item.Title != "Beta" {
		t.Errorf("item b: %+v, %v", item, err)
	}
	if reviews, err := v.Reviews(t.Context(), "u1", "", 10); err != nil || len(reviews) != 1 || reviews[0].Text != "fine" {
		t.Errorf("reviews: %+v, %v", reviews, err)
	}
	task.Dataset = "other"
	if _, err := d.View(task); err == nil || !strings.Contains(err.Error(), `of data set "other", not of "small"`) {
		t.Errorf("got %v", err)
	}
}

// TestPathsWithOddCharacters opens a catalog whose path has a meaning in URIs.
func TestPathsWithOddCharacters(t *testing.T) {
	out := filepath.Join(t.TempDir(), "100% a?b#c &d=e +é")
	importRows(t, some(), out, ImportConfig{})
	if _, ok, err := open(t, out).Catalog().Item(t.Context(), "a"); !ok || err != nil {
		t.Error(ok, err)
	}
}

func TestFingerprintTellsDataApart(t *testing.T) {
	prints := map[string]string{}
	for name, change := range map[string]func(*rows){
		"as it is":       func(*rows) {},
		"another time":   func(r *rows) { r.events[0].Time++ },
		"another title":  func(r *rows) { r.items[0].Title = "Gamma" },
		"another name":   func(r *rows) { r.users[0].Name = "Ursa" },
		"another review": func(r *rows) { r.events[0].text = "bad" },
	} {
		r := some()
		change(&r)
		p := importRows(t, r, filepath.Join(t.TempDir(), "x"), ImportConfig{}).Fingerprint()
		if other, ok := prints[p]; ok {
			t.Errorf("%s and %s have the same fingerprint", name, other)
		}
		prints[p] = name
	}
}

// FuzzReadManifest reads any bytes as a manifest: an error, or a manifest that
// is written as it was read.
func FuzzReadManifest(f *testing.F) {
	m := importRows(f, some(), filepath.Join(f.TempDir(), "x"), ImportConfig{})
	good, err := m.encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"version":1,"counts":null,"notes":["\u0000"]}`))
	f.Add([]byte(`{"version":99999999999999999999}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, manifestFile), b, 0o600); err != nil {
			t.Fatal(err)
		}
		m, err := readManifest(dir)
		if err != nil {
			return
		}
		written, err := m.encode()
		if err != nil {
			return // a year that JSON cannot write
		}
		if err := os.WriteFile(filepath.Join(dir, manifestFile), written, 0o600); err != nil {
			t.Fatal(err)
		}
		again, err := readManifest(dir)
		if err != nil || fmt.Sprint(again) != fmt.Sprint(m) {
			t.Errorf("read %+v, then %+v, %v", m, again, err)
		}
	})
}

// TestCheckTask refuses tasks that the data set knows nothing of.
func TestCheckTask(t *testing.T) {
	d := imported(t, broad())
	good := tasks.Task{ID: "t", Dataset: d.Manifest().Name, User: "u0", AsOf: time.Unix(9, 0), Candidates: []string{"i1", "i4999"}}
	for _, c := range []struct {
		want   string
		change func(*tasks.Task)
	}{
		{"", func(*tasks.Task) {}},
		{`is of data set "other"`, func(t *tasks.Task) { t.Dataset = "other" }},
		{`has no user "nobody"`, func(t *tasks.Task) { t.User = "nobody" }},
		{`has no item "nothing"`, func(t *tasks.Task) { t.Candidates = []string{"i1", "nothing"} }},
		{"has no as_of", func(t *tasks.Task) { t.AsOf = time.Time{} }},
	} {
		task := good
		c.change(&task)
		err := d.CheckTask(t.Context(), task, "")
		if (err == nil) != (c.want == "") || (err != nil && !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%+v: %v, want %q", task, err, c.want)
		}
	}
}
