package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/orchestrator"
	"github.com/mars-rec/mars/tasks"
)

// book is a ledger in memory that remembers what a store on disk would.
type book struct {
	facts  map[string]map[message.ID]message.Envelope
	sealed map[string]int
	failed map[string]int
}

func (b *book) Begin(_ context.Context, run string, _ tasks.Task) (orchestrator.Entry, error) {
	if b.sealed[run] > 0 {
		return nil, orchestrator.ErrDone
	}
	if b.facts[run] == nil {
		b.facts[run] = map[message.ID]message.Envelope{}
	}
	return &page{b, run}, nil
}

type page struct {
	*book
	run string
}

func (p *page) Recall(id message.ID, _ string) (message.Envelope, bool, error) {
	e, ok := p.facts[p.run][id]
	return e, ok, nil
}

func (p *page) Append(_ context.Context, e message.Envelope) error {
	if have, ok := p.facts[p.run][e.ID]; ok && !have.Equal(e) {
		return message.ErrConflict
	}
	p.facts[p.run][e.ID] = e
	return nil
}

func (p *page) Seal(context.Context, orchestrator.Result) error { p.sealed[p.run]++; return nil }
func (p *page) Fail(context.Context, error) error               { p.failed[p.run]++; return nil }

// hand is a worker of the simulation: a run of five facts, which it recalls or
// pays for, one a step.
type hand struct {
	hold    string
	next    int
	log     []message.Envelope
	stopped bool
}

const facts = 5

// TestSchedules plays 500 schedules of workers that come, die, fall silent for
// longer than their lease and come back, of calls that are lost, doubled and late,
// and of coordinators that start anew: each run has one committed result, and no
// fact that the ledger has is paid for again.
func TestSchedules(t *testing.T) {
	for seed := range uint64(500) {
		if err := play(t.Context(), rand.New(rand.NewPCG(seed, 1))); err != nil {
			t.Fatalf("schedule %d: %v", seed, err)
		}
	}
}

func play(ctx context.Context, draw *rand.Rand) error {
	const run = "r"
	now := time.Unix(0, 0)
	b := &book{facts: map[string]map[message.ID]message.Envelope{}, sealed: map[string]int{}, failed: map[string]int{}}
	cfg := Config{Lease: 10 * time.Second, Losses: 1 << 30, Clock: func() time.Time { return now }}
	var c *coordinator
	var j *job
	start := func() error {
		c = &coordinator{cfg: cfg, ledger: b, jobs: map[string]*job{}, done: map[string]bool{}, halted: make(chan struct{}), limiters: map[string]*model.Limiter{}}
		entry, err := b.Begin(ctx, run, tasks.Task{})
		if errors.Is(err, orchestrator.ErrDone) {
			c.done[run] = true
			return nil
		}
		j = &job{c: c, run: run, entry: orchestrator.NewMeter(entry), tell: func(orchestrator.Event) {}, ended: make(chan struct{}), calls: map[string]*reserved{}}
		c.jobs[run] = j
		return err
	}
	if err := start(); err != nil {
		return err
	}
	var hands []*hand
	var late []call // calls that the network still has
	ask := func(in call) (answer, bool) {
		in.Run = run
		if draw.IntN(4) == 0 {
			late = append(late, in)
		}
		if draw.IntN(8) == 0 {
			return answer{}, false // lost
		}
		a := c.answer(ctx, in)
		return a, draw.IntN(8) > 0 // or its answer is
	}
	for step := 0; b.sealed[run] == 0 || step < 60; step++ {
		if step == 5000 {
			return errors.New("the run does not end")
		}
		now = now.Add(time.Duration(draw.IntN(3000)) * time.Millisecond)
		switch draw.IntN(12) {
		case 0:
			hands = append(hands, &hand{hold: fmt.Sprint("h", step)})
		case 1:
			if draw.IntN(6) == 0 {
				if err := start(); err != nil {
					return err
				}
			}
		case 2:
			now = now.Add(time.Duration(draw.IntN(15)) * time.Second)
		case 3:
			if len(late) > 0 {
				i := draw.IntN(len(late))
				c.answer(ctx, late[i])
				late = slices.Delete(late, i, i+1)
			}
		case 4:
			if len(hands) > 0 {
				i := draw.IntN(len(hands))
				hands = slices.Delete(hands, i, i+1) // killed
			}
		default:
			if len(hands) > 0 {
				i := draw.IntN(len(hands))
				if err := hands[i].step(b.facts[run], ask); err != nil {
					return err
				}
				if hands[i].stopped {
					hands = slices.Delete(hands, i, i+1)
				}
			}
		}
	}
	switch {
	case b.sealed[run] != 1:
		return fmt.Errorf("sealed %d times", b.sealed[run])
	case len(b.facts[run]) != facts:
		return fmt.Errorf("%d facts, want %d", len(b.facts[run]), facts)
	}
	return nil
}

