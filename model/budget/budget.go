// Package budget holds what models cost under hard caps, in tokens and in
// money, whoever calls them and however many at once.
//
//	call ──reserve the most it can cost──> model ──settle what it did cost──> reply
//	         │                                       │
//	         ├ fits in what is left: go              ├ usage told: that much
//	         ├ may fit once calls in flight settle:  ├ usage unknown, a time-out, a cut
//	         │ wait for them                         │ connection: all that was reserved
//	         └ does not fit: model.ErrBudget         └ turned away, never sent: nothing
//
// At every moment what is settled and what is reserved come to no more than the
// caps. So the caps hold as far as two bounds do: that a request has no more
// tokens than [model.Request.MaxInput], and that a reply has no more than the
// request's MaxTokens. A provider that counts more than that is charged with
// what it says, and then the budget is spent.
//
// The budget fails closed: a model whose price is not known cannot be wrapped
// under a cap in money, a call whose reply has no bound is refused under any
// cap, and where the [Journal] cannot be written nothing is called.
package budget

import (
	"context"
	"fmt"
	"maps"
	"sync"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/model"
)

// Config of a [Budget]. The zero value has no caps and only counts.
type Config struct {
	Tokens  int64    // cap on tokens, in and out, of all models; 0: none
	Cost    Amount   // cap on money, in the currency of Prices; 0: none
	Prices  Prices   // zero: nothing has a price
	Journal *Journal // keeps the account over restarts; nil: it begins at zero and is lost
}

// Budget is one account for all models that it wraps. It is safe for concurrent
// use and starts no goroutine.
type Budget struct {
	cfg Config

	mu       sync.Mutex
	account  account       // settled
	held     hold          // reserved by calls in flight
	changed  chan struct{} // closed when a call settles; nil: nobody waits
	refused  int
	numbered int64
}

// hold is what a call can come to at most.
type hold struct {
	tokens int64
	cost   Amount
}

// New returns the budget, which goes on where its journal ended. Under a cap in
// money all that the journal knows of must have a price.
func New(cfg Config) (*Budget, error) {
	b := &Budget{cfg: cfg, account: account{}}
	if cfg.Journal == nil {
		return b, nil
	}
	b.account = maps.Clone(cfg.Journal.open)
	for _, row := range b.account.statement(cfg).By {
		if cfg.Cost > 0 && !row.Priced && row.Calls > 0 {
			return nil, fmt.Errorf("the price of %s is not known: %d calls to it were made before, and a budget in money needs it", row.Model, row.Calls)
		}
	}
	return b, nil
}

// Wrap puts the budget before the model of that name. It fails where the budget
// has a cap in money and the model has no price.
func (b *Budget) Wrap(name string, m model.Model) (model.Model, error) {
	price, known := b.cfg.Prices.Of(name)
	if !known && b.cfg.Cost > 0 {
		return nil, fmt.Errorf("the price of %s is not known: a budget in money needs it", name)
	}
	return &wrapped{b, name, m, price, known}, nil
}

type wrapped struct {
	*Budget
	name  string
	model model.Model
	price Price
	known bool
}

// Generate implements [model.Model].
func (w *wrapped) Generate(ctx context.Context, req model.Request) (model.Reply, error) {
	most, err := w.most(req)
	if err != nil {
		return model.Reply{}, &model.Error{Unbilled: true, Err: err}
	}
	call, err := w.reserve(ctx, req.Caller, most)
	if err != nil {
		return model.Reply{}, &model.Error{Unbilled: true, Err: err}
	}
	charge := Charge{Calls: 1, Unknown: 1, UnknownTokens: most.tokens, Cost: most.cost, Priced: w.known}
	defer func() { // also after a panic
		w.settle(call, w.name, req.Caller, most, charge)
	}()
	reply, err := w.model.Generate(ctx, req)
	switch {
	case err != nil && model.Unbilled(err), err == nil && reply.Cached:
		charge = Charge{Priced: w.known}
	case err == nil && counted(reply.Usage):
		charge = Charge{Calls: 1, Usage: *reply.Usage, Cost: w.price.Cost(*reply.Usage), Priced: w.known}
	}
	return reply, err
}

