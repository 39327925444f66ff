package main

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/model/budget"
	"github.com/mars-rec/mars/trajectories"
	"github.com/mars-rec/mars/trajectories/store"
)

// What `make chaos` sets. A round that fails names its seed; with that seed and
// one round the same is drawn again. Where processes are killed in their work is
// a matter of microseconds, so a seed leads near, not to the instruction.
var (
	chaosSeed   = flag.Uint64("chaos.seed", 1, "seed of the first round of the chaos tests; each next one has the next")
	chaosRounds = flag.Int("chaos.rounds", 1, "rounds of each chaos test")
	chaosKills  = flag.Int("chaos.kills", 5, "times that a round kills, or does other harm")
)

// rounds runs a round of a chaos test for each seed.
func rounds(t *testing.T, f func(t *testing.T, seed uint64)) {
	for i := range *chaosRounds {
		seed := *chaosSeed + uint64(i)
		if !t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) { f(t, seed) }) {
			t.Fatalf("the round with seed %d fails: -chaos.seed %d -chaos.rounds 1", seed, seed)
		}
	}
}

// expected is what a batch comes to where nothing goes wrong on the way: the same
// answers, right and wrong.
type expected struct {
	runs  map[string]store.Summary // by id
	first map[string][]string      // answers that a request follows from, by its body
}

// expect makes the batch undisturbed, as ref.db.
func expect(t *testing.T) expected {
	t.Helper()
	far := newTill(t, 0)
	c := start(t, nil, "mars", "synth", "--data", "data", "--tasks", "tasks.jsonl", "--model", "openai:paid", "--base-url", far.of(far.child()),
		"--max-tokens", "1500", "--max-failures", "0", "--out", "ref.db")
	c.exit(t, exitOK, exitFailure)
	e := expected{runs: map[string]store.Summary{}, first: map[string][]string{}}
	for sum, log := range logs(t, "ref.db") {
		e.runs[sum.ID] = sum
		if sum.Status != trajectories.Done && (sum.Status != trajectories.Failed || sum.Cause == "") {
			t.Fatalf("run %s is %s: %q", sum.ID, sum.Status, sum.Cause)
		}
		e.causes(log, far)
	}
	all, different := far.asked()
	t.Logf("undisturbed: %d runs, %d requests", len(e.runs), all)
	if all != different {
		t.Fatalf("of %d requests %d are different: the bill could not tell what is asked again", all, different)
	}
	return e
}

// causes notes for each request of a run which answers it follows from.
func (e expected) causes(log []message.Envelope, far *till) {
	before := map[message.ID]map[string]bool{} // bodies of the answers that a message follows from
	for _, m := range log {
		read := map[string]bool{}
		for _, ref := range m.Refs {
			maps.Copy(read, before[ref])
		}
		if key, ok := far.bodyOf[m.Meta.Provider]; ok && m.Meta.Provider != "" {
			e.first[key] = slices.Collect(maps.Keys(read))
			read[key] = true
		}
		before[m.ID] = read
	}
}

// logs yields the runs of a store with what is recorded of them.
func logs(t *testing.T, path string) func(func(store.Summary, []message.Envelope) bool) {
	return func(yield func(store.Summary, []message.Envelope) bool) {
		t.Helper()
		st, err := store.Open(t.Context(), path, store.Config{ReadOnly: true})
		if err != nil {
			t.Fatal(err)
		}
		defer st.Close()
		for sum, err := range st.Runs(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			tr, err := st.Trajectory(t.Context(), sum.ID)
			if err != nil {
				t.Fatal(err)
			}
			if !yield(sum, tr.Log) {
				return
			}
		}
	}
}

// watch looks at a store after each child.
type watch struct {
	path    string
	far     *till
	want    expected
	had     map[string]bool   // answers that were in the store, by the provider's id
	seals   map[string]string // of runs that were done
	synced  int               // requests of children that wait for the disk, up to this place in the order, are checked
	cap     int64             // of tokens; 0: none
	checked int
}

// look checks that the store is sound and has all that it ever had, that the
// account is no smaller than the bill, and that nothing was paid again.
func (w *watch) look(t *testing.T, step bool) {
	t.Helper()
	if _, err := os.Stat(w.path + ".mark"); err != nil && len(w.had) == 0 {
		return // killed before it was made: the next process makes it
	}
	code, out, messages := marsExits(t, "verify", w.path)
	if code != exitOK {
		t.Fatalf("verify: exit %d\n%s%s", code, out, messages)
	}
	w.far.mu.Lock()
	arrived := len(w.far.order) // before the store is read: what comes later may be there or not
	w.far.mu.Unlock()
	has, bodies, runs := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for sum, log := range logs(t, w.path) {
		if runs[sum.ID] {
			t.Fatalf("run %s is there twice", sum.ID)
		}
		runs[sum.ID] = true
		if seal, done := w.seals[sum.ID]; done && seal != sum.Seal {
			t.Fatalf("run %s was done and is %s, another one", sum.ID, sum.Status)
		}
		if sum.Status == trajectories.Done {
			w.seals[sum.ID] = sum.Seal
		}
		for _, m := range log {
			if m.Meta.Provider != "" {
				has[m.Meta.Provider] = true
				w.far.mu.Lock()
				bodies[w.far.bodyOf[m.Meta.Provider]] = true
				w.far.mu.Unlock()
			}
		}
	}
	for id := range w.had {
		if !has[id] {
			t.Fatalf("the answer %s was in the store and is not there", id)
		}
	}
	w.had = has
	w.far.kept(slices.Collect(maps.Keys(has)))
	w.far.mu.Lock()
	order := w.far.order[w.synced:arrived]
	w.synced = arrived
	again := w.far.again
	w.far.mu.Unlock()
	if len(again) > 0 {
		t.Fatalf("paid again: %s (%d in all)", again[0], len(again))
	}
	if step { // a child that waits for the disk has asked for nothing before what it follows from was there
		for _, key := range order {
			for _, cause := range w.want.first[key] {
				if w.checked++; !bodies[cause] {
					t.Fatal("a request was made, and an answer that it follows from is not in the store")
				}
			}
		}
	}
	w.account(t)
}

