package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// site is a batch on many machines: a NATS server, workers and a coordinator, each
// a process of its own.
type site struct {
	t     *testing.T
	draw  *rand.Rand
	far   *till
	w     *watch
	dir   string // the NATS server's store
	port  int
	nats  *child
	coord *child
	hands []*child
	done  map[string]int // what was done to it
	cache bool           // the server keeps replies for all workers
}

func (s *site) url() string { return "nats://127.0.0.1:" + strconv.Itoa(s.port) }

// clockOf is the environment of a child, half of which have clocks that jump.
func clockOf(draw *rand.Rand) []string {
	if draw.IntN(2) == 0 {
		return nil
	}
	return []string{clockVariable + "=" + strconv.Itoa(draw.IntN(1<<20))}
}

func (s *site) coordinate() {
	durable := []string{"batch", "step"}[s.draw.IntN(2)]
	s.coord = start(s.t, clockOf(s.draw), "mars", "synth", "--data", "data", "--tasks", "tasks.jsonl", "--model", "openai:paid",
		"--max-tokens", "1500", "--max-failures", "0", "--budget-tokens", fmt.Sprint(s.w.cap), "--cluster", s.url(), "--nats-unsynced", "--lease", "3s", "--concurrency", "8",
		"--durable", durable, fmt.Sprintf("--cluster-cache=%v", s.cache), "--out", s.w.path)
	s.far.child()
}

func (s *site) hire() {
	s.hands = append(s.hands, start(s.t, clockOf(s.draw), "mars", "worker", "--data", "data", "--cluster", s.url(),
		"--base-url", s.far.of(s.far.child()), "--call-timeout", "600ms", "--concurrency", fmt.Sprint(1+s.draw.IntN(6))))
}

// restart kills the server and starts it again, with its store or without.
func (s *site) restart(wiped bool) {
	s.nats.kill()
	if wiped {
		s.dir = s.t.TempDir()
	}
	s.nats = natsAt(s.t, s.dir, s.port)
}

// strike does something to the site.
func (s *site) strike() {
	hand := func() (*child, int) {
		i := s.draw.IntN(len(s.hands))
		return s.hands[i], i
	}
	var what string
	switch s.draw.IntN(8) {
	case 0, 1, 2:
		what = "a worker is killed"
		h, i := hand()
		h.kill()
		s.hands = append(s.hands[:i], s.hands[i+1:]...)
		s.hire()
	case 3:
		what = "a worker comes"
		s.hire()
	case 4:
		what = "a worker falls silent"
		h, _ := hand()
		if h.Process.Signal(syscall.SIGSTOP) == nil {
			time.AfterFunc(4*time.Second, func() { _ = h.Process.Signal(syscall.SIGCONT) })
		}
	case 5:
		what = "the coordinator is killed"
		s.coord.kill()
		s.w.look(s.t, false)
		s.coordinate()
	case 6:
		what = "the NATS server is killed"
		s.restart(false)
	case 7:
		what = "the NATS server is wiped"
		s.restart(true)
	}
	s.done[what]++
}

// finish waits for the coordinator, and then for the workers.
func (s *site) finish(codes ...int) {
	s.coord.exit(s.t, codes...)
	for _, h := range s.hands {
		select {
		case <-h.ended:
		case <-time.After(10 * time.Second):
			// It was silent, or the server away, when the batch was over, so it
			// waits for the next one until it is told to go.
			s.done["a worker that did not hear of the end"]++
			for range 3 {
				if h.over() {
					break
				}
				_ = h.Process.Signal(os.Interrupt)
				wait(s.t.Context(), 500*time.Millisecond)
			}
		}
		h.exit(s.t, exitOK, exitFailure)
	}
	s.hands = nil
}

// TestChaosOfACluster makes a batch by workers against a provider that goes wrong,
// and kills workers, the coordinator and the NATS server, silences workers and
// wipes the server's store: each run has one result, the one it has undisturbed,
// and nothing that the store had is paid for again by those who come later.
func TestChaosOfACluster(t *testing.T) {
	dir := smallWorld(t, "16")
	programs(t, dir)
	want := expect(t)
	rounds(t, func(t *testing.T, seed uint64) {
		far := newTill(t, seed)
		s := &site{t: t, draw: rand.New(rand.NewPCG(seed, 4)), far: far, dir: filepath.Join(dir, fmt.Sprint("nats-", seed)), port: freePort(t), done: map[string]int{},
			w: &watch{path: fmt.Sprintf("run-%d.db", seed), far: far, want: want, had: map[string]bool{}, seals: map[string]string{}, cap: 60_000_000}}
		if s.draw.IntN(3) == 0 {
			s.w.cap = int64(200_000 + s.draw.IntN(300_000))
		}
		far.SetRate([]float64{0.02, 0.1, 0.2}[s.draw.IntN(3)])
		s.cache = s.draw.IntN(2) == 0
		s.nats = natsAt(t, s.dir, s.port)
		s.coordinate()
		s.hire()
		s.hire()
		for i := 0; i < *chaosKills && !s.coord.over(); i++ {
			wait(t.Context(), time.Duration(100+s.draw.IntN(500))*time.Millisecond)
			s.strike()
		}
		s.coord.exit(t, exitOK, exitFailure, exitBudget)
		for try := 0; try < 3 && s.w.left(t) > 0; try++ { // such as a server that was away for the first connection
			t.Logf("the coordinator stopped: %s", s.coord.said.String())
			s.w.look(t, false)
			s.w.cap = 60_000_000
			s.hire()
			s.coordinate()
			s.finish(exitOK, exitFailure)
		}
		s.w.look(t, false)
		s.w.end(t, true)
		far.SetRate(0)
		s.hire()
		s.coordinate()
		s.finish(exitOK, exitFailure)
		s.nats.kill()
		s.w.look(t, false)
		s.w.end(t, false)
		all, different := far.asked()
		t.Logf("%v: %d requests, %d different, %d of them by those who had lost the run", s.done, all, different, far.twice)
	})
}

