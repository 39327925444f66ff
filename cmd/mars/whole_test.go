package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mars-rec/mars/model/builtin"
	"github.com/mars-rec/mars/model/openai/server"
	"github.com/mars-rec/mars/tasks/datasets/world"
	"github.com/mars-rec/mars/trajectories"
	"github.com/mars-rec/mars/trajectories/store"
)

// mars runs a command in this process and fails the test if it fails.
func mars(t testing.TB, args ...string) string {
	t.Helper()
	var out, messages bytes.Buffer
	if code := run(t.Context(), args, strings.NewReader(""), &out, &messages, time.Now); code != exitOK {
		t.Fatalf("mars %s: exit %d\n%s", strings.Join(args, " "), code, messages.String())
	}
	return out.String()
}

// smallWorld makes a data set and n tasks in dir.
func smallWorld(t testing.TB, n string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if _, err := world.Write(filepath.Join(dir, "source"), world.Config{Seed: 7, Users: 300, Items: 400}); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	mars(t, "import", "--in", "source", "--out", "data")
	mars(t, "tasks", "--data", "data", "--scenario", "classic", "--limit", n, "--out", "tasks.jsonl", "--gold", "gold.jsonl")
	return dir
}

// seals returns the seal of each run of a store, which is the hash of its
// canonical log, and checks that all are done.
func seals(t *testing.T, path string) map[string]string {
	t.Helper()
	st, err := store.Open(t.Context(), path, store.Config{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	all := map[string]string{}
	for r, err := range st.Runs(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Status != trajectories.Done {
			t.Errorf("%s: run %s is %s: %s", path, r.ID, r.Status, r.Cause)
		}
		all[r.ID] = r.Seal
	}
	return all
}

func sameSeals(t *testing.T, want map[string]string, path string) {
	t.Helper()
	got := seals(t, path)
	if len(got) != len(want) {
		t.Errorf("%s has %d runs, want %d", path, len(got), len(want))
	}
	for id, seal := range want {
		if got[id] != seal {
			t.Errorf("%s: the log of %s is another than the first", path, id)
		}
	}
}

// TestSameSeedSameLogs runs the same tasks one at a time, many at a time, and
// over HTTP: the canonical logs are the same.
func TestSameSeedSameLogs(t *testing.T) {
	smallWorld(t, "25")
	mars(t, "synth", "--data", "data", "--tasks", "tasks.jsonl", "--out", "one.db", "--concurrency", "1")
	want := seals(t, "one.db")
	if len(want) != 25 {
		t.Fatalf("%d runs, want 25", len(want))
	}
	mars(t, "synth", "--data", "data", "--tasks", "tasks.jsonl", "--out", "many.db", "--concurrency", "8")
	sameSeals(t, want, "many.db")

	llm := httptest.NewServer(server.New(builtin.New(builtin.Config{}), server.Config{Name: builtin.Name}))
	defer llm.Close()
	mars(t, "synth", "--data", "data", "--tasks", "tasks.jsonl", "--out", "http.db", "--concurrency", "3",
		"--model", "openai:builtin", "--base-url", llm.URL+"/v1")
	sameSeals(t, want, "http.db")

	mars(t, "synth", "--data", "data", "--tasks", "tasks.jsonl", "--out", "other.db", "--seed", "43")
	if same := seals(t, "other.db"); len(same) == len(want) {
		for id := range want {
			if same[id] != want[id] { // the seed is in no prompt: builtin draws nothing
				t.Errorf("the log of %s depends on a seed that nothing uses", id)
			}
		}
	}
}

// TestKilledAndResumed kills the program at random moments, and lets it go on:
// no task is lost, none is done twice, and the logs are those of a run that was
// never killed.
func TestKilledAndResumed(t *testing.T) {
	dir := smallWorld(t, "120")
	mars(t, "synth", "--data", "data", "--tasks", "tasks.jsonl", "--out", "whole.db")
	want := seals(t, "whole.db")

	// A provider takes its time: without it a fast machine is done before the first kill.
	answers := server.New(builtin.New(builtin.Config{}), server.Config{Name: builtin.Name})
	llm := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(3 * time.Millisecond)
		answers.ServeHTTP(w, r)
	}))
	defer llm.Close()
	program := itself(t, dir, "mars")
	args := []string{"synth", "--data", "data", "--tasks", "tasks.jsonl", "--out", "killed.db", "--concurrency", "4",
		"--model", "openai:builtin", "--base-url", llm.URL + "/v1"}
	killed := 0
	for range 12 {
		c := exec.Command(program, args...)
		c.Env = append(os.Environ(), "GOMAXPROCS=2")
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		timer := time.AfterFunc(time.Duration(40+rand.IntN(250))*time.Millisecond, func() { c.Process.Kill() }) //nolint:errcheck // it may have ended
		if c.Wait() != nil {
			killed++
		}
		timer.Stop()
	}
	t.Logf("killed %d times", killed)
	if killed == 0 {
		t.Fatal("the program was never killed while it worked")
	}
	mars(t, args...)
	sameSeals(t, want, "killed.db")
	mars(t, "verify", "killed.db")
}

// TestStopsCleanly interrupts the program: it exits with 1 and says how to go
// on, and the same command goes on.
func TestStopsCleanly(t *testing.T) {
	smallWorld(t, "60")
	ctx, cancel := context.WithCancel(t.Context())
	reader, writer := net.Pipe()
	var messages bytes.Buffer
	done := make(chan struct{})
	go func() { // the first line of progress shows that the work has begun
		defer close(done)
		b := make([]byte, 1)
		if _, err := io.ReadFull(reader, b); err == nil {
			cancel()
		}
		messages.Write(b)
		io.Copy(&messages, reader) //nolint:errcheck // ends with the pipe
	}()
	args := []string{"synth", "--data", "data", "--tasks", "tasks.jsonl", "--out", "run.db", "--concurrency", "1"}
	code := run(ctx, args, strings.NewReader(""), io.Discard, writer, time.Now)
	writer.Close()
	<-done
	if code != exitFailure || !strings.Contains(messages.String(), "the same command goes on from here") {
		t.Errorf("exit %d, messages %q", code, messages.String())
	}
	mars(t, args...)
	if got := seals(t, "run.db"); len(got) != 60 {
		t.Errorf("%d runs, want 60", len(got))
	}
}

// TestResumeIsRefusedWhenSomethingChanged gives the same store to another seed,
// another team and other data.
func TestResumeIsRefusedWhenSomethingChanged(t *testing.T) {
	smallWorld(t, "3")
	base := []string{"synth", "--data", "data", "--tasks", "tasks.jsonl", "--out", "run.db"}
	mars(t, base...)
	if err := os.WriteFile("team.yaml", []byte("roles: {reflector: null}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--seed", "43"}, "seed: 42, then 43"},
		{[]string{"--team", "team.yaml"}, "team: "},
		{[]string{"--temperature", "0.7"}, "sampling: "},
		{[]string{"--model", "openai:x", "--base-url", "http://127.0.0.1:1/v1"}, "model: builtin, then openai:x"},
	} {
		var messages bytes.Buffer
		code := run(t.Context(), append(base, c.args...), strings.NewReader(""), io.Discard, &messages, time.Now)
		if code == exitOK || !strings.Contains(messages.String(), c.want) {
			t.Errorf("%v: exit %d, %q: want a refusal with %q", c.args, code, messages.String(), c.want)
		}
	}
	if _, err := os.Stat("run.db"); errors.Is(err, os.ErrNotExist) {
		t.Error("the store is gone")
	}
}
