package trajectories

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/message/phase"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/tools"
)

// Detail is how much a student is told. What it is trained with must be what it
// is served with, so exports, environments and servers all ask it for the words:
//
//	Full   c01 | Dune (1965) | SF          {"evidence":["412 of 1,204 ..."],"rankings":[{... "c02:9=0.5" ...}]}
//	Brief  Candidates: 3, from c01 on.     item_cf: c02:9 c01:4 c03:0
//	Raw    Candidates: 3, from c01 on.     item_cf: c01 0.1 c02 0.5
//
// Brief is for a student of a few million parameters that learns from nothing:
// it cannot read a title, and its context is short. It still plans, calls tools,
// reads their answers, reflects and ranks. The teacher's own work is the same
// for both, and so are its rankings. Raw is the control of the translation: the
// same candidates, in the order of their labels, with the numbers behind them.
type Detail string

// The details.
const (
	Full  Detail = ""
	Brief Detail = "brief"
	Raw   Detail = "raw"
)

// details are all, those that are told apart by their first words.
func details() []Detail { return []Detail{Full, Brief, Raw} }

// short reports whether candidates are labels alone.
func (d Detail) short() bool { return d == Brief || d == Raw }

// ParseDetail reads "full", "brief", "raw" or "", which is full.
func ParseDetail(s string) (Detail, error) {
	switch s {
	case "", "full":
		return Full, nil
	case string(Brief), string(Raw):
		return Detail(s), nil
	}
	return Full, fmt.Errorf("detail %q: want full, brief or raw", s)
}

// DetailOf says how much the student was told in a conversation, by its system
// message. One that is of no detail is an error.
func DetailOf(messages []model.Message) (Detail, error) {
	for _, d := range details() {
		form, err := d.opening()
		if err != nil {
			return Full, err
		}
		if len(messages) > 0 && messages[0].Role == model.System && messages[0].Content == form.system {
			return d, nil
		}
	}
	return Full, errors.New("the conversation does not begin as a student's does")
}

// Answer is what the student reads of a tool's result. Brief keeps of a ranking
// labels and levels, under the name of its signal, without those that share the
// last place, and Raw of the same candidates labels and scores, to three digits;
// of a result that ranks nothing both keep the sentences.
func (d Detail) Answer(r tools.Result) (string, error) {
	if !d.short() || r.Error != "" {
		return r.Content(), nil
	}
	var told struct {
		Evidence []string         `json:"evidence"`
		Rankings []phase.Evidence `json:"rankings"`
	}
	if err := json.Unmarshal(r.Value, &told); err != nil {
		return "", fmt.Errorf("answer of %s: %w", r.Tool, err)
	}
	if len(told.Rankings) == 0 {
		return strings.Join(told.Evidence, "\n"), nil
	}
	lines := make([]string, len(told.Rankings))
	for i, e := range told.Rankings {
		var b strings.Builder
		b.WriteString(e.Signal + ":")
		said := e.Ranking[:spoken(e.Ranking)]
		if d == Raw {
			said = slices.Clone(said)
			slices.SortFunc(said, func(a, b phase.Strength) int { return strings.Compare(a.Label, b.Label) })
		}
		for _, s := range said {
			if d == Raw {
				fmt.Fprintf(&b, " %s %.3g", s.Label, s.Score)
			} else {
				fmt.Fprintf(&b, " %s:%d", s.Label, s.Level)
			}
		}
		lines[i] = b.String()
	}
	return strings.Join(lines, "\n"), nil
}

// spoken counts the candidates above those that share the last place: a signal
// that has nothing on many of them orders them by other means.
func spoken(ranking []phase.Strength) int {
	n := len(ranking)
	if n < 2 || ranking[n-2].Score != ranking[n-1].Score {
		return n
	}
	for last := ranking[n-1].Score; n > 0 && ranking[n-1].Score == last; n-- {
	}
	return n
}

// Specs is what the student is told of its tools. Brief and Raw keep the first sentence
// of a description, and of arguments their names, types and choices; what a tool
// takes is the same.
func (d Detail) Specs(specs []model.ToolSpec) ([]model.ToolSpec, error) {
	if !d.short() {
		return specs, nil
	}
	short := make([]model.ToolSpec, len(specs))
	for i, s := range specs {
		s.Description, _, _ = strings.Cut(s.Description, ". ")
		var p parameters
		if err := json.Unmarshal(s.Parameters, &p); err != nil {
			return nil, fmt.Errorf("parameters of %s: %w", s.Name, err)
		}
		var err error
		if s.Parameters, err = message.Marshal(p); err != nil {
			return nil, fmt.Errorf("parameters of %s: %w", s.Name, err)
		}
		short[i] = s
	}
	return short, nil
}

// parameters is what Brief keeps of a schema.
type parameters struct {
	Type       string              `json:"type"`
	Properties map[string]argument `json:"properties,omitempty"`
	Required   []string            `json:"required,omitempty"`
}

type argument struct {
	Type string   `json:"type"`
	Enum []string `json:"enum,omitempty"`
}

// analysis is what is told of an analysis. Brief and Raw leave out the claims, which
// repeat sentences that such a student has not read.
func (d Detail) analysis(a phase.Analysis) phase.Analysis {
	if d.short() {
		a.Claims = nil
	}
	return a
}