// account compares the account with the provider's bill, and with the cap.
func (w *watch) account(t *testing.T) {
	t.Helper()
	if w.cap == 0 {
		return
	}
	billed := w.far.Billed()
	s, err := budget.ReadJournal(w.path + ".spend")
	if errors.Is(err, fs.ErrNotExist) && billed == 0 {
		return // killed before it was made
	}
	if err != nil {
		t.Fatal(err)
	}
	if told := s.Total.Tokens(); told < billed || told > w.cap {
		t.Fatalf("%d tokens are billed, %d are told of at most %d", billed, told, w.cap)
	}
}

// left is the number of runs that are neither done nor failed.
func (w *watch) left(t *testing.T) int {
	t.Helper()
	n := len(w.want.runs)
	if _, err := os.Stat(w.path + ".mark"); err != nil {
		return n
	}
	for sum := range logs(t, w.path) {
		if sum.Status == trajectories.Done || sum.Status == trajectories.Failed {
			n--
		}
	}
	return n
}

// end checks what the batch came to: each run done as if nothing had happened, or
// failed as it would have.
func (w *watch) end(t *testing.T, disturbed bool) {
	t.Helper()
	n := 0
	for sum := range logs(t, w.path) {
		n++
		want := w.want.runs[sum.ID]
		switch {
		case sum.Status != trajectories.Done && (sum.Status != trajectories.Failed || sum.Cause == ""):
			t.Errorf("run %s is %s, with the cause %q", sum.ID, sum.Status, sum.Cause)
		case sum.Status == trajectories.Done && sum.Seal != want.Seal:
			t.Errorf("run %s is another than undisturbed", sum.ID)
		case !disturbed && sum.Status != want.Status:
			t.Errorf("run %s is %s (%s), undisturbed %s (%s)", sum.ID, sum.Status, sum.Cause, want.Status, want.Cause)
		}
	}
	if n != len(w.want.runs) {
		t.Errorf("%d runs, want %d", n, len(w.want.runs))
	}
	if !disturbed {
		mars(t, "replay", w.path)
	}
}

// TestChaos lets mars synth work against a provider that goes wrong, and kills it
// at random moments. After each time the store is sound and has all that it ever
// had, and nothing that it has is paid for again; in the end each run is what it
// is where nothing goes wrong.
func TestChaos(t *testing.T) {
	dir := smallWorld(t, "16")
	programs(t, dir)
	want := expect(t)
	rounds(t, func(t *testing.T, seed uint64) {
		draw := rand.New(rand.NewPCG(seed, 1))
		far := newTill(t, seed)
		w := &watch{path: fmt.Sprintf("run-%d.db", seed), far: far, want: want, had: map[string]bool{}, seals: map[string]string{}, cap: 60_000_000}
		args := []string{"synth", "--data", "data", "--tasks", "tasks.jsonl", "--model", "openai:paid", "--max-tokens", "1500", "--max-failures", "0",
			"--call-timeout", "600ms", "--out", w.path}
		if draw.IntN(3) == 0 {
			args = append(args, "--cache", fmt.Sprintf("replies-%d.db", seed))
		}
		small := []string{"--budget-tokens", fmt.Sprint(w.cap)}
		if draw.IntN(3) == 0 {
			w.cap = int64(200_000 + draw.IntN(300_000))
			small[1] = fmt.Sprint(w.cap)
		}
		child := func(step bool, budget []string) *child {
			var env []string
			if draw.IntN(2) == 0 {
				env = append(env, clockVariable+"="+strconv.Itoa(draw.IntN(1<<20)))
			}
			own := []string{"--base-url", far.of(far.child()), "--concurrency", fmt.Sprint(1 + draw.IntN(16))}
			if step {
				own = append(own, "--durable", "step")
			}
			return start(t, env, "mars", slices.Concat(args, budget, own)...)
		}
		killed := 0
		for range *chaosKills {
			far.SetRate([]float64{0, 0.1, 0.5}[draw.IntN(3)])
			step := draw.IntN(2) == 0
			c := child(step, small)
			wait(t.Context(), time.Duration(50+draw.IntN(450))*time.Millisecond)
			c.kill()
			if c.exit(t, exitOK, exitFailure, exitBudget) == -1 {
				killed++
			}
			w.look(t, step)
		}
		far.SetRate(0.04)
		if child(false, small).exit(t, exitOK, exitFailure, exitBudget) == exitBudget {
			w.look(t, false)
			w.cap = 60_000_000
			child(false, []string{"--budget-tokens", fmt.Sprint(w.cap)}).exit(t, exitOK, exitFailure)
		}
		w.look(t, false)
		w.end(t, true)
		far.SetRate(0)
		w.cap = 60_000_000
		child(false, []string{"--budget-tokens", fmt.Sprint(w.cap)}).exit(t, exitOK, exitFailure)
		w.look(t, false)
		w.end(t, false)
		all, different := far.asked()
		wrong := 0
		for _, n := range far.Counts() {
			wrong += n
		}
		t.Logf("killed %d times: %d requests, %d different; %d went wrong; %d times a request followed from what the disk had to have",
			killed, all, different, wrong, w.checked)
	})
}
