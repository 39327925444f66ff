package cluster_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/orchestrator"
	"github.com/mars-rec/mars/orchestrator/cluster"
	"github.com/mars-rec/mars/orchestrator/ledger"
)

// TestSecondCoordinatorIsRefused: two would give out the same runs.
func TestSecondCoordinatorIsRefused(t *testing.T) {
	s := serve(t, t.TempDir(), server.RANDOM_PORT)
	ctx, stop := context.WithCancel(t.Context())
	st := open(t, filepath.Join(t.TempDir(), "run.db"))
	defer st.Close()
	nc, ended := connect(t, s.ClientURL()), make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = cluster.Coordinate(ctx, nc, list(1), ledger.New(st), orchestrator.BatchConfig{}, cluster.Config{}) // it ends with its context
	}()
	if _, err := cluster.Join(t.Context(), nc, ""); err != nil { // it is there
		t.Fatal(err)
	}
	_, err := cluster.Coordinate(t.Context(), nc, list(1), ledger.New(st), orchestrator.BatchConfig{}, cluster.Config{})
	if err == nil || !strings.Contains(err.Error(), cluster.ErrCoordinated.Error()) {
		t.Errorf("error is %v, want ErrCoordinated", err)
	}
	stop()
	<-ended
}

// TestServerIsAwayAtBothEnds: a coordinator waits for a server that is not there
// when it begins, and one that is gone when all runs are done makes none of them
// undone.
func TestServerIsAwayAtBothEnds(t *testing.T) {
	const n = 2
	want, _ := alone(t, n)
	dir, path := t.TempDir(), filepath.Join(t.TempDir(), "run.db")
	s := serve(t, dir, server.RANDOM_PORT)
	port := s.Addr().(*net.TCPAddr).Port
	nc := connect(t, s.ClientURL())
	working, stop := context.WithCancel(t.Context())
	var c crew
	c.hire(t, working, s.ClientURL(), &till{}, 1)
	shutdown(s)
	st := open(t, path)
	ended := make(chan error, 1)
	var notices []string
	var totals orchestrator.Totals
	there := make(chan *server.Server, 1)
	go func() {
		var err error
		totals, err = cluster.Coordinate(t.Context(), nc, list(n), ledger.New(st), orchestrator.BatchConfig{Progress: func(e orchestrator.Event) {
			if totals.Add(e); totals.Done == n {
				shutdown(<-there)
			}
		}}, cluster.Config{Manifest: manifest, Lease: lease, Notice: func(text string) { notices = append(notices, text) }})
		ended <- err
	}()
	there <- serve(t, dir, port)
	if err := <-ended; err != nil || totals.Done != n || !strings.Contains(strings.Join(notices, "\n"), "cannot be told") {
		t.Errorf("%+v, %v, notices %q", totals, err, notices)
	}
	stop()
	c.wg.Wait()
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	equal(t, seals(t, path), want)
}

// TestFailuresAreKept: a run that fails on a worker has failed with its cause, and
// a worker that is told to stop hands its run back.
func TestFailuresAreKept(t *testing.T) {
	s := serve(t, t.TempDir(), server.RANDOM_PORT)
	path := filepath.Join(t.TempDir(), "run.db")
	st := open(t, path)
	nc := connect(t, s.ClientURL())
	broken := config(&till{})
	broken.Model.Model = model.Func(func(context.Context, model.Request) (model.Reply, error) { return model.Reply{}, os.ErrPermission })
	o, err := orchestrator.New(broken)
	if err != nil {
		t.Fatal(err)
	}
	worked := make(chan error, 1)
	go func() {
		w, err := cluster.Join(t.Context(), connect(t, s.ClientURL()), "")
		if err == nil {
			_, err = w.Work(t.Context(), o, cluster.WorkConfig{})
		}
		worked <- err
	}()
	var causes []string
	totals, err := cluster.Coordinate(t.Context(), nc, list(2), ledger.New(st), orchestrator.BatchConfig{Concurrency: 2, Progress: func(e orchestrator.Event) {
		if e.Outcome == orchestrator.Failed {
			causes = append(causes, e.Err.Error())
		}
	}}, cluster.Config{Manifest: manifest, Lease: lease})
	if err != nil || totals.Failed != 2 || len(causes) != 2 || !strings.Contains(causes[0], "permission denied") {
		t.Errorf("%+v, %v: %q", totals, err, causes)
	}
	if err := <-worked; err != nil {
		t.Error(err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestAccessIsNotRepeated: what is secret in an address is in no error.
func TestAccessIsNotRepeated(t *testing.T) {
	for _, url := range []string{"nats://me:sesame@127.0.0.1:1", "nats://me:sesame@%zz", "sesame", "nats://a:sesame@127.0.0.1:1,b:sesame@:x"} {
		if _, err := cluster.Connect(cluster.Access{URL: url}); err == nil || strings.Contains(err.Error(), "sesame") {
			t.Errorf("%s: error is %v", url, err)
		}
	}
}
