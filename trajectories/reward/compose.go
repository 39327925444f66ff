package reward

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/mars-rec/mars/eval/metric"
	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tasks/gold"
	"github.com/mars-rec/mars/trajectories"
)

// PartsVersion changes whenever the same conversation could get another part
// than before, format and outcome apart: they are under [PaperVersion].
const PartsVersion = "2"

// Defaults of what a part can be told.
const (
	defaultAt    = 10 // of ndcg
	defaultCalls = 20 // of economy
	maxRecipe    = 64 << 10
)

// Composition is a reward made of parts. It is immutable.
type Composition struct {
	// Name and Version are what its scores are kept under. The version is a
	// hash of the weights and settings, so that another recipe is another
	// version; how the file is laid out, and its comments, do not matter.
	Name, Version string

	parts recipe
}

// recipe is what the YAML says of the parts.
type recipe struct {
	Format   *weight  `yaml:"format" json:"format,omitempty"`
	Outcome  *weight  `yaml:"outcome" json:"outcome,omitempty"`
	NDCG     *ndcg    `yaml:"ndcg" json:"ndcg,omitempty"`
	MRR      *weight  `yaml:"mrr" json:"mrr,omitempty"`
	Grounded *weight  `yaml:"grounded" json:"grounded,omitempty"`
	Economy  *economy `yaml:"economy" json:"economy,omitempty"`
}

type weight struct {
	Weight float64 `yaml:"weight" json:"weight"`
}

type ndcg struct {
	Weight float64 `yaml:"weight" json:"weight"`
	At     int     `yaml:"at" json:"at"`
}

type economy struct {
	Weight float64 `yaml:"weight" json:"weight"`
	Calls  int     `yaml:"calls" json:"calls"`
}

// Compose reads a reward's recipe, YAML as the package comment shows it. It is
// read strictly: an unknown key, a weight that is not above 0, a second
// document are errors. The name is "composed" where none is given.
func Compose(r io.Reader) (*Composition, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxRecipe+1))
	if err != nil {
		return nil, fmt.Errorf("reward: %w", err)
	}
	if len(text) > maxRecipe {
		return nil, fmt.Errorf("reward: the recipe has more than %d bytes", maxRecipe)
	}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	var file struct {
		Name  string `yaml:"name"`
		Parts recipe `yaml:"parts"`
	}
	if err := dec.Decode(&file); err != nil {
		return nil, fmt.Errorf("reward: %w", err)
	}
	if err := dec.Decode(&struct{}{}); !errors.Is(err, io.EOF) {
		return nil, errors.New("reward: there is more than one document")
	}
	if file.Name == "" {
		file.Name = "composed"
	}
	if file.Name == PaperName || strings.Trim(file.Name, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
		return nil, fmt.Errorf("reward: the name is %q: want lower case letters, digits, - and _, and not %s, which is the paper's", file.Name, PaperName)
	}
	c := &Composition{Name: file.Name, parts: file.Parts}
	if err := c.parts.check(); err != nil {
		return nil, fmt.Errorf("reward: %w", err)
	}
	canonical, err := message.Marshal(c.parts)
	if err != nil {
		return nil, fmt.Errorf("reward: %w", err)
	}
	c.Version = fmt.Sprintf("%s-%.6x", PartsVersion, sha256.Sum256(canonical))
	return c, nil
}

// check fills in what is not said, and refuses what makes no sense.
func (r *recipe) check() error {
	if r.NDCG != nil && r.NDCG.At == 0 {
		r.NDCG.At = defaultAt
	}
	if r.Economy != nil && r.Economy.Calls == 0 {
		r.Economy.Calls = defaultCalls
	}
	all := r.weights()
	if len(all) == 0 {
		return fmt.Errorf("there are no parts: want some of format, outcome, ndcg, mrr, grounded, economy")
	}
	for _, w := range all {
		if !(w.weight > 0) || math.IsInf(w.weight, 0) {
			return fmt.Errorf("the weight of %s is %v: want a number above 0", w.name, w.weight)
		}
	}
	if r.NDCG != nil && r.NDCG.At < 0 {
		return fmt.Errorf("at of ndcg is %d: want 1 or more", r.NDCG.At)
	}
	if r.Economy != nil && r.Economy.Calls < 0 {
		return fmt.Errorf("calls of economy is %d: want 1 or more", r.Economy.Calls)
	}
	return nil
}

