package rank

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"time"
)

// WeightsVersion is the version of the weights' file.
const WeightsVersion = 1

// Feature is one addend of the fused score: a signal, how it is made into a
// feature, and its weight.
type Feature struct {
	Signal string  `json:"signal"`
	Form   string  `json:"form"`
	Mean   float64 `json:"mean"`  // of the feature in training
	Scale  float64 `json:"scale"` // its standard deviation in training, or 1
	Weight float64 `json:"weight"`
}

// Provenance says what the weights were fitted on.
type Provenance struct {
	Tasks        int   `json:"tasks"`        // training tasks
	Users        int   `json:"users"`        // their users
	Interactions int   `json:"interactions"` // visible at Before
	Seed         int64 `json:"seed"`
}

// Weights is a fused score: what `mars fit` writes, or the built-in rule.
type Weights struct {
	Version    int        `json:"version"`
	Dataset    string     `json:"dataset"`
	Before     time.Time  `json:"before"` // fitted on interactions strictly before it; zero: on none of this data set
	Features   []Feature  `json:"features"`
	Provenance Provenance `json:"provenance"`
}

// Load reads a weights file, strictly.
func Load(path string) (Weights, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return Weights{}, fmt.Errorf("load weights: %w", err)
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	var w Weights
	if err := dec.Decode(&w); err != nil {
		return Weights{}, fmt.Errorf("load weights %s: %w", path, err)
	}
	if err := w.check(); err != nil {
		return Weights{}, fmt.Errorf("load weights %s: %w", path, err)
	}
	return w, nil
}

func (w Weights) check() error {
	if w.Version != WeightsVersion {
		return fmt.Errorf("version %d: this program reads version %d: fit the weights again", w.Version, WeightsVersion)
	}
	if len(w.Features) == 0 {
		return fmt.Errorf("no features")
	}
	for _, f := range w.Features {
		if f.Form != "standard" {
			return fmt.Errorf("feature %s: unknown form %q", f.Signal, f.Form)
		}
		for _, x := range []float64{f.Mean, f.Scale, f.Weight} {
			if math.IsNaN(x) || math.IsInf(x, 0) {
				return fmt.Errorf("feature %s: a number is not finite", f.Signal)
			}
		}
	}
	return nil
}

// CheckTask refuses a task whose moment is earlier than [Weights.Before]: the
// weights would know its future.
func (w Weights) CheckTask(asOf time.Time) error {
	if asOf.Before(w.Before) {
		return fmt.Errorf("the weights were fitted on interactions before %s, the task is as of %s: fit them before the earliest task",
			w.Before.Format(time.RFC3339), asOf.Format(time.RFC3339))
	}
	return nil
}

// Signals returns the names of the signals that the weights use, each once.
func (w Weights) Signals() []string {
	var names []string
	seen := map[string]bool{}
	for _, f := range w.Features {
		if !seen[f.Signal] {
			seen[f.Signal] = true
			names = append(names, f.Signal)
		}
	}
	return names
}

// Fuse returns the fused score of each candidate: the weighted sum of the
// features. All signals list the same candidates in the same order; a signal
// that is missing adds nothing.
func (w Weights) Fuse(signals map[string][]float64) []float64 {
	var fused []float64
	for _, s := range signals {
		fused = make([]float64, len(s))
		break
	}
	for _, f := range w.Features {
		s, ok := signals[f.Signal]
		if !ok {
			continue
		}
		for k, z := range Standard(s) {
			fused[k] += float64(f.Weight * ((z - f.Mean) / f.Scale))
		}
	}
	return fused
}

// Default returns the built-in rule.
func Default() Weights {
	return Weights{Version: WeightsVersion, Features: []Feature{
		{ItemCF, "standard", 0, 1, 1},
		{ItemCFRecent, "standard", 0, 1, 1},
		{UserCF, "standard", 0, 1, 1},
		{Popularity, "standard", 0, 1, 0.25},
	}}
}
