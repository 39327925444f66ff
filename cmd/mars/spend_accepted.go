package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/mars-rec/mars/model/budget"
)

// acceptedCost is what the runs of stores cost, also those that were not
// accepted, for each that was.
type acceptedCost struct {
	Currency  string        `json:"currency,omitempty"`
	Calls     int           `json:"calls"`
	Tokens    int64         `json:"tokens"`
	Cost      budget.Amount `json:"cost"`
	PerRun    budget.Amount `json:"cost_per_accepted"`
	TokensPer int64         `json:"tokens_per_accepted"`
	Priced    bool          `json:"priced"` // all of it has a price
}

// costOf reads the accounts beside the stores. It is nil where nothing was
// accepted, or nothing is known of a store's cost.
func costOf(stores []string, accepted int) (*acceptedCost, error) {
	if accepted == 0 {
		return nil, nil
	}
	c := acceptedCost{Priced: true}
	for i, path := range stores {
		s, err := budget.ReadJournal(path + ".spend")
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		if i > 0 && s.Currency != c.Currency {
			return nil, nil // sums in two currencies are none
		}
		c.Currency = s.Currency
		c.Calls += s.Total.Calls
		c.Tokens += s.Total.Tokens()
		c.Cost += s.Total.Cost
		c.Priced = c.Priced && s.Currency != "" && (s.Total.Priced || s.Total.Calls == 0)
	}
	c.PerRun = (c.Cost / budget.Amount(accepted)).Round()
	c.TokensPer = c.Tokens / int64(accepted)
	return &c, nil
}

func writeCost(w io.Writer, c *acceptedCost) {
	if c == nil || c.Calls == 0 {
		return
	}
	fmt.Fprintf(w, "each accepted run cost %s tokens", thousands(c.TokensPer))
	if c.Priced {
		fmt.Fprintf(w, ", %s %s", short(c.PerRun), c.Currency)
	}
	fmt.Fprintln(w, ", those that were not accepted included")
}
