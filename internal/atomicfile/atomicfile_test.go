package atomicfile_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/mars-rec/mars/internal/atomicfile"
)

func content(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[e.Name()] = string(b)
	}
	return files
}

func say(text string, err error) func(io.Writer) error {
	return func(w io.Writer) error {
		_, e := io.WriteString(w, text)
		return errors.Join(e, err)
	}
}

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	for _, text := range []string{"one", "two"} {
		if err := atomicfile.Write(path, say(text, nil)); err != nil {
			t.Fatal(err)
		}
		if got := content(t, dir); len(got) != 1 || got["f"] != text {
			t.Errorf("the folder holds %v, want f: %s", got, text)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("%v, %v: want an ordinary file", info, err)
	}
	broken := errors.New("broken")
	if err := atomicfile.Write(path, say("three", broken)); !errors.Is(err, broken) {
		t.Errorf("error is %v", err)
	}
	if got := content(t, dir); len(got) != 1 || got["f"] != "two" {
		t.Errorf("after a failure the folder holds %v, want what was there", got)
	}
}

func TestCommitFails(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	if err := os.MkdirAll(filepath.Join(path, "full"), 0o755); err != nil { // a folder stands in the way
		t.Fatal(err)
	}
	if err := atomicfile.Write(path, say("x", nil)); err == nil {
		t.Error("a file replaced a folder")
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
	if _, err := atomicfile.Create(filepath.Join(dir, "none", "f")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder that is not there: %v", err)
	}
}

func TestOnceIsEnough(t *testing.T) {
	dir := t.TempDir()
	f, err := atomicfile.Create(filepath.Join(dir, "f"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(say("x", nil)(f), f.Sync(), f.Commit(), f.Abort()); err != nil {
		t.Fatal(err)
	}
	if err := f.Commit(); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("the second commit: %v", err)
	}
	if got := content(t, dir); len(got) != 1 || got["f"] != "x" {
		t.Errorf("the folder holds %v", got)
	}
}
