package export

import (
	"errors"
	"fmt"

	"github.com/mars-rec/mars/trajectories/filter"
	"github.com/mars-rec/mars/trajectories/mask"
)

// Tokens is how long the rows of an export are to the student, counted with its
// tokenizer in the text that the chat template renders.
type Tokens struct {
	Tokenizer string `json:"tokenizer"`            // SHA-256 of its tokenizer.json
	Max       int    `json:"max_length,omitempty"` // rows that are longer were left out
	All       int    `json:"tokens"`
	Trained   int    `json:"trained"`
	Longest   int    `json:"longest_row"`
}

// ruler measures rows.
func (cfg Config) ruler() filter.Ruler {
	return filter.Ruler{Tokenizer: cfg.Tokenizer, Template: cfg.Template, Tools: cfg.Tools, Linear: cfg.Linear}
}

// tokens is what there is to count, nil if there is no tokenizer.
func (cfg Config) tokens() (*Tokens, error) {
	switch {
	case cfg.MaxLength < 0:
		return nil, fmt.Errorf("export: a maximum length of %d tokens", cfg.MaxLength)
	case cfg.Tokenizer == nil && cfg.MaxLength > 0:
		return nil, errors.New("export: a maximum length needs the tokenizer that counts it")
	case cfg.Tokenizer == nil:
		return nil, nil
	}
	return &Tokens{Tokenizer: cfg.Tokenizer.Digest(), Max: cfg.MaxLength}, nil
}

// template returns the template that rows are rendered with when they are
// trained on.
func (cfg Config) template() (mask.Template, error) {
	if cfg.Template.Name != "" {
		return cfg.Template, nil
	}
	return mask.NewTemplate(mask.Training)
}
