package cluster

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/model/budget"
	"github.com/mars-rec/mars/orchestrator"
	"github.com/mars-rec/mars/tasks"
)

// payroll is a budget in a file, what providers billed, and the runs of workers
// that spend it. Each call can come to most tokens.
type payroll struct {
	path    string
	journal *budget.Journal
	cap     int64
	billed  int64
	c       *coordinator
	jobs    []*job
	unknown int // calls of which nobody has told what they came to
	amended int // of which somebody did, later
}

const most = 1000

// start is a coordinator that takes up where the one before ended or died.
func (p *payroll) start() error {
	if p.c != nil {
		for _, j := range p.jobs {
			j.mu.Lock()
			for _, r := range j.calls {
				r.cancel() // the process is gone: nothing is settled
			}
			j.mu.Unlock()
		}
		p.c.obtaining.Wait()
	}
	var err error
	if p.journal, err = budget.OpenJournal(p.path, budget.Prices{}); err != nil {
		return err
	}
	b, err := budget.New(budget.Config{Tokens: p.cap, Journal: p.journal})
	if err != nil {
		return err
	}
	ledger := &book{facts: map[string]map[message.ID]message.Envelope{}, sealed: map[string]int{}, failed: map[string]int{}}
	p.c = &coordinator{cfg: Config{Lease: 10 * time.Second, Losses: 1 << 30, Clock: time.Now, Budget: b}, ledger: ledger,
		jobs: map[string]*job{}, done: map[string]bool{}, halted: make(chan struct{}), limiters: map[string]*model.Limiter{}}
	p.jobs = nil
	for i := range 3 {
		run := fmt.Sprint("r", i)
		entry, err := ledger.Begin(context.Background(), run, tasks.Task{})
		if err != nil {
			return err
		}
		j := &job{c: p.c, run: run, entry: orchestrator.NewMeter(entry), tell: func(orchestrator.Event) {}, ended: make(chan struct{}), calls: map[string]*reserved{}}
		p.jobs, p.c.jobs[run] = append(p.jobs, j), j
	}
	return nil
}

// told is what the account has: what is settled, and what calls hold.
func (p *payroll) told() int64 {
	s := p.c.cfg.Budget.Statement()
	return s.Total.Tokens() + s.Held
}

// spender is a worker at one run: it begins, and then makes one call after the
// other.
type spender struct {
	run, hold string
	begun     bool
	n         int
	calling   bool // a call is in flight, which costs so much
	cost      int
	dues      []due
}

// TestAccountsOfSchedules plays 300 schedules of workers that pay for calls of
// models, and die, fall silent and come back; of calls to the coordinator that are
// lost, doubled and late; of coordinators that die and start anew. At every step
// the account has all that was billed, and no more than the cap.
func TestAccountsOfSchedules(t *testing.T) {
	refused, amended := 0, 0
	for seed := range uint64(300) {
		p := &payroll{path: filepath.Join(t.TempDir(), "account"), cap: 20_000}
		synctest.Test(t, func(t *testing.T) {
			n, err := p.play(t.Context(), rand.New(rand.NewPCG(seed, 2)))
			if err != nil {
				t.Fatalf("schedule %d: %v", seed, err)
			}
			refused, amended = refused+n, amended+p.amended
		})
	}
	t.Logf("%d calls were refused by the budget, of %d it was told late what they came to", refused, amended)
	if refused == 0 || amended == 0 {
		t.Error("the schedules are not hard enough")
	}
}

