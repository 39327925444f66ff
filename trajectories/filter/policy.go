package filter

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"

	"gopkg.in/yaml.v3"

	"github.com/mars-rec/mars/trajectories"
	"github.com/mars-rec/mars/trajectories/reward"
)

// Policy says which filters there are, as the package comment shows it in YAML.
// What is not set is left out.
type Policy struct {
	Seed       int64         `yaml:"seed" json:"seed"`
	Valid      bool          `yaml:"valid" json:"valid,omitempty"`
	Gold       *TopRule      `yaml:"gold" json:"gold,omitempty"`
	Reward     *RewardRule   `yaml:"reward" json:"reward,omitempty"`
	Grounded   *GroundedRule `yaml:"grounded" json:"grounded,omitempty"`
	Leakage    bool          `yaml:"leakage" json:"leakage,omitempty"`
	Length     *LengthRule   `yaml:"length" json:"length,omitempty"`
	Duplicates *AlikeRule    `yaml:"duplicates" json:"duplicates,omitempty"`
	Best       int           `yaml:"best" json:"best,omitempty"` // runs of a task, by reward
	Difficulty *MixRule      `yaml:"difficulty" json:"difficulty,omitempty"`

	by *reward.Composition // of Reward.By
}

// TopRule sets [Top].
type TopRule struct {
	Top int `yaml:"top" json:"top"` // 0: 1
}

// RewardRule sets [Reward], and by what the best runs are told.
type RewardRule struct {
	Min *float64 `yaml:"min" json:"min,omitempty"`
	// By is a file with the recipe of a reward, see [reward.Compose], beside the
	// policy's; "" is the paper's reward.
	By string `yaml:"by" json:"by,omitempty"`
}

// GroundedRule sets [Grounded].
type GroundedRule struct {
	Min float64 `yaml:"min" json:"min"` // 0: 1
}

// LengthRule sets [Tokens] or [Characters].
type LengthRule struct {
	Tokens     int `yaml:"max_tokens" json:"max_tokens,omitempty"`
	Characters int `yaml:"max_characters" json:"max_characters,omitempty"`
}

// AlikeRule sets [Duplicates].
type AlikeRule struct {
	Jaccard float64 `yaml:"jaccard" json:"jaccard"` // 0: 0.8
	Words   int     `yaml:"words" json:"words"`     // of a shingle; 0: 5
}

// MixRule sets [Varied] and [Mixed].
type MixRule struct {
	Samples int    `yaml:"samples" json:"samples"`       // of the policy, of each task; 0: 8
	Mix     string `yaml:"mix" json:"mix,omitempty"`     // "": all tasks whose rewards vary
	Total   int    `yaml:"total" json:"total,omitempty"` // tasks; 0: as many as there are for the mix
}

// Default is the policy of the paper: well formed, the right item first, one run
// of each task.
func Default() Policy {
	return Policy{Seed: 42, Valid: true, Gold: &TopRule{1}, Best: 1}
}

// maxPolicy is the size of a policy's file at most, in bytes.
const maxPolicy = 64 << 10

