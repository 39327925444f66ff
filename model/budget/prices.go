package budget

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/mars-rec/mars/message"
)

// Price is what a model's tokens cost, in the currency of its table, for a
// million of them.
type Price struct {
	Input  Amount
	Cached Amount // input tokens that the provider read from its prompt cache
	Output Amount
	// MaxOutput is the most tokens that a reply has where a request does not
	// bound it; 0: not known.
	MaxOutput int
}

// Cost is what so many tokens cost.
func (p Price) Cost(u message.Usage) Amount {
	cached := min(max(0, u.CachedTokens), u.InputTokens)
	return perToken(p.Input).times(u.InputTokens - cached).
		plus(perToken(p.Cached).times(cached)).
		plus(perToken(p.Output).times(u.OutputTokens))
}

// perToken is exact for amounts that [Parse] made.
func perToken(perMillion Amount) Amount { return (perMillion + 999_999) / 1_000_000 }

// dearest is what so many tokens cost at most.
func (p Price) dearest(in, out int) Amount {
	return perToken(max(p.Input, p.Cached)).times(in).plus(perToken(p.Output).times(out))
}

// Prices is a price table. None is shipped: prices change, and they are the
// user's to state.
//
//	currency: USD
//	models:
//	  openai:my-model:       # as the model is named where it is used, without @URL
//	    input: 1.00          # for a million tokens
//	    cached_input: 0.25   # like input if not given
//	    output: 4.00
//	    max_output: 16384    # tokens of one reply at most; not needed where requests say so
type Prices struct {
	Currency string
	Models   map[string]Price
}

// Of returns the price of a model.
func (p Prices) Of(name string) (Price, bool) {
	if price, ok := p.Models[name]; ok {
		return price, true
	}
	if i := max(strings.LastIndex(name, "@http://"), strings.LastIndex(name, "@https://")); i > 0 {
		price, ok := p.Models[name[:i]]
		return price, ok
	}
	return Price{}, false
}

// LoadPrices reads the price table in a file.
func LoadPrices(path string) (Prices, error) {
	f, err := os.Open(path)
	if err != nil {
		return Prices{}, fmt.Errorf("prices: %w", err)
	}
	defer f.Close()
	p, err := ReadPrices(f)
	if err != nil {
		return p, fmt.Errorf("prices: %s: %w", path, err)
	}
	return p, nil
}

// ReadPrices reads a price table, strictly: what it does not know, and a price
// that is left out, are errors.
func ReadPrices(r io.Reader) (Prices, error) {
	var table struct {
		Currency string `yaml:"currency"`
		Models   map[string]struct {
			Input     *Amount `yaml:"input"`
			Cached    *Amount `yaml:"cached_input"`
			Output    *Amount `yaml:"output"`
			MaxOutput int     `yaml:"max_output"`
		} `yaml:"models"`
	}
	dec := yaml.NewDecoder(r)
	dec.KnownFields(true)
	if err := dec.Decode(&table); err != nil && !errors.Is(err, io.EOF) {
		return Prices{}, err
	}
	if table.Currency == "" || strings.ContainsFunc(table.Currency, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return Prices{}, fmt.Errorf("currency is %q: want one word, such as USD", table.Currency)
	}
	p := Prices{table.Currency, map[string]Price{}}
	for name, row := range table.Models {
		if row.Input == nil || row.Output == nil || row.MaxOutput < 0 {
			return Prices{}, fmt.Errorf("models: %s: want input and output for a million tokens, and max_output of 0 or more", name)
		}
		if row.Cached == nil {
			row.Cached = row.Input
		}
		p.Models[name] = Price{*row.Input, *row.Cached, *row.Output, row.MaxOutput}
	}
	return p, nil
}