// counted reports whether a provider told a usage that can be.
func counted(u *message.Usage) bool {
	return u != nil && u.InputTokens >= 0 && u.OutputTokens >= 0 && u.CachedTokens >= 0
}

// most is what a call can come to.
func (w *wrapped) most(req model.Request) (hold, error) {
	in, out := req.MaxInput(), req.Sampling.MaxTokens
	if out == 0 {
		out = w.price.MaxOutput
	}
	if out == 0 && (w.cfg.Tokens > 0 || w.cfg.Cost > 0) {
		return hold{}, fmt.Errorf("%s: a reply without a bound can cost anything: a budget needs the most tokens of a reply", w.name)
	}
	return hold{int64(in) + int64(out), w.price.dearest(in, out)}, nil
}

// reserve waits until the call fits in what is left, or cannot any more.
func (w *wrapped) reserve(ctx context.Context, caller string, most hold) (int64, error) {
	b := w.Budget
	b.mu.Lock()
	defer b.mu.Unlock()
	for {
		if err := ctx.Err(); err != nil {
			return 0, context.Cause(ctx)
		}
		tokens, cost := b.left()
		if over(b.cfg.Tokens, most.tokens, tokens) || over(int64(b.cfg.Cost), int64(most.cost), int64(cost)) {
			b.refused++
			return 0, b.reached(w.name, most)
		}
		if !over(b.cfg.Tokens, most.tokens, tokens-b.held.tokens) && !over(int64(b.cfg.Cost), int64(most.cost), int64(cost-b.held.cost)) {
			break
		}
		if b.changed == nil {
			b.changed = make(chan struct{})
		}
		changed := b.changed
		b.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
		}
		b.mu.Lock()
	}
	b.numbered++
	if j := b.cfg.Journal; j != nil && (b.cfg.Tokens > 0 || b.cfg.Cost > 0) {
		if err := j.reserve(b.numbered, w.name, caller, most, w.known); err != nil {
			return 0, err
		}
	}
	b.held.tokens += most.tokens
	b.held.cost = b.held.cost.plus(most.cost)
	return b.numbered, nil
}

// over reports whether an amount is more than is left under a cap.
func over(limit, need, left int64) bool { return limit > 0 && need > left }

// left is what the caps leave of what is settled; below 0 after a provider
// counted more than was possible.
func (b *Budget) left() (tokens int64, cost Amount) {
	sum := b.account.sum()
	return b.cfg.Tokens - sum.Tokens(), b.cfg.Cost - sum.Cost
}

// reached says which cap a call does not fit under.
func (b *Budget) reached(name string, most hold) error {
	tokens, cost := b.left()
	if over(b.cfg.Tokens, most.tokens, tokens) {
		return fmt.Errorf("%w: a call to %s can come to %d tokens, and %d of %d are left", model.ErrBudget, name, most.tokens, max(0, tokens), b.cfg.Tokens)
	}
	return fmt.Errorf("%w: a call to %s can cost %s, and %s of %s %s are left", model.ErrBudget, name,
		most.cost.Round(), max(0, cost), b.cfg.Cost, b.cfg.Prices.Currency)
}

// settle puts what a call came to in the place of what was reserved for it.
func (b *Budget) settle(call int64, name, caller string, most hold, c Charge) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held.tokens -= most.tokens
	b.held.cost -= most.cost
	b.account.add(line{caller, name}, c)
	if b.cfg.Journal != nil {
		b.cfg.Journal.settle(call, name, caller, c) // a failure is told by the next reserve, and by Close
	}
	if b.changed != nil {
		close(b.changed)
		b.changed = nil
	}
}

// Statement tells how the budget stands.
func (b *Budget) Statement() Statement {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.account.statement(b.cfg)
	s.Held, s.HeldCost, s.Refused = b.held.tokens, b.held.cost, b.refused
	return s
}
