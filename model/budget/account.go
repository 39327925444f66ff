package budget

import (
	"cmp"
	"math"
	"slices"

	"github.com/mars-rec/mars/message"
)

// Charge is what calls came to.
type Charge struct {
	Calls int           `json:"calls"` // that are billed or may be
	Usage message.Usage `json:"usage"` // as providers told it
	// Unknown is the calls whose usage nobody told; they count with the most
	// that they can have had.
	Unknown       int    `json:"unknown_calls,omitempty"`
	UnknownTokens int64  `json:"unknown_tokens,omitempty"`
	Cost          Amount `json:"cost"`
	Priced        bool   `json:"priced"` // the price is known
}

// Tokens is all tokens that count against a cap.
func (c Charge) Tokens() int64 {
	return int64(c.Usage.InputTokens) + int64(c.Usage.OutputTokens) + c.UnknownTokens
}

func (c Charge) plus(d Charge) Charge {
	c.Calls += d.Calls
	c.Usage.Add(&d.Usage)
	c.Unknown += d.Unknown
	c.UnknownTokens += d.UnknownTokens
	c.Cost = c.Cost.plus(d.Cost)
	c.Priced = c.Priced && d.Priced
	return c
}

// minus takes out what was counted before. Of a sum of money that did not fit
// nothing is taken: what is left of it is not known.
func (c Charge) minus(d Charge) Charge {
	c.Calls -= d.Calls
	c.Usage.InputTokens -= d.Usage.InputTokens
	c.Usage.OutputTokens -= d.Usage.OutputTokens
	c.Usage.CachedTokens -= d.Usage.CachedTokens
	c.Unknown -= d.Unknown
	c.UnknownTokens -= d.UnknownTokens
	if c.Cost < math.MaxInt64 {
		c.Cost -= d.Cost
	}
	return c
}

// has reports whether d can be part of the sum c.
func (c Charge) has(d Charge) bool {
	c = c.minus(d)
	return min(c.Calls, c.Usage.InputTokens, c.Usage.OutputTokens, c.Usage.CachedTokens, c.Unknown) >= 0 && c.UnknownTokens >= 0 && c.Cost >= 0
}

// line is who asked whom.
type line struct{ caller, model string }

// account is what is settled, by line. Its sum is kept beside it under the line
// of nobody, since every reservation asks for it.
type account map[line]Charge

var everybody = line{}

func (a account) add(l line, c Charge) {
	for _, key := range l.keys() {
		if before, ok := a[key]; ok {
			a[key] = before.plus(c)
		} else {
			a[key] = c
		}
	}
}

// keys are those that what a line has is kept under.
func (l line) keys() [2]line {
	l.caller = cmp.Or(l.caller, "-")
	return [2]line{l, everybody}
}

// amend puts a charge in the place of one that was counted for the same call. It
// reports whether that one is there.
func (a account) amend(l line, counted, c Charge) bool {
	for _, key := range l.keys() {
		if !a[key].has(counted) {
			return false
		}
	}
	for _, key := range l.keys() {
		a[key] = a[key].minus(counted).plus(c)
	}
	return true
}

func (a account) sum() Charge { return a[everybody] }

// Row is what one caller asked of one model.
type Row struct {
	Caller string `json:"role"`
	Model  string `json:"model"`
	Charge
}

// priced returns the account with the calls priced that were made before their
// price was known. Of tokens that nobody told, none is cheaper than the dearest.
func (a account) priced(prices Prices) account {
	out := account{}
	for l, c := range a {
		if l == everybody {
			continue
		}
		if price, ok := prices.Of(l.model); ok && !c.Priced {
			unknown := perToken(max(price.Input, price.Cached, price.Output)).times(int(c.UnknownTokens))
			c.Cost, c.Priced = price.Cost(c.Usage).plus(unknown), true
		}
		out.add(l, c)
	}
	return out
}

// Statement tells how a [Budget] stands.
type Statement struct {
	Currency string `json:"currency,omitempty"`
	Total    Charge `json:"total"`
	By       []Row  `json:"by"` // sorted by caller, then model
	// Caps and what calls in flight hold; 0: none.
	MaxTokens int64  `json:"max_tokens,omitempty"`
	MaxCost   Amount `json:"max_cost,omitempty"`
	Held      int64  `json:"held_tokens,omitempty"`
	HeldCost  Amount `json:"held_cost,omitempty"`
	Refused   int    `json:"refused_calls,omitempty"` // for which too little was left
}

func (a account) statement(cfg Config) Statement {
	s := Statement{Currency: cfg.Prices.Currency, Total: a.sum(), By: []Row{}, MaxTokens: cfg.Tokens, MaxCost: cfg.Cost}
	for l, c := range a {
		if l != everybody {
			s.By = append(s.By, Row{l.caller, l.model, c})
		}
	}
	slices.SortFunc(s.By, func(x, y Row) int {
		return cmp.Or(cmp.Compare(x.Caller, y.Caller), cmp.Compare(x.Model, y.Model))
	})
	return s
}
