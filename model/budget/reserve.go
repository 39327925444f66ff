package budget

import (
	"context"
	"fmt"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/model"
)

// Call is a call that is to be made.
type Call struct {
	Model  string // by the name under which it has a price
	Caller string // who asks
	Input  int    // tokens of the request at most, as [model.Request.MaxInput] has them
	Output int    // tokens of the reply at most; 0: what the price says of replies
}

// Outcome is what a call came to. The zero value is that of a call of which
// nobody knows: it counts with all that was reserved for it.
type Outcome struct {
	Free  bool           `json:"free,omitempty"`  // it certainly cost nothing
	Usage *message.Usage `json:"usage,omitempty"` // as the provider told it; nil: unknown
}

// OutcomeOf is what a call came to that ended so.
func OutcomeOf(reply model.Reply, err error) Outcome {
	switch {
	case err != nil:
		return Outcome{Free: model.Unbilled(err)}
	case reply.Cached:
		return Outcome{Free: true}
	}
	return Outcome{Usage: reply.Usage}
}

// counted reports whether a provider told a usage that can be.
func (o Outcome) counted() bool {
	u := o.Usage
	return u != nil && u.InputTokens >= 0 && u.OutputTokens >= 0 && u.CachedTokens >= 0
}

// Reservation is the most that one call can come to, kept free for it until it is
// settled.
type Reservation struct {
	b       *Budget
	call    Call
	number  int64
	most    hold
	price   Price
	known   bool
	settled bool
	unknown *Charge // what it counts with, as long as nobody has told what it came to
}

// Reserve waits until the call fits in what is left, and keeps the most that it
// can come to for it. An error that is [model.ErrBudget] says that it does not fit
// any more; others, that the call cannot be held to the caps, that the journal
// cannot be written, or that ctx has ended. Without a reservation the call must
// not be made.
func (b *Budget) Reserve(ctx context.Context, c Call) (*Reservation, error) {
	price, known := b.cfg.Prices.Of(c.Model)
	if !known && b.cfg.Cost > 0 {
		return nil, unpriced(c.Model)
	}
	return b.reserve(ctx, c, price, known)
}

func unpriced(name string) error {
	return fmt.Errorf("the price of %s is not known: a budget in money needs it", name)
}

// most is what a call can come to.
func (b *Budget) most(c Call, price Price) (hold, error) {
	if c.Input < 0 || c.Output < 0 || c.Input > maxTokens || c.Output > maxTokens {
		return hold{}, fmt.Errorf("%s: a call of %d tokens and a reply of %d cannot be", c.Model, c.Input, c.Output)
	}
	out := c.Output
	if out == 0 {
		out = price.MaxOutput
	}
	if out == 0 && (b.cfg.Tokens > 0 || b.cfg.Cost > 0) {
		return hold{}, fmt.Errorf("%s: a reply without a bound can cost anything: a budget needs the most tokens of a reply", c.Model)
	}
	return hold{int64(c.Input) + int64(out), price.dearest(c.Input, out)}, nil
}

// maxTokens is more than a call can have, and few enough to be added up.
const maxTokens = 1 << 40

func (b *Budget) reserve(ctx context.Context, c Call, price Price, known bool) (*Reservation, error) {
	most, err := b.most(c, price)
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for {
		if err := ctx.Err(); err != nil {
			return nil, context.Cause(ctx)
		}
		tokens, cost := b.left()
		if over(b.cfg.Tokens, most.tokens, tokens) || over(int64(b.cfg.Cost), int64(most.cost), int64(cost)) {
			b.refused++
			return nil, b.reached(c.Model, most)
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
		if err := j.reserve(b.numbered, c.Model, c.Caller, most, known); err != nil {
			return nil, err
		}
	}
	b.held.tokens += most.tokens
	b.held.cost = b.held.cost.plus(most.cost)
	return &Reservation{b: b, call: c, number: b.numbered, most: most, price: price, known: known}, nil
}

// charge is what the call counts with that came to that, and whether that is known.
func (r *Reservation) charge(o Outcome) (c Charge, known bool) {
	switch {
	case o.Free:
		return Charge{Priced: r.known}, true
	case o.counted():
		return Charge{Calls: 1, Usage: *o.Usage, Cost: r.price.Cost(*o.Usage), Priced: r.known}, true
	}
	return Charge{Calls: 1, Unknown: 1, UnknownTokens: r.most.tokens, Cost: r.most.cost, Priced: r.known}, false
}

// Settle puts what the call came to in the place of what was reserved for it. Only
// the first time counts; see Amend.
func (r *Reservation) Settle(o Outcome) {
	c, known := r.charge(o)
	b := r.b
	b.mu.Lock()
	defer b.mu.Unlock()
	if r.settled {
		return
	}
	r.settled = true
	if !known {
		r.unknown = &c
	}
	b.held.tokens -= r.most.tokens
	b.held.cost -= r.most.cost
	b.account.add(line{r.call.Caller, r.call.Model}, c)
	if b.cfg.Journal != nil {
		b.cfg.Journal.settle(r.number, r.call.Model, r.call.Caller, c) // a failure is told by the next reserve, and by Close
	}
	b.wake()
}

// Amend puts what the call came to in the place of all that was reserved for it,
// where it was settled before anybody knew, and is told now after all. Only the
// first time counts. Of a call that is not settled, or not so, nothing changes.
func (r *Reservation) Amend(o Outcome) {
	c, known := r.charge(o)
	b := r.b
	b.mu.Lock()
	defer b.mu.Unlock()
	if r.unknown == nil || !known || !b.account.amend(line{r.call.Caller, r.call.Model}, *r.unknown, c) {
		return
	}
	if b.cfg.Journal != nil {
		b.cfg.Journal.amend(r.number, r.call.Model, r.call.Caller, *r.unknown, c)
	}
	r.unknown = nil
	b.wake()
}

// wake lets those who wait look again.
func (b *Budget) wake() {
	if b.changed != nil {
		close(b.changed)
		b.changed = nil
	}
}