// TestClusterStopsAtItsBudget: a budget in money that is reached ends the
// coordinator, and its workers wait; with larger ones the batch goes on to the same
// runs, and nothing is paid twice.
func TestClusterStopsAtItsBudget(t *testing.T) {
	dir := smallWorld(t, "3")
	programs(t, dir)
	if err := os.WriteFile("prices.yaml", []byte(pricesYAML), 0o600); err != nil {
		t.Fatal(err)
	}
	plain, p := newPaid(t), newPaid(t)
	mars(t, "synth", "--data", "data", "--tasks", "tasks.jsonl", "--model", "openai:paid", "--base-url", plain.url, "--max-tokens", "1500", "--out", "plain.db")
	port := freePort(t)
	natsAt(t, filepath.Join(dir, "nats-store"), port)
	url := "nats://127.0.0.1:" + strconv.Itoa(port)
	var hands []*child
	for range 2 {
		hands = append(hands, start(t, nil, "mars", "worker", "--data", "data", "--cluster", url, "--base-url", p.url))
	}
	var report struct{ Spend *spendReport }
	stops := 0
	for code := exitBudget; code == exitBudget; stops++ {
		budget := fmt.Sprintf("0.%02d", 4*(stops+1))
		c := start(t, nil, "mars", "synth", "--data", "data", "--tasks", "tasks.jsonl", "--model", "openai:paid", "--prices", "prices.yaml", "--budget", budget,
			"--max-tokens", "1500", "--cluster", url, "--nats-unsynced", "--out", "run.db", "--json")
		code = c.exit(t, exitOK, exitBudget)
		if err := json.Unmarshal(c.out.Bytes(), &report); err != nil || report.Spend == nil || report.Spend.Total.Cost > report.Spend.MaxCost || stops > 20 {
			t.Fatalf("%v: %s%s", err, c.out.String(), c.said.String())
		}
	}
	for _, h := range hands {
		h.exit(t, exitOK)
	}
	if n := int64(report.Spend.Total.Calls); stops < 2 || n != p.calls.Load() || n != plain.calls.Load() {
		t.Errorf("%d budgets, %d calls are told, %d were paid; in one process %d", stops, n, p.calls.Load(), plain.calls.Load())
	}
	sameSeals(t, seals(t, "plain.db"), "run.db")
	mars(t, "verify", "run.db")
}

// TestWorkersKeepAndFallBack: a worker's calls go to its fallback where the first
// model is away, and what its cache knows, or that of all workers, is not paid again.
func TestWorkersKeepAndFallBack(t *testing.T) {
	for name, c := range map[string]struct{ worker, synth []string }{
		"a file of the worker":   {worker: []string{"--cache", "replies.db"}},
		"the cluster's":          {synth: []string{"--cluster-cache", "--cache-size", "10000000"}},
		"both: its own is asked": {worker: []string{"--cache", "replies.db"}, synth: []string{"--cluster-cache"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := smallWorld(t, "2")
			programs(t, dir)
			p := newPaid(t)
			port := freePort(t)
			natsAt(t, filepath.Join(dir, "nats-store"), port)
			url, calls := "nats://127.0.0.1:"+strconv.Itoa(port), int64(0)
			for i, out := range []string{"first.db", "second.db"} {
				hand := start(t, nil, "mars", slices.Concat([]string{"worker", "--data", "data", "--cluster", url, "--base-url", "http://127.0.0.1:1/v1",
					"--fallback", "openai:paid@" + p.url, "--attempts", "2"}, c.worker)...)
				start(t, nil, "mars", slices.Concat([]string{"synth", "--data", "data", "--tasks", "tasks.jsonl", "--model", "openai:other", "--cluster", url, "--nats-unsynced",
					"--out", out}, c.synth)...).exit(t, exitOK)
				hand.exit(t, exitOK)
				if i == 0 {
					calls = p.calls.Load()
				}
			}
			if calls == 0 || p.calls.Load() != calls {
				t.Errorf("%d calls were paid, and then %d more", calls, p.calls.Load()-calls)
			}
			sameSeals(t, seals(t, "first.db"), "second.db")
		})
	}
}
