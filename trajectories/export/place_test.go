package export_test

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mars-rec/mars/trajectories/export"
	"github.com/mars-rec/mars/trajectories/filter"
)

// written exports one run and returns what the directory then holds.
func written(t *testing.T, dir, name string) map[string]string {
	t.Helper()
	if _, err := export.Write(context.Background(), dir, name, export.Config{Tools: specs}, all(run("t1", answer)), export.Source{}); err != nil {
		t.Fatal(err)
	}
	return texts(t, dir)
}

// texts are the files of a directory.
func texts(t *testing.T, dir string) map[string]string {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, f := range files {
		if f.IsDir() {
			all[f.Name()] = "a folder"
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all[f.Name()] = string(text)
	}
	return all
}

// TestABrokenExportLeavesTheEarlierOne: what was there is there, and nothing else.
func TestABrokenExportLeavesTheEarlierOne(t *testing.T) {
	dir := t.TempDir()
	before := written(t, dir, export.TRLSFT)
	lost := errors.New("the store is damaged")
	failing := func(yield func(export.Group, error) bool) {
		for g, err := range groups(run("t2", answer)) {
			if !yield(g, err) {
				return
			}
		}
		yield(export.Group{}, lost)
	}
	if _, err := export.Write(context.Background(), dir, export.TRLGRPO, export.Config{Tools: specs}, sifted(failing, filter.Top(1)), export.Source{}); !errors.Is(err, lost) {
		t.Errorf("error %v", err)
	}
	if after := texts(t, dir); !maps.Equal(before, after) {
		t.Errorf("after: %v", after)
	}
}

// TestAnExportTakesThePlaceOfAnother: nothing of the other is left, and what is
// nobody's stays.
func TestAnExportTakesThePlaceOfAnother(t *testing.T) {
	want := written(t, t.TempDir(), export.TRLGRPO)
	dir := t.TempDir()
	notes := filepath.Join(dir, "notes.txt")
	if err := os.WriteFile(notes, []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	written(t, dir, export.TRLSFT)

	// One that was killed while it took the place of the first.
	stage := filepath.Join(dir, ".export-1")
	if err := errors.Join(os.Mkdir(stage, 0o755), os.Rename(filepath.Join(dir, export.ManifestFile), filepath.Join(stage, "previous.json"))); err != nil {
		t.Fatal(err)
	}
	got := written(t, dir, export.TRLGRPO)
	if got["notes.txt"] != "mine" {
		t.Error("a file that no export wrote is gone")
	}
	delete(got, "notes.txt")
	if len(got) != len(want) || got["train.jsonl"] != want["train.jsonl"] {
		t.Errorf("left: %v, want %v", got, want)
	}
}

// TestAnExportReplacesOnlyWhatAnExportWrote: everything else that is in its way is
// an error, and stays.
func TestAnExportReplacesOnlyWhatAnExportWrote(t *testing.T) {
	for name, prepare := range map[string]func(t *testing.T, dir string){
		"test.jsonl":                 func(*testing.T, string) {},
		"train-00000.parquet":        func(*testing.T, string) {},
		"sft.yaml":                   func(*testing.T, string) {},
		export.ManifestFile:          func(*testing.T, string) {},
		"validation.jsonl":           func(t *testing.T, dir string) { written(t, dir, export.TRLSFT) },
		"sft.yaml, which was edited": func(t *testing.T, dir string) { written(t, dir, export.TRLSFT) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			prepare(t, dir)
			file, _, _ := strings.Cut(name, ",")
			path := filepath.Join(dir, file)
			if err := os.WriteFile(path, []byte("{}\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			before := texts(t, dir)
			cfg := export.Config{Tools: specs}
			_, err := export.Write(context.Background(), dir, export.TRLSFT, cfg, all(run("t1", answer)), export.Source{})
			way := (*export.InTheWayError)(nil)
			if !errors.As(err, &way) || way.Path != path {
				t.Errorf("error %v", err)
			}
			if after := texts(t, dir); !maps.Equal(before, after) {
				t.Errorf("after: %v", after)
			}
			cfg.Force = true
			if _, err := export.Write(context.Background(), dir, export.TRLSFT, cfg, all(run("t1", answer)), export.Source{}); err != nil {
				t.Errorf("by force: %v", err)
			}
			if after := texts(t, dir); after[file] == "{}\n" {
				t.Errorf("by force: %v", after)
			}
		})
	}
}