type weighted struct {
	name   string
	weight float64
}

// weights returns the parts that are there, always in the same order: sums of
// floating point numbers depend on it.
func (r *recipe) weights() []weighted {
	var all []weighted
	for _, p := range []struct {
		name string
		*weight
	}{{"format", r.Format}, {"outcome", r.Outcome}, {"mrr", r.MRR}, {"grounded", r.Grounded}} {
		if p.weight != nil {
			all = append(all, weighted{p.name, p.Weight})
		}
	}
	if r.NDCG != nil {
		all = append(all, weighted{"ndcg", r.NDCG.Weight})
	}
	if r.Economy != nil {
		all = append(all, weighted{"economy", r.Economy.Weight})
	}
	return all
}

// Description says what a reward is.
type Description struct {
	Name, Version string // under which its scores are kept
	// Recipe is the parts by name, each with its weight and settings, as JSON:
	// {"format":{"weight":1},"ndcg":{"weight":0.5,"at":10}}.
	Recipe json.RawMessage
}

// Describe describes a composition; nil stands for the paper's reward.
func Describe(c *Composition) (Description, error) {
	if c == nil {
		return Description{PaperName, PaperVersion, json.RawMessage(`{"format":{"weight":1},"outcome":{"weight":1}}`)}, nil
	}
	recipe, err := message.Marshal(c.parts)
	return Description{c.Name, c.Version, recipe}, err
}

// Weighs reports whether the part of that name is in the value.
func (c *Composition) Weighs(part string) bool {
	return slices.ContainsFunc(c.parts.weights(), func(w weighted) bool { return w.name == part })
}

// Score is the composition as a [Reward]. The score's parts are all six,
// whether they weigh anything or not, and "rank".
func (c *Composition) Score(_ context.Context, t *trajectories.Trajectory, g gold.Gold) (trajectories.Score, error) {
	if err := of(t.Run.Task, t.Run.ID, g); err != nil {
		return trajectories.Score{}, err
	}
	messages, read, wrong := tell(t)
	return c.score(t.Run.Task, t.Run.ID, messages, read, wrong, g), nil
}

// Conversation is [Composition.Score] for a conversation, as the function
// [Conversation] is for [Paper].
func (c *Composition) Conversation(task tasks.Task, messages []model.Message, form trajectories.Form, g gold.Gold) (trajectories.Score, error) {
	if err := of(task, task.ID, g); err != nil {
		return trajectories.Score{}, err
	}
	read, wrong := hear(task, messages, form)
	return c.score(task, task.ID, messages, read, wrong, g), nil
}

func (c *Composition) score(task tasks.Task, run string, messages []model.Message, read trajectories.Reading, wrong error, g gold.Gold) trajectories.Score {
	s := paper(task, run, read, wrong, g)
	s.Scorer, s.Version, s.Value = c.Name, c.Version, 0
	for _, name := range []string{"ndcg", "mrr", "grounded", "economy"} {
		s.Parts[name] = 0
	}
	if wrong == nil {
		at, allowed := defaultAt, defaultCalls
		if c.parts.NDCG != nil {
			at = c.parts.NDCG.At
		}
		if c.parts.Economy != nil {
			allowed = c.parts.Economy.Calls
		}
		rank := int(s.Parts["rank"])
		s.Parts["ndcg"], s.Parts["mrr"] = metric.Gain(rank, at), metric.Reciprocal(rank)
		s.Parts["economy"] = thrift(messages, allowed)
		var loose []string
		s.Parts["grounded"], loose = Grounded(messages)
		if len(loose) > 0 {
			const most = 5
			s.Note = fmt.Sprintf("%d statements are in no answer: %s", len(loose), strings.Join(loose[:min(most, len(loose))], ", "))
		}
	}
	for _, w := range c.parts.weights() {
		s.Value += w.weight * s.Parts[w.name]
	}
	return s
}
