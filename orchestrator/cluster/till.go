package cluster

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/model/budget"
)

// wish is a call of a model that a worker wants to make.
type wish struct {
	ID     string `json:"id"` // in its hold: path ID of the reply, and which attempt
	Model  string `json:"model"`
	Caller string `json:"caller,omitempty"`
	Input  int    `json:"input"`            // tokens at most
	Output int    `json:"output,omitempty"` // tokens at most; 0: the price table knows
	About  int    `json:"about"`            // tokens that are likely, for the rate
}

// due is what a call came to.
type due struct {
	ID string `json:"id"`
	budget.Outcome
}

// Bounds of what a worker may ask for.
const (
	maxText   = 512    // bytes of a name
	maxAtOnce = 64     // calls of one run that are not settled
	maxCalls  = 10_000 // of one try at a run
	maxModels = 256
)

// slack is how much later than it is let through a call may start on a worker: one
// that is later asks again.
const slack = time.Second

func (a *wish) check() error {
	switch {
	case a == nil || a.ID == "" || a.Model == "":
		return errors.New("a call without a name or a model")
	case len(a.ID) > maxText || len(a.Model) > maxText || len(a.Caller) > maxText:
		return fmt.Errorf("a name of a call has more than %d bytes", maxText)
	case a.Input < 0 || a.Output < 0 || a.About < 0:
		return errors.New("a call of less than no tokens")
	}
	return nil
}

// reserved is a wish that is granted, or waits until it is, or is over.
//
//	waiting ──obtain──> granted ──settle──> over: what it came to is paid
//	   │                   └──────land────> over: all that was reserved is ──amend──> what it came to
//	   └──────land─────────────────────────> over: nothing is
//
// What is over is remembered while its worker has the run, so that a call that is
// late or doubled reserves nothing anew. All of it but ready is guarded by the
// job's lock.
type reserved struct {
	ready   chan struct{} // closed when it is granted, refused or over
	cancel  context.CancelFunc
	granted bool
	over    bool
	err     error // why it is refused
	amount  *budget.Reservation
	limiter *model.Limiter
	turn    *model.Turn
}

// settle ends it with what the call came to.
func (r *reserved) settle(o budget.Outcome) {
	r.over = true
	r.cancel()
	if !r.granted {
		return
	}
	if r.amount != nil {
		r.amount.Settle(o)
	}
	if r.turn != nil {
		var err error
		if o.Free {
			err = &model.Error{Unbilled: true, Err: errors.New("it cost nothing")}
		}
		r.limiter.Return(r.turn, o.Usage, err)
	}
}

