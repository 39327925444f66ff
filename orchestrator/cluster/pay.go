package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/model/budget"
)

// Reserve makes each call of the model of that name wait until the coordinator has
// reserved the most that it can cost, and a place in the rate; what it came to is
// told with whatever is said next. It belongs under whatever repeats calls and
// under a cache, above [Worker.Start]. A call that does not fit is
// [model.ErrBudget]; one that the coordinator cannot be asked about for ten leases
// is not made, and its run goes back.
func (w *Worker) Reserve(name string, m model.Model) model.Model { return &paying{w, name, m} }

// Start makes a call that was let through, and then waited here for longer than a
// second, ask again, so that the rate is kept. It belongs right before the call.
func (w *Worker) Start(m model.Model) model.Model { return starting{m} }

type paying struct {
	w     *Worker
	name  string
	model model.Model
}

// runKey and grantKey are what a context has the run and the grant of a call under.
type (
	runKey   struct{}
	grantKey struct{}
)

// Generate implements [model.Model].
func (p *paying) Generate(ctx context.Context, req model.Request) (model.Reply, error) {
	r, ok := ctx.Value(runKey{}).(*remote)
	if !ok {
		return model.Reply{}, &model.Error{Unbilled: true, Err: fmt.Errorf("%s: a call that is part of no run cannot be paid for", p.name)}
	}
	g := &grant{r: r, path: string(req.Path), wish: wish{Model: p.name, Caller: req.Caller,
		Input: req.MaxInput(), Output: req.Sampling.MaxTokens, About: req.Estimate()}}
	if err := g.obtain(ctx); err != nil {
		return model.Reply{}, &model.Error{Unbilled: true, Err: err}
	}
	var came budget.Outcome
	defer func() { // also after a panic
		r.owe(due{g.wish.ID, came})
		if came.Usage == nil {
			r.tell(ctx) // it failed, most likely, and there may be nothing to say for a while
		}
	}()
	reply, err := p.model.Generate(context.WithValue(ctx, grantKey{}, g), req)
	came = budget.OutcomeOf(reply, err)
	return reply, err
}

type starting struct{ model model.Model }

// Generate implements [model.Model].
func (s starting) Generate(ctx context.Context, req model.Request) (model.Reply, error) {
	if g, ok := ctx.Value(grantKey{}).(*grant); ok && g.r.w.clock().Sub(g.since) > slack {
		if err := g.obtain(ctx); err != nil {
			return model.Reply{}, &model.Error{Unbilled: true, Err: err}
		}
	}
	return s.model.Generate(ctx, req)
}

// grant is a call that may be made.
type grant struct {
	r     *remote
	path  string
	wish  wish
	since time.Time // it was let through then, at the earliest
}

// obtain asks for it until it is let through, and word of that was quick enough.
func (g *grant) obtain(ctx context.Context) error {
	for {
		if g.wish.ID == "" {
			g.wish.ID = g.r.number(g.path)
		}
		wish := g.wish
		a, err := g.r.askSoon(ctx, call{Op: opReserve, Wish: &wish})
		if err != nil {
			return err
		}
		switch a.State {
		case stateOK:
			if g.since = a.sent.Add(a.Wait); g.r.w.clock().Sub(g.since) <= slack {
				return nil
			}
		case stateBroke:
			return fmt.Errorf("%w%s", model.ErrBudget, strings.TrimPrefix(a.Text, model.ErrBudget.Error()))
		case stateOver: // it was given up for lost
			g.r.owe(due{g.wish.ID, budget.Outcome{Free: true}})
			g.wish.ID = ""
		}
	}
}

// number names an attempt at a call.
func (r *remote) number(path string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.attempts++
	return fmt.Sprintf("%s#%d", path, r.attempts)
}

// askSoon calls the coordinator for the run, unless it cannot be asked for too
// long: then the run ends here, and goes back.
func (r *remote) askSoon(ctx context.Context, c call) (answer, error) {
	within, cancel := context.WithTimeout(ctx, 10*r.w.join.Lease)
	defer cancel()
	a, err := r.send(within, c)
	if err != nil && ctx.Err() == nil && within.Err() != nil {
		err = r.lost(errUnasked)
	}
	return a, err
}

// owe notes what a call came to, to be told with whatever is said next.
func (r *remote) owe(d due) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dues = append(r.dues, d)
}

// owed is what the coordinator has not confirmed to know.
func (r *remote) owed() []due {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.dues)
}

// told says that the coordinator knows of it.
func (r *remote) told(dues []due) {
	if len(dues) == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dues = slices.DeleteFunc(r.dues, func(d due) bool {
		return slices.ContainsFunc(dues, func(t due) bool { return t.ID == d.ID })
	})
}

// tell says what is owed, once.
func (r *remote) tell(ctx context.Context) {
	if len(r.owed()) == 0 {
		return
	}
	within, cancel := context.WithTimeout(ctx, r.w.patience())
	defer cancel()
	dues := r.owed()
	if _, err := r.w.ask(within, call{Op: opBeat, Run: r.run, Hold: r.hold, Paid: dues}); err == nil {
		r.told(dues)
	}
}

// errUnasked says that a coordinator was away for too long.
var errUnasked = errors.New("the coordinator cannot be asked whether a call may be made")
