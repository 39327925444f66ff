package budget

import (
	"cmp"
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
	c.Usage.InputTokens += d.Usage.InputTokens
	c.Usage.OutputTokens += d.Usage.OutputTokens
	c.Usage.CachedTokens += d.Usage.CachedTokens
	c.Unknown += d.Unknown
	c.UnknownTokens += d.UnknownTokens
	c.Cost = c.Cost.plus(d.Cost)
	c.Priced = c.Priced && d.Priced
	return c
}

// line is who asked whom.
type line struct{ caller, model string }

// account is what is settled, by line. Its sum is kept beside it under the line
// of nobody, since every reservation asks for it.
type account map[line]Charge

var everybody = line{}

func (a account) add(l line, c Charge) {
	l.caller = cmp.Or(l.caller, "-")
	for _, key := range []line{l, everybody} {
		if before, ok := a[key]; ok {
			a[key] = before.plus(c)
		} else {
			a[key] = c
		}
	}
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