func (p *payroll) play(ctx context.Context, draw *rand.Rand) (refused int, err error) {
	if err := p.start(); err != nil {
		return 0, err
	}
	var hands []*spender
	var late []call
	ask := func(in call) (answer, bool) {
		if draw.IntN(5) == 0 {
			late = append(late, in)
		}
		if draw.IntN(8) == 0 {
			return answer{}, false
		}
		a := p.c.answer(ctx, in)
		return a, draw.IntN(8) > 0
	}
	for step := range 400 {
		time.Sleep(time.Duration(draw.IntN(1500)) * time.Millisecond)
		switch draw.IntN(14) {
		case 0, 1:
			hands = append(hands, &spender{run: fmt.Sprint("r", draw.IntN(3)), hold: fmt.Sprint("h", step)})
		case 2:
			if draw.IntN(5) == 0 {
				if err := p.start(); err != nil {
					return refused, err
				}
			}
		case 3:
			time.Sleep(time.Duration(draw.IntN(15)) * time.Second)
		case 4:
			for _, j := range p.jobs {
				j.expire()
			}
		case 5:
			if len(late) > 0 {
				i := draw.IntN(len(late))
				p.c.answer(ctx, late[i])
				late = slices.Delete(late, i, i+1)
			}
		case 6:
			if len(hands) > 0 {
				i := draw.IntN(len(hands))
				p.billed += int64(hands[i].cost) // killed, and what was in flight is billed
				hands = slices.Delete(hands, i, i+1)
			}
		default:
			if len(hands) > 0 {
				i := draw.IntN(len(hands))
				state := hands[i].step(p, draw, ask)
				if state == stateBroke {
					refused++
				}
				if state == stateTaken || state == stateBroke || state == stateDone {
					p.billed += int64(hands[i].cost)
					hands = slices.Delete(hands, i, i+1)
				}
			}
		}
		flying := int64(0)
		for _, h := range hands {
			flying += int64(h.cost)
		}
		unknown := p.c.cfg.Budget.Statement().Total.Unknown
		p.amended += max(0, p.unknown-unknown)
		p.unknown = unknown
		if told := p.told(); p.billed+flying > told || told > p.cap {
			return refused, fmt.Errorf("step %d: %d tokens are billed and %d in flight, the account tells of %d, the cap is %d", step, p.billed, flying, told, p.cap)
		}
	}
	return refused, p.over(hands)
}

// over ends the schedule, and compares the account with the bill once more.
func (p *payroll) over(hands []*spender) error {
	for _, j := range p.jobs {
		j.interrupt()
	}
	p.c.obtaining.Wait()
	for _, h := range hands {
		p.billed += int64(h.cost)
	}
	if told := p.told(); p.billed > told || told > p.cap {
		return fmt.Errorf("in the end %d tokens are billed, the account tells of %d, the cap is %d", p.billed, told, p.cap)
	}
	return p.journal.Close()
}

// step lets the worker do one thing: begin, reserve and start a call, or end it.
func (h *spender) step(p *payroll, draw *rand.Rand, ask func(call) (answer, bool)) state {
	in := call{Op: opBegin, Run: h.run, Hold: h.hold, Paid: h.dues}
	switch {
	case h.calling:
		p.billed += int64(h.cost)
		d := due{ID: fmt.Sprint("1.1#", h.n)}
		if draw.IntN(4) > 0 { // otherwise nobody told the usage
			d.Usage = &message.Usage{InputTokens: h.cost}
		}
		h.dues, h.calling, h.cost = append(h.dues, d), false, 0
		h.n++
		in.Op, in.Paid = opBeat, h.dues
	case h.begun:
		in.Op, in.Wish = opReserve, &wish{ID: fmt.Sprint("1.1#", h.n), Model: "m", Caller: "ranker", Input: most / 2, Output: most / 2}
	}
	a, ok := ask(in)
	if !ok {
		return ""
	}
	h.dues = h.dues[min(len(h.dues), len(in.Paid)):]
	switch {
	case a.State == stateUnheld:
		h.begun = false
	case a.State == stateOver: // no call is made under that name
		h.dues = append(h.dues, due{fmt.Sprint("1.1#", h.n), budget.Outcome{Free: true}})
		h.n++
	case a.State == stateOK && in.Op == opBegin:
		h.begun = true
	case a.State == stateOK && in.Op == opReserve:
		h.calling, h.cost = true, draw.IntN(most+1)
	case a.State == stateBusy:
		return stateTaken
	}
	return a.State
}

