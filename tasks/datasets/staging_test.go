package datasets

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mars-rec/mars/tasks/datasets/formats"
)

func TestImportReplacesOnlyWhenTold(t *testing.T) {
	parent := t.TempDir()
	out := filepath.Join(parent, "ml")
	importRows(t, some(), out, ImportConfig{})
	before := readDir(t, out)

	r := some()
	r.events = r.events[:1]
	if _, err := Import(t.Context(), r.reader(), parent, out, ImportConfig{}); !errors.Is(err, ErrExists) {
		t.Fatalf("got %v, want %v", err, ErrExists)
	}
	if after := readDir(t, out); !maps.EqualFunc(before, after, bytes.Equal) {
		t.Error("a refused import changed the data set")
	}
	if m := importRows(t, r, out, ImportConfig{Replace: true}); m.Counts.Interactions != 1 {
		t.Errorf("counts %+v", m.Counts)
	}
	if got := open(t, out).Manifest().Counts.Interactions; got != 1 {
		t.Errorf("%d interactions after it was replaced", got)
	}
	left, err := os.ReadDir(parent)
	if err != nil || len(left) != 1 {
		t.Errorf("left beside the data set: %v, %v", left, err)
	}
}

// TestImportNeverReplacesOtherThings protects a directory that is no data set.
func TestImportNeverReplacesOtherThings(t *testing.T) {
	out := t.TempDir()
	if err := os.WriteFile(filepath.Join(out, "thesis.tex"), []byte("years of work"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := some()
	if _, err := Import(t.Context(), r.reader(), out, out, ImportConfig{Replace: true}); err == nil || !strings.Contains(err.Error(), "not a data set") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(filepath.Join(out, "thesis.tex")); err != nil {
		t.Error(err)
	}
}

// TestImportLeavesNothingBehind holds that no failure leaves a new directory,
// nor harms the old one.
func TestImportLeavesNothingBehind(t *testing.T) {
	broken := &formats.Error{File: "x", Line: 7, Want: "a row", Got: "half of one"}
	for name, c := range map[string]struct {
		then func(context.Context) error
		is   error
	}{
		"broken source": {func(context.Context) error { return broken }, broken},
		"interrupted":   {func(context.Context) error { return context.Canceled }, context.Canceled},
	} {
		for _, replace := range []bool{false, true} {
			t.Run(fmt.Sprint(name, replace), func(t *testing.T) {
				parent := t.TempDir()
				out := filepath.Join(parent, "ml")
				want := 0
				if replace {
					importRows(t, some(), out, ImportConfig{})
					want = 1
				}
				r := some()
				r.then = c.then
				if _, err := Import(t.Context(), r.reader(), parent, out, ImportConfig{Replace: replace}); !errors.Is(err, c.is) {
					t.Errorf("got %v, want %v", err, c.is)
				}
				if left, err := os.ReadDir(parent); err != nil || len(left) != want {
					t.Errorf("left: %v, %v", left, err)
				}
				if replace {
					if err := open(t, out).Verify(t.Context()); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
}

// TestImportStopsWhenCancelled reaches the later stages with a context that is
// done.
func TestImportStopsWhenCancelled(t *testing.T) {
	for _, stage := range []string{StageRead, StageGraph, StageCatalog, StageSync} {
		t.Run(stage, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			parent := t.TempDir()
			_, err := Import(ctx, some().reader(), parent, filepath.Join(parent, "ml"), ImportConfig{
				Progress: func(s string, _, _ int64) {
					if s == stage {
						cancel()
					}
				}})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want %v", err, context.Canceled)
			}
			if left, err := os.ReadDir(parent); err != nil || len(left) > 0 {
				t.Errorf("left: %v, %v", left, err)
			}
		})
	}
}

// TestOnlyOneImportWrites starts a second import into the same place while the
// first is at work.
func TestOnlyOneImportWrites(t *testing.T) {
	parent := t.TempDir()
	out := filepath.Join(parent, "ml")
	r := some()
	r.then = func(context.Context) error {
		if _, err := Import(t.Context(), some().reader(), parent, out, ImportConfig{}); err == nil || !strings.Contains(err.Error(), "another import") {
			t.Errorf("the second import: %v", err)
		}
		return nil
	}
	importRows(t, r, out, ImportConfig{})
}

// TestImportAfterKill kills a process in the middle of an import: there is no
// data set, and the next import clears what was left and succeeds.
func TestImportAfterKill(t *testing.T) {
	const variable = "MARS_TEST_IMPORT_TO"
	if out := os.Getenv(variable); out != "" {
		r := some()
		r.then = func(ctx context.Context) error {
			fmt.Println("at work")
			<-ctx.Done() // until killed
			return ctx.Err()
		}
		importRows(t, r, out, ImportConfig{})
		return
	}
	parent := t.TempDir()
	out := filepath.Join(parent, "ml")
	child := exec.Command(os.Args[0], "-test.run=^TestImportAfterKill$")
	child.Env = append(os.Environ(), variable+"="+out)
	stdout, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fscan(stdout, new(string)); err != nil {
		t.Fatal(err)
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait() // "signal: killed"
	if _, err := os.Stat(out); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a killed import left %s: %v", out, err)
	}
	importRows(t, some(), out, ImportConfig{})
	left, err := os.ReadDir(parent)
	if err != nil || len(left) != 1 {
		t.Errorf("left: %v, %v", left, err)
	}
	if err := open(t, out).Verify(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestSwap replaces a directory where two cannot be exchanged in one step, and
// puts the old one back where the new one cannot be moved.
func TestSwap(t *testing.T) {
	parent := t.TempDir()
	path := func(name string) string { return filepath.Join(parent, name) }
	for _, name := range []string{"new", "old"} {
		if err := os.Mkdir(path(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(path(name), name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := swap(path("new"), path("old")); err != nil {
		t.Fatal(err)
	}
	for dir, file := range map[string]string{"new": "old", "old": "new"} {
		if _, err := os.Stat(filepath.Join(path(dir), file)); err != nil {
			t.Error(err)
		}
	}
	if err := swap(path("missing"), path("old")); err == nil {
		t.Error("a directory that is missing was moved")
	}
	if _, err := os.Stat(filepath.Join(path("old"), "new")); err != nil {
		t.Errorf("after a swap that did not work: %v", err)
	}
	if left, err := os.ReadDir(parent); err != nil || len(left) != 2 {
		t.Errorf("left: %v, %v", left, err)
	}
}
