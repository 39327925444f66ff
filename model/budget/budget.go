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
		return nil, unpriced(name)
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
func (w *wrapped) Generate(ctx context.Context, req model.Request) (reply model.Reply, err error) {
	r, err := w.reserve(ctx, Call{w.name, req.Caller, req.MaxInput(), req.Sampling.MaxTokens}, w.price, w.known)
	if err != nil {
		return reply, &model.Error{Unbilled: true, Err: err}
	}
	var came Outcome
	defer func() { r.Settle(came) }() // also after a panic
	reply, err = w.model.Generate(ctx, req)
	came = OutcomeOf(reply, err)
	return reply, err
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

// Statement tells how the budget stands.
func (b *Budget) Statement() Statement {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.account.statement(b.cfg)
	s.Held, s.HeldCost, s.Refused = b.held.tokens, b.held.cost, b.refused
	return s
}