// TestReservationsAreBounded: what a worker asks for is checked, and so is how
// much of it.
func TestReservationsAreBounded(t *testing.T) {
	p := &payroll{path: filepath.Join(t.TempDir(), "account"), cap: 1 << 40}
	if err := p.start(); err != nil {
		t.Fatal(err)
	}
	if a := p.c.answer(t.Context(), call{Op: opBegin, Run: "r0", Hold: "h"}); a.State != stateOK {
		t.Fatal(a)
	}
	good := wish{ID: "1#1", Model: "m", Input: 10, Output: 10}
	for name, change := range map[string]func(*wish){
		"no id":         func(w *wish) { w.ID = "" },
		"a long name":   func(w *wish) { w.Model = string(make([]byte, maxText+1)) },
		"below nothing": func(w *wish) { w.Input = -1 << 40 },
		"no bound":      func(w *wish) { w.Output = 0 },
		"too large":     func(w *wish) { w.Input = 1 << 50 },
	} {
		w := good
		change(&w)
		if a := p.c.answer(t.Context(), call{Op: opReserve, Run: "r0", Hold: "h", Wish: &w}); a.State != stateRefused {
			t.Errorf("%s: %+v", name, a)
		}
	}
	if a := p.c.answer(t.Context(), call{Op: opReserve, Run: "r0", Hold: "h"}); a.State != stateRefused {
		t.Errorf("nothing asked for: %+v", a)
	}
	for i := range maxAtOnce + 1 {
		w := good
		w.ID = fmt.Sprint("2#", i)
		p.c.answer(t.Context(), call{Op: opReserve, Run: "r0", Hold: "h", Wish: &w})
	}
	if held := p.c.cfg.Budget.Statement().Held; held > maxAtOnce*20 {
		t.Errorf("%d tokens are held", held)
	}
	p.c.answer(t.Context(), call{Op: opEnd, Run: "r0", Hold: "h", Cause: "x"})
	p.c.obtaining.Wait()
	if s := p.c.cfg.Budget.Statement(); s.Held != 0 || s.Total.Unknown == 0 {
		t.Errorf("%+v", s)
	}
	if err := p.journal.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestLateReservationReservesNothing: a call for a reservation that is settled
// comes once more, and so does what it came to.
func TestLateReservationReservesNothing(t *testing.T) {
	p := &payroll{path: filepath.Join(t.TempDir(), "account"), cap: 1000}
	if err := p.start(); err != nil {
		t.Fatal(err)
	}
	paid := []due{{"1#1", budget.Outcome{Usage: &message.Usage{InputTokens: 7, OutputTokens: 5}}}}
	reserve := call{Op: opReserve, Run: "r0", Hold: "h", Wish: &wish{ID: "1#1", Model: "m", Input: 400, Output: 400}}
	for i, in := range []call{{Op: opBegin, Run: "r0", Hold: "h"}, reserve, reserve, {Op: opBeat, Run: "r0", Hold: "h", Paid: paid},
		reserve, {Op: opBeat, Run: "r0", Hold: "h", Paid: paid}} {
		want := stateOK
		if i == 4 {
			want = stateOver
		}
		if a := p.c.answer(t.Context(), in); a.State != want {
			t.Errorf("call %d: %+v, want %s", i, a, want)
		}
	}
	if s := p.c.cfg.Budget.Statement(); s.Held != 0 || s.Total.Tokens() != 12 || s.Total.Calls != 1 {
		t.Errorf("%+v", s)
	}
	p.c.obtaining.Wait()
	if err := p.journal.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestLateWord: a worker is lost before it has told what its call came to, and
// tells when the run is nobody's, another's, or done. That counts once, and whoever
// else tells of the call is not believed.
func TestLateWord(t *testing.T) {
	const reserved = 800
	paid := func(o budget.Outcome) []due { return []due{{"1#1", o}} }
	used := budget.Outcome{Usage: &message.Usage{InputTokens: 7, OutputTokens: 5}}
	other := []call{{Op: opBegin, Run: "r0", Hold: "other"}}
	done := append(slices.Clone(other), call{Op: opEnd, Run: "r0", Hold: "other", Result: &orchestrator.Result{}})
	for name, c := range map[string]struct {
		meanwhile, late []call
		state           state // of the last answer
		tokens          int64
		calls, unknown  int
	}{
		"nobody has the run":        {nil, []call{{Op: opBeat, Hold: "h", Paid: paid(used)}}, stateOK, 12, 1, 0},
		"another has the run":       {other, []call{{Op: opAppend, Hold: "h", Paid: paid(used)}}, stateTaken, 12, 1, 0},
		"the run is done":           {done, []call{{Op: opEnd, Hold: "h", Cause: "x", Paid: paid(used)}}, stateDone, 12, 1, 0},
		"it was never made":         {other, []call{{Op: opBeat, Hold: "h", Paid: paid(budget.Outcome{Free: true})}}, stateTaken, 0, 0, 0},
		"it does not know":          {other, []call{{Op: opBeat, Hold: "h", Paid: paid(budget.Outcome{})}}, stateTaken, reserved, 1, 1},
		"another tells":             {other, []call{{Op: opBeat, Hold: "other", Paid: paid(used)}}, stateOK, reserved, 1, 1},
		"a call that it never made": {other, []call{{Op: opBeat, Hold: "h", Paid: []due{{"1#2", used}}}}, stateTaken, reserved, 1, 1},
		"twice, and otherwise": {other, []call{{Op: opBeat, Hold: "h", Paid: paid(used)}, {Op: opBeat, Hold: "h", Paid: paid(budget.Outcome{Free: true})}},
			stateTaken, 12, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			p := &payroll{path: filepath.Join(t.TempDir(), "account"), cap: reserved}
			synctest.Test(t, func(t *testing.T) {
				if err := p.start(); err != nil {
					t.Fatal(err)
				}
				say := func(in call) state { in.Run = "r0"; return p.c.answer(t.Context(), in).State }
				say(call{Op: opBegin, Hold: "h"})
				if s := say(call{Op: opReserve, Hold: "h", Wish: &wish{ID: "1#1", Model: "m", Input: reserved / 2, Output: reserved / 2}}); s != stateOK {
					t.Fatal(s)
				}
				time.Sleep(p.c.cfg.Lease)
				p.jobs[0].expire()
				if s := p.c.cfg.Budget.Statement(); s.Total.Tokens() != reserved || s.Held != 0 {
					t.Fatalf("lost: %+v", s)
				}
				var got state
				for _, in := range slices.Concat(c.meanwhile, c.late) {
					got = say(in)
				}
				if s := p.c.cfg.Budget.Statement().Total; got != c.state || s.Tokens() != c.tokens || s.Calls != c.calls || s.Unknown != c.unknown {
					t.Errorf("%s, %+v; want %s, %d tokens of %d calls, %d unknown", got, s, c.state, c.tokens, c.calls, c.unknown)
				}
				p.c.obtaining.Wait()
				if err := p.journal.Close(); err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}

// TestLateWordIsBounded: of the calls whose worker was lost only so many are kept.
func TestLateWordIsBounded(t *testing.T) {
	c := &coordinator{}
	for i := range maxLanded + 10 {
		c.miss(landed{"r", "h", fmt.Sprint(i)}, &budget.Reservation{})
	}
	if _, oldest := c.missed[landed{"r", "h", "9"}]; len(c.missed) != maxLanded || len(c.missing) != maxLanded || oldest {
		t.Errorf("%d of %d are kept", len(c.missed), len(c.missing))
	}
}