// ReadPolicy reads a policy from a YAML file. It is read strictly: an unknown
// key, a second document, a setting that makes no sense are errors.
func ReadPolicy(path string) (Policy, error) {
	f, err := os.Open(path)
	if err != nil {
		return Policy{}, err
	}
	defer f.Close() // it was only read
	p, err := parsePolicy(f)
	if err == nil && p.Reward != nil && p.Reward.By != "" {
		p.by, err = recipe(filepath.Join(filepath.Dir(path), p.Reward.By), p.Reward.By)
	}
	if err != nil {
		return Policy{}, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

func recipe(path, name string) (*reward.Composition, error) {
	if filepath.IsAbs(name) {
		path = name
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reward: by: %w", err)
	}
	defer f.Close() // it was only read
	c, err := reward.Compose(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

func parsePolicy(r io.Reader) (Policy, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxPolicy+1))
	if err != nil {
		return Policy{}, err
	}
	if len(text) > maxPolicy {
		return Policy{}, fmt.Errorf("it has more than %d bytes", maxPolicy)
	}
	p := Policy{Seed: Default().Seed}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(&p); err != nil && !errors.Is(err, io.EOF) {
		return Policy{}, err
	}
	if err := dec.Decode(&struct{}{}); !errors.Is(err, io.EOF) {
		return Policy{}, errors.New("there is more than one document")
	}
	return p, p.check()
}

// check fills in what is not said, and refuses what makes no sense.
func (p *Policy) check() error {
	if p.Gold != nil && p.Gold.Top == 0 {
		p.Gold.Top = 1
	}
	if p.Grounded != nil && p.Grounded.Min == 0 {
		p.Grounded.Min = 1
	}
	if p.Duplicates != nil && p.Duplicates.Jaccard == 0 {
		p.Duplicates.Jaccard = 0.8
	}
	if p.Duplicates != nil && p.Duplicates.Words == 0 {
		p.Duplicates.Words = 5
	}
	if p.Difficulty != nil && p.Difficulty.Samples == 0 {
		p.Difficulty.Samples = 8
	}
	switch {
	case p.Gold != nil && p.Gold.Top < 1:
		return fmt.Errorf("gold: top is %d: want 1 or more", p.Gold.Top)
	case p.Reward != nil && p.Reward.Min == nil && p.Best == 0 && p.Difficulty == nil && p.Duplicates == nil:
		return errors.New("reward: nothing is judged by it: want min, or best, duplicates or difficulty beside it")
	case p.Grounded != nil && !(p.Grounded.Min > 0 && p.Grounded.Min <= 1):
		return fmt.Errorf("grounded: min is %v: want a share above 0, at most 1", p.Grounded.Min)
	case p.Length != nil && (p.Length.Tokens < 0 || p.Length.Characters < 0 || (p.Length.Tokens > 0) == (p.Length.Characters > 0)):
		return errors.New("length: want one of max_tokens and max_characters, above 0")
	case p.Duplicates != nil && !(p.Duplicates.Jaccard > 0 && p.Duplicates.Jaccard <= 1):
		return fmt.Errorf("duplicates: jaccard is %v: want a share above 0, at most 1", p.Duplicates.Jaccard)
	case p.Duplicates != nil && p.Duplicates.Words < 1:
		return fmt.Errorf("duplicates: words is %d: want 1 or more", p.Duplicates.Words)
	case p.Best < 0:
		return fmt.Errorf("best is %d: want 1 or more, or none to keep all", p.Best)
	}
	if d := p.Difficulty; d != nil {
		if d.Samples < 1 || d.Total < 0 || d.Total > 0 && d.Mix == "" {
			return fmt.Errorf("difficulty: samples is %d, total %d, mix %q: want samples of 1 or more, and a total only of a mix", d.Samples, d.Total, d.Mix)
		}
		if d.Mix != "" {
			if _, err := ParseMix(d.Mix); err != nil {
				return fmt.Errorf("difficulty: mix: %w", err)
			}
		}
	}
	return nil
}

// Scorer is the reward that the policy judges by.
func (p Policy) Scorer() Scorer {
	if p.by != nil {
		return By(p.by)
	}
	return ByPaper()
}

// Config is what filters need besides the runs.
type Config struct {
	Linear   trajectories.Linear // how the runs are to be told, for [Characters] and [Duplicates]
	Ruler    *Ruler              // for [Tokens]; nil: there is no tokenizer
	Tools    []string            // that runs may call, for [Valid]; nil: any
	Outcomes *Outcomes           // for the difficulty; nil: none are known
}

// filters are those of the policy but the mix. What is quick to say stands
// first, and what compares runs last.
func (p Policy) filters(cfg Config) ([]Filter, error) {
	var all []Filter
	if p.Difficulty != nil {
		if cfg.Outcomes == nil {
			return nil, errors.New("difficulty: the outcomes of a policy on the tasks are missing")
		}
		all = append(all, Varied(cfg.Outcomes))
	}
	if p.Gold != nil {
		all = append(all, Top(p.Gold.Top))
	}
	if p.Valid {
		all = append(all, Valid(cfg.Linear, cfg.Tools))
	}
	if p.Reward != nil && p.Reward.Min != nil {
		all = append(all, Reward(p.Scorer(), *p.Reward.Min))
	}
	if p.Grounded != nil {
		all = append(all, Grounded(p.Grounded.Min))
	}
	if p.Leakage {
		all = append(all, Leakage())
	}
	if p.Length != nil && p.Length.Tokens > 0 {
		if cfg.Ruler == nil {
			return nil, errors.New("length: max_tokens needs the tokenizer that counts them")
		}
		all = append(all, Tokens(*cfg.Ruler, p.Length.Tokens))
	}
	if p.Length != nil && p.Length.Characters > 0 {
		all = append(all, Characters(cfg.Linear, p.Length.Characters))
	}
	if d := p.Duplicates; d != nil {
		all = append(all, Duplicates(Similarity{Jaccard: d.Jaccard, Words: d.Words, Seed: p.Seed, By: p.Scorer(), Linear: cfg.Linear}))
	}
	if p.Best > 0 {
		all = append(all, Best(p.Scorer(), p.Best))
	}
	return all, nil
}

// Sieve makes the filters of the policy. For a mix, it reads all groups once to
// learn how many tasks of each class are accepted; drawn tells of it, nil
// without a mix.
func (p Policy) Sieve(ctx context.Context, cfg Config, groups iter.Seq2[Load, error]) (sieve *Sieve, drawn *Drawn, err error) {
	filters, err := p.filters(cfg)
	if err != nil || p.Difficulty == nil || p.Difficulty.Mix == "" {
		return NewSieve(filters...), nil, err
	}
	mix, err := ParseMix(p.Difficulty.Mix)
	if err != nil {
		return nil, nil, err
	}
	tasks := map[string]Class{}
	for sifted, err := range NewSieve(filters...).Each(ctx, groups) {
		if err != nil {
			return nil, nil, err
		}
		for _, s := range sifted.Accepted().Runs {
			tasks[s.Run.Task.ID], _ = cfg.Outcomes.Class(s.Run.Task.ID)
		}
	}
	d, err := mix.Draw(tasks, p.Difficulty.Total, p.Seed)
	if err != nil {
		return nil, nil, fmt.Errorf("difficulty: %w", err)
	}
	if filters, err = p.filters(cfg); err != nil { // those that remember begin anew
		return nil, nil, err
	}
	return NewSieve(append(filters, Mixed(mix, d, cfg.Outcomes))...), &d, nil
}
