package rank

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"time"

	"github.com/mars-rec/mars/internal/atomicfile"
)

// WeightsVersion is the version of the weights' file.
const WeightsVersion = 1

// maxWeights bounds the size of a weights file, in bytes.
const maxWeights = 1 << 20

// Weights is a fused score: a linear model of features of the signals. It is
// what mars fit writes, and what [Default] returns.
type Weights struct {
	Version    int        `json:"version"`
	Dataset    string     `json:"dataset"` // what it was fitted on; "": the built-in rule
	Before     time.Time  `json:"before"`  // fitted on interactions strictly before it; zero: fit for any task
	Features   []Feature  `json:"features"`
	Provenance Provenance `json:"provenance"`
}

// Provenance says what weights were fitted on.
type Provenance struct {
	Interactions int     `json:"interactions"` // visible at Before
	Users        int     `json:"users"`        // users with training cases
	Cases        int     `json:"cases"`        // training cases, both kinds of negatives
	Candidates   int     `json:"candidates"`   // per case
	Penalty      float64 `json:"penalty"`      // of the squares of the weights
	Seed         int64   `json:"seed"`
	Loss         float64 `json:"loss"` // mean negative log likelihood of the cases, in nats
}

// Load reads a weights file, strictly: an unknown key, another version, an
// unknown form or a number that makes no sense is an error.
func Load(path string) (Weights, error) {
	f, err := os.Open(path)
	if err != nil {
		return Weights{}, fmt.Errorf("load weights: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxWeights+1))
	if err != nil {
		return Weights{}, fmt.Errorf("load weights: %w", err)
	}
	w, err := Parse(b)
	if err != nil {
		return Weights{}, fmt.Errorf("load weights %s: %w", path, err)
	}
	return w, nil
}

// Save writes the weights, whole or not at all. The same weights make the same
// bytes.
func (w Weights) Save(path string) error {
	b, err := json.MarshalIndent(w, "", "  ")
	if err == nil {
		err = atomicfile.Write(path, func(f io.Writer) error {
			_, err := f.Write(append(b, '\n'))
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("save weights %s: %w", path, err)
	}
	return nil
}

// Parse reads the bytes of a weights file as [Load] does.
func Parse(b []byte) (Weights, error) {
	if len(b) > maxWeights {
		return Weights{}, fmt.Errorf("more than %d bytes: this is no weights file", maxWeights)
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	var w Weights
	if err := dec.Decode(&w); err != nil {
		return Weights{}, fmt.Errorf("not what mars fit writes: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return Weights{}, fmt.Errorf("not what mars fit writes: something follows the JSON object")
	}
	return w, w.check()
}

func (w Weights) check() error {
	if w.Version != WeightsVersion {
		return fmt.Errorf("version %d, this program reads version %d: fit the weights again", w.Version, WeightsVersion)
	}
	if w.Before.IsZero() {
		return fmt.Errorf("\"before\" is missing: without it nobody knows for which tasks the weights may be used")
	}
	if len(w.Features) == 0 {
		return fmt.Errorf("it has no features")
	}
	for k, f := range w.Features {
		switch {
		case f.Form != Standardised && f.Form != Value && f.Form != Fallback:
			return fmt.Errorf("feature %d (%s): the form %q is unknown", k+1, f.Signal, f.Form)
		case f.Signal == "":
			return fmt.Errorf("feature %d has no signal", k+1)
		case f.Scale <= 0 || !finite(f.Mean, f.Scale, f.Weight):
			return fmt.Errorf("feature %d (%s): mean %v, scale %v, weight %v: want finite numbers and a positive scale", k+1, f.Signal, f.Mean, f.Scale, f.Weight)
		}
	}
	return nil
}

func finite(xs ...float64) bool {
	for _, x := range xs {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return false
		}
	}
	return true
}

// CheckTask refuses a task whose moment is earlier than [Weights.Before]: the
// weights would know its future.
func (w Weights) CheckTask(asOf time.Time) error {
	if asOf.Before(w.Before) {
		return fmt.Errorf("the weights were fitted on interactions before %s, but the task is as of %s, when these had not happened: fit them before the earliest task",
			w.Before.UTC().Format(time.RFC3339), asOf.UTC().Format(time.RFC3339))
	}
	return nil
}

// Signals returns the names of the signals that the weights use, each once, in
// the order of the features.
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

// Fuse returns the fused score of each candidate, larger is better: the
// weighted sum of the features. Every signal lists all candidates in the same
// order. A signal that is missing, has another length than the longest, or has
// a number that is not finite adds nothing, so that a fused score can be made
// of whatever evidence there is. Without any signal it returns nil.
//
// Scores may be rounded: four significant digits rank like the exact ones,
// except between candidates that are as good as equal.
func (w Weights) Fuse(signals map[string][]float64) []float64 {
	signals, n := usable(signals)
	if n == 0 {
		return nil
	}
	fused := make([]float64, n)
	for _, f := range w.Features {
		for k, x := range f.Of(signals) {
			fused[k] += float64(f.Weight * x) // rounded: no machine may fuse it with the sum
		}
	}
	return fused
}

// usable leaves out what [Weights.Fuse] cannot use, and returns the number of
// candidates.
func usable(signals map[string][]float64) (map[string][]float64, int) {
	n := 0
	for _, s := range signals {
		n = max(n, len(s))
	}
	kept := make(map[string][]float64, len(signals))
	for name, s := range signals {
		if len(s) == n && finite(s...) {
			kept[name] = s
		}
	}
	return kept, n
}
