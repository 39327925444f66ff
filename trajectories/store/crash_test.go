package store_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/trajectories"
	"github.com/mars-rec/mars/trajectories/store"
)

// childEnv has the path of the store that this test binary, started again,
// writes to until it is killed.
const childEnv = "MARS_STORE_TEST_CHILD"

func TestMain(m *testing.M) {
	if p := os.Getenv(childEnv); p != "" {
		if err := child(p, os.Getenv(childEnv+"_STEP") != ""); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// child runs tasks, four at a time, and prints what is acknowledged: "done t7"
// when a run is sealed and, with step, "fact t7 1.1.3" when a fact is appended.
func child(path string, step bool) error {
	m := manifest
	s, err := store.Open(context.Background(), path, store.Config{Manifest: &m, Step: step})
	if err != nil {
		return err
	}
	ctx := context.Background()
	var mu sync.Mutex
	tell := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Printf(format+"\n", args...)
	}
	one := func(id string) error {
		r, err := s.Begin(ctx, task(id))
		if err != nil {
			if strings.Contains(err.Error(), store.ErrDone.Error()) {
				return nil
			}
			return err
		}
		for _, e := range envelopes(id) {
			if err := r.Append(ctx, e); err != nil {
				return err
			}
			if step && e.Fact() {
				tell("fact %s %s", id, e.ID)
			}
		}
		if err := r.Seal(ctx, []string{"i1"}); err != nil {
			return err
		}
		tell("done %s", id)
		return nil
	}
	failed := make(chan error)
	for worker := range 4 {
		go func() {
			for n := worker; ; n += 4 {
				if err := one("t" + strconv.Itoa(n)); err != nil {
					failed <- err
					return
				}
			}
		}()
	}
	return <-failed
}

// TestKilledProcess kills a child that writes, again and again, and after each
// time looks for everything that was acknowledged.
func TestKilledProcess(t *testing.T) {
	for _, step := range []bool{false, true} {
		t.Run(fmt.Sprintf("step %v", step), func(t *testing.T) {
			p := path(t)
			acknowledged := map[string]bool{}
			for _, lines := range []int{1, 40, 7, 150} {
				for _, line := range killAfter(t, p, step, lines) {
					acknowledged[line] = true
				}
				sound(t, p)
				inspect(t, p, acknowledged)
			}
		})
	}
}

// killAfter starts a child, kills it after it has printed a number of lines,
// and returns all whole lines that it printed.
func killAfter(t *testing.T, path string, step bool, lines int) []string {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+path)
	if step {
		cmd.Env = append(cmd.Env, childEnv+"_STEP=1")
	}
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var got []string
	for scan := bufio.NewScanner(out); scan.Scan(); {
		got = append(got, scan.Text())
		if len(got) == lines {
			if _, err := store.Open(t.Context(), path, store.Config{}); !errors.Is(err, store.ErrLocked) {
				t.Errorf("while the child writes: %v, want ErrLocked", err)
			}
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); err == nil || len(got) < lines {
		t.Fatalf("the child ended by itself after %d lines: %v", len(got), err)
	}
	return got
}

// inspect opens a store as the next process would and looks for what was
// acknowledged; what else is there must be a causally closed part of a run.
func inspect(t *testing.T, path string, acknowledged map[string]bool) {
	t.Helper()
	s := create(t, path) // also: the dead process's lock does not block
	defer s.Close()
	for line := range acknowledged {
		what := strings.Fields(line)
		tr, err := s.Trajectory(t.Context(), what[1])
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		if what[0] == "done" {
			if tr.Run.Status != trajectories.Done {
				t.Errorf("%s: the run is %s", line, tr.Run.Status)
			}
			same(t, tr.Log, envelopes(what[1]))
		} else if _, ok := tr.Find(message.ID(what[2])); !ok {
			t.Errorf("%s: the fact is not there", line)
		}
	}
	for sum, err := range s.Runs(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		tr, err := s.Trajectory(t.Context(), sum.ID)
		if err != nil {
			t.Fatal(err)
		}
		if sum.Status == trajectories.Done {
			continue
		}
		var facts []message.Envelope
		for _, e := range envelopes(sum.ID) {
			if e.Fact() && len(facts) < len(tr.Log) {
				facts = append(facts, e)
			}
		}
		same(t, tr.Log, facts)
	}
}
