//go:build unix

package store_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/mars-rec/mars/trajectories/store"
)

// reader has the path of a store that this test binary, started again as nobody,
// reads.
const reader = "MARS_STORE_TEST_READER"

// TestAStoreThatCannotBeWritten: whoever may read a store that was closed, and not
// write beside it, reads and verifies it.
func TestAStoreThatCannotBeWritten(t *testing.T) {
	if p := os.Getenv(reader); p != "" {
		readWhole(t, p)
		return
	}
	p := path(t)
	s := create(t, p)
	if err := s.Add(t.Context(), task("a")); err != nil {
		t.Fatal(err)
	}
	do(t, s, "a")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(p)
	if err := errors.Join(os.Remove(p+".lock"), os.Chmod(p, 0o444), os.Chmod(dir, 0o555)); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(dir, 0o755) //nolint:errcheck // so that the folder can be removed
	if os.Geteuid() != 0 {
		readWhole(t, p)
		return
	}
	// Root may write anywhere, so somebody else reads, with a program of his own.
	open := filepath.Join(t.TempDir(), "store.test")
	program, err := os.ReadFile(os.Args[0])
	if err := errors.Join(err, os.WriteFile(open, program, 0o755)); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{filepath.Dir(dir), filepath.Dir(filepath.Dir(open)), filepath.Dir(open)} {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(open, "-test.run", "^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), reader+"="+p)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	if errors.Is(err, os.ErrPermission) && len(out) == 0 {
		t.Skip("nobody can be made to read here:", err)
	}
	if err != nil || !strings.Contains(string(out), "--- PASS") {
		t.Errorf("%v\n%s", err, out)
	}
}

func readWhole(t *testing.T, p string) {
	t.Helper()
	s, err := store.Open(context.Background(), p, store.Config{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Trajectory(context.Background(), "a"); err != nil {
		t.Error(err)
	}
	r, err := store.Verify(context.Background(), p)
	if err != nil || len(r.Findings) > 0 {
		t.Errorf("%v, %v", r.Findings, err)
	}
}

// TestVerifyOfSomethingElse: what was never a run store is not a damaged one.
func TestVerifyOfSomethingElse(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"gold.jsonl": "{\"id\":\"a\",\"gold\":[\"x\"]}\n", "empty": ""} {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if r, err := store.Verify(context.Background(), p); !errors.Is(err, store.ErrNotAStore) {
			t.Errorf("%s: %v, %v", name, r.Findings, err)
		}
	}
}
