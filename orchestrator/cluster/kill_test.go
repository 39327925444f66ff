package cluster_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/mars-rec/mars/orchestrator"
	"github.com/mars-rec/mars/orchestrator/cluster"
	"github.com/mars-rec/mars/orchestrator/ledger"
)

// workerURL makes this test binary a worker, in a process of its own, that stops
// for ever in the middle of a call.
const workerURL = "MARS_TEST_WORKER"

func TestMain(m *testing.M) {
	if url := os.Getenv(workerURL); url != "" {
		if err := stuckWorker(url); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// stuckAt is the call in which a stuck worker stops.
const stuckAt = 9

func stuckWorker(url string) error {
	nc, err := cluster.Connect(cluster.Access{URL: url})
	if err != nil {
		return err
	}
	defer nc.Close()
	w, err := cluster.Join(context.Background(), nc, "")
	if err != nil {
		return err
	}
	p := &till{each: func(n int) {
		fmt.Printf("paid %d\n", n)
		if n >= stuckAt {
			select {}
		}
	}}
	o, err := orchestrator.New(config(p))
	if err != nil {
		return err
	}
	_, err = w.Work(context.Background(), o, cluster.WorkConfig{})
	return err
}

// TestKilledWorkers kills workers, real processes, in the middle of a call. The
// next worker goes on with the facts that the ledger has; only the calls in
// flight are paid for again. The coordinator is ended half-way too, and starts
// anew on its store.
func TestKilledWorkers(t *testing.T) {
	const n, kills = 3, 3
	want, calls := alone(t, n)
	path := filepath.Join(t.TempDir(), "run.db")
	s := serve(t, t.TempDir(), server.RANDOM_PORT)
	nc := connect(t, s.ClientURL())
	coordinate := func(ctx context.Context) (orchestrator.Totals, error) {
		st := open(t, path)
		defer st.Close()
		return cluster.Coordinate(ctx, nc, list(n), ledger.New(st), orchestrator.BatchConfig{Concurrency: 2},
			cluster.Config{Manifest: manifest, Lease: lease, Losses: kills + 1})
	}
	ctx, stop := context.WithCancel(t.Context())
	first := make(chan error, 1)
	go func() { _, err := coordinate(ctx); first <- err }()
	inFlight := 0
	for range kills {
		inFlight += killOne(t, s.ClientURL())
	}
	stop()
	if err := <-first; err == nil {
		t.Fatal("the first coordinator has done everything")
	}
	p := &till{}
	var c crew
	c.hire(t, t.Context(), s.ClientURL(), p, 2)
	totals, err := coordinate(t.Context())
	if err != nil || totals.Done+totals.Skipped != n {
		t.Fatalf("%+v, %v", totals, err)
	}
	c.wg.Wait()
	equal(t, seals(t, path), want)
	if paid := kills*stuckAt + p.n; paid > calls+inFlight || p.repaid() > 0 {
		t.Errorf("%d calls were paid for, %d in flight when their worker was killed; alone %d", paid, inFlight, calls)
	}
}

// killOne starts a worker, kills it when it is stuck and returns the number of
// calls that were in flight then, at most.
func killOne(t *testing.T, url string) (inFlight int) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), workerURL+"="+url)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(30*time.Second, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	stuck := fmt.Sprintf("paid %d", stuckAt)
	found := false
	for lines := bufio.NewScanner(out); !found && lines.Scan(); {
		found = strings.TrimSpace(lines.Text()) == stuck
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait() // killed: it has no other end
	if !found {
		t.Fatal("the worker did not come to its last call")
	}
	const atOnce = 4 // analysts work in parallel
	return atOnce
}
