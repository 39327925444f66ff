package export

import (
	"context"
	"errors"
	"fmt"

	"github.com/mars-rec/mars/tasks/gold"
	"github.com/mars-rec/mars/trajectories"
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

// add counts the tokens of a run. If they are more than the maximum, it counts
// none and says where the row would be cut.
func (n *Tokens) add(cfg Config, t *trajectories.Trajectory) (reason string, err error) {
	messages, err := trajectories.Serialize(t, cfg.Linear)
	if err != nil {
		return "", err
	}
	r, err := cfg.Template.Render(messages, cfg.Tools)
	if err != nil {
		return "", err
	}
	labels := r.Labels(cfg.Tokenizer)
	if n.Max > 0 {
		if cut, ok := r.Cut(labels, n.Max); ok {
			return "it would be cut " + cut.Where(), nil
		}
	}
	n.All += len(labels.Tokens)
	n.Trained += labels.Count()
	n.Longest = max(n.Longest, len(labels.Tokens))
	return "", nil
}

// filter measures the runs that no other filter dropped, and drops those that
// are too long: a trainer that cuts them takes the recommendation first.
func (n *Tokens) filter(cfg Config) Filter {
	return Filter{"length", func(_ context.Context, t *trajectories.Trajectory, _ gold.Gold) (string, error) {
		return n.add(cfg, t)
	}}
}

// measured adds what measures the rows to the filters, if there is a tokenizer.
func measured(cfg Config, filters []Filter) (*Tokens, []Filter, error) {
	switch {
	case cfg.MaxLength < 0:
		return nil, nil, fmt.Errorf("export: a maximum length of %d tokens", cfg.MaxLength)
	case cfg.Tokenizer == nil && cfg.MaxLength > 0:
		return nil, nil, errors.New("export: a maximum length needs the tokenizer that counts it")
	case cfg.Tokenizer == nil:
		return nil, filters, nil
	}
	n := &Tokens{Tokenizer: cfg.Tokenizer.Digest(), Max: cfg.MaxLength}
	return n, append(filters[:len(filters):len(filters)], n.filter(cfg)), nil
}

// template returns the template that rows are rendered with when they are
// trained on.
func (cfg Config) template() (mask.Template, error) {
	if cfg.Template.Name != "" {
		return cfg.Template, nil
	}
	return mask.NewTemplate(mask.Training)
}