// TestOtherFactsAreNoFailure: a worker that has lost its run, and takes it up anew
// with a coordinator that has just started, says something else than the ledger
// has. The run is not its own, and goes on with what the ledger has; a run of which
// everybody says something else fails.
func TestOtherFactsAreNoFailure(t *testing.T) {
	b := &book{facts: map[string]map[message.ID]message.Envelope{}, sealed: map[string]int{}, failed: map[string]int{}}
	fact := func(text string) []message.Envelope {
		return []message.Envelope{{ID: "1.1", Kind: "fact", Body: json.RawMessage(fmt.Sprintf("%q", text)), Meta: message.Meta{Digest: "d"}}}
	}
	const losses = 3
	entry, err := b.Begin(t.Context(), "r", tasks.Task{})
	if err != nil {
		t.Fatal(err)
	}
	if err := entry.Append(t.Context(), fact("of the worker that had it last")[0]); err != nil {
		t.Fatal(err)
	}
	c := &coordinator{cfg: Config{Lease: time.Hour, Losses: losses, Clock: time.Now}, ledger: b, jobs: map[string]*job{}, done: map[string]bool{}}
	c.jobs["r"] = &job{c: c, run: "r", entry: orchestrator.NewMeter(entry), tell: func(orchestrator.Event) {}, ended: make(chan struct{}), calls: map[string]*reserved{}}
	for i := range losses {
		hold, want := fmt.Sprint("h", i), stateTaken
		if i == losses-1 {
			want = stateRefused
		}
		if a := c.answer(t.Context(), call{Op: opBegin, Run: "r", Hold: hold}); a.State != stateOK {
			t.Fatalf("begin: %+v", a)
		}
		if a := c.answer(t.Context(), call{Op: opRecall, Run: "r", Hold: hold, ID: "1.1", Digest: "d"}); a.Fact == nil {
			t.Errorf("recall: %+v", a)
		}
		if a := c.answer(t.Context(), call{Op: opAppend, Run: "r", Hold: hold, Log: fact("of one that had lost it")}); a.State != want {
			t.Errorf("append: %+v, want %s", a, want)
		}
	}
}

// step lets the worker do one thing.
func (h *hand) step(durable map[message.ID]message.Envelope, ask func(call) (answer, bool)) error {
	in := call{Op: opBegin, Hold: h.hold}
	if h.next > 0 {
		in.Op = opAppend
		if len(h.log) < h.next && h.next <= facts {
			return h.fetch(durable, ask)
		}
		in.Log = h.log
		if h.next > facts {
			in = call{Op: opEnd, Hold: h.hold, Result: &orchestrator.Result{}}
		}
	}
	a, ok := ask(in)
	switch {
	case !ok: // again at the next step
	case a.State == stateOK:
		h.next++
	case a.State == stateUnheld: // a coordinator that knows nothing of it
		for _, again := range []call{{Op: opBegin, Hold: h.hold}, {Op: opAppend, Hold: h.hold, Log: h.log}} {
			if a, ok := ask(again); ok && a.State != stateOK {
				h.stopped = true
			}
		}
	case a.State == stateRefused:
		return errors.New(a.Text)
	default:
		h.stopped = true
	}
	return nil
}

// fetch recalls the next fact, or pays for it. Each worker is answered otherwise,
// as by a model.
func (h *hand) fetch(durable map[message.ID]message.Envelope, ask func(call) (answer, bool)) error {
	id := message.Root.Child(h.next)
	a, ok := ask(call{Op: opRecall, Hold: h.hold, ID: id, Digest: "d"})
	switch {
	case !ok:
		return nil
	case a.State == stateUnheld:
		ask(call{Op: opBegin, Hold: h.hold})
		ask(call{Op: opAppend, Hold: h.hold, Log: h.log})
		return nil
	case a.State != stateOK:
		h.stopped = true
		return nil
	case a.Fact != nil:
		h.log = append(h.log, *a.Fact)
		return nil
	}
	if _, known := durable[id]; known {
		return fmt.Errorf("%s pays for %s, which the ledger has", h.hold, id)
	}
	h.log = append(h.log, message.Envelope{ID: id, Kind: "fact", Body: json.RawMessage(fmt.Sprintf("%q", h.hold)), Meta: message.Meta{Digest: "d"}})
	return nil
}