// reserve answers a worker that wants to make a call: when the budget and the rate
// have room for it, or after a while that they have none yet.
func (j *job) reserve(ctx context.Context, in call) answer {
	asked := j.c.cfg.Clock()
	if err := in.Wish.check(); err != nil {
		return answer{State: stateRefused, Text: err.Error()}
	}
	j.mu.Lock()
	s := j.standing(in)
	r := j.calls[in.Wish.ID]
	if s == stateOK && r == nil {
		var err error
		if r, err = j.want(ctx, *in.Wish); err != nil {
			j.mu.Unlock()
			return answer{State: stateRefused, Text: err.Error()}
		}
	}
	j.mu.Unlock()
	if s != stateOK {
		return answer{State: s}
	}
	patience := time.NewTimer(min(2*time.Second, j.c.cfg.Lease/4))
	defer patience.Stop()
	select {
	case <-r.ready:
	case <-patience.C:
		return answer{State: stateWait}
	case <-ctx.Done():
		return answer{State: stateWait}
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	switch s := j.standing(in); {
	case s != stateOK:
		return answer{State: s}
	case errors.Is(r.err, model.ErrBudget):
		j.broke = r.err
		return answer{State: stateBroke, Text: r.err.Error()}
	case r.err != nil:
		return answer{State: stateRefused, Text: r.err.Error()}
	case r.over:
		return answer{State: stateOver}
	case r.turn != nil && !r.limiter.Renew(r.turn):
		return answer{State: stateOver}
	}
	return answer{State: stateOK, Wait: j.c.cfg.Clock().Sub(asked)}
}

// want begins to obtain what a call needs.
func (j *job) want(ctx context.Context, w wish) (*reserved, error) {
	if j.open >= maxAtOnce || len(j.calls) >= maxCalls {
		return nil, fmt.Errorf("the run has %d calls at once, and %d in all: more than a run may", j.open, len(j.calls))
	}
	limiter, err := j.c.limiter(w.Model)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	r := &reserved{ready: make(chan struct{}), cancel: cancel, limiter: limiter}
	j.calls[w.ID] = r
	j.open++
	j.c.obtaining.Go(func() { j.obtain(ctx, r, w) })
	return r, nil
}

// obtain waits for the budget, and then for the rate.
func (j *job) obtain(ctx context.Context, r *reserved, w wish) {
	var amount *budget.Reservation
	var turn *model.Turn
	var err error
	if j.c.cfg.Budget != nil {
		amount, err = j.c.cfg.Budget.Reserve(ctx, budget.Call{Model: w.Model, Caller: w.Caller, Input: w.Input, Output: w.Output})
	}
	if err == nil && r.limiter != nil {
		turn, err = r.limiter.Take(ctx, w.About)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	defer close(r.ready)
	r.amount, r.turn, r.granted = amount, turn, err == nil
	if err != nil && amount != nil {
		amount.Settle(budget.Outcome{Free: true})
	}
	switch {
	case r.over: // it is nobody's any more, and nobody was told
		r.settle(budget.Outcome{Free: true})
	case err != nil:
		r.err = err
		r.settle(budget.Outcome{})
		j.open--
	}
}

// settle takes note of what calls came to.
func (j *job) settle(dues []due) {
	for _, d := range dues {
		if r := j.calls[d.ID]; r != nil && r.granted && !r.over {
			r.settle(d.Outcome)
			j.open--
		}
	}
}

// land ends the calls of a worker that has the run no longer, or is silent. What
// may have been made counts with all that was reserved for it, until the worker
// tells after all.
func (j *job) land() {
	for id, r := range j.calls {
		if r.over {
			continue
		}
		r.settle(budget.Outcome{})
		if r.granted && r.amount != nil {
			j.c.miss(landed{j.run, j.hold, id}, r.amount)
		}
	}
	j.open = 0
}

// landed names a call whose worker was lost before it had told what it came to.
type landed struct{ run, hold, id string }

// maxLanded is of how many such calls a late word is believed: the newest ones.
const maxLanded = 4096

// miss keeps what was reserved for a call, in case its worker comes back.
func (c *coordinator) miss(call landed, amount *budget.Reservation) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.missed == nil {
		c.missed = map[landed]*budget.Reservation{}
	}
	c.missed[call] = amount
	if c.missing = append(c.missing, call); len(c.missing) > maxLanded {
		delete(c.missed, c.missing[0])
		c.missing = c.missing[1:]
	}
}

// amend takes note of what calls came to that have counted in full since their
// worker was lost. Only the worker that made a call knows its name, and no name is
// given twice, so what it says of it is as true as it would have been in time. It
// counts once; whether the run is its own, or has ended, does not matter.
func (c *coordinator) amend(in call) {
	for _, d := range in.Paid {
		call := landed{in.Run, in.Hold, d.ID}
		c.mu.Lock()
		amount := c.missed[call]
		delete(c.missed, call)
		c.mu.Unlock()
		if amount != nil {
			amount.Amend(d.Outcome)
		}
	}
}

// expire lands the calls of a worker that has not been heard of for a lease, since
// others may wait for what they hold.
func (j *job) expire() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.hold == "" || j.c.cfg.Clock().Sub(j.heard) < j.c.cfg.Lease {
		return
	}
	j.land()
	if j.broke != nil {
		j.interrupted(j.broke)
	}
}

// limiter is the one that keeps calls to a model to their rate; nil: there is none.
func (c *coordinator) limiter(name string) (*model.Limiter, error) {
	if c.cfg.Requests == 0 && c.cfg.Tokens == 0 {
		return nil, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.limiters[name]
	if l == nil {
		if len(c.limiters) == maxModels {
			return nil, fmt.Errorf("workers have called %d models: more than a batch may", maxModels)
		}
		l = model.NewLimiter(model.LimitConfig{Requests: c.cfg.Requests, Tokens: c.cfg.Tokens, Slack: slack,
			Concurrency: math.MaxInt32, Slow: math.Inf(1)}) // how many at once is for each worker to find
		c.limiters[name] = l
	}
	return l, nil
}
