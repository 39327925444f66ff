package stat

import (
	"cmp"
	"math"
	"slices"
)

// Level is the level of the tests and, as 1 − Level, of the intervals.
const Level = 0.05

// Power is with which probability a difference of [Comparison.Detectable] is
// told from none.
const Power = 0.8

// detectable is how many standard errors that is: the normal quantiles of
// 1 − Level/2 and of Power together.
const detectable = 1.959963984540054 + 0.8416212335729143

// Verdict is what a comparison carries.
type Verdict string

// The verdicts.
const (
	More      Verdict = "more"      // the first is above the second
	Less      Verdict = "less"      // the first is below the second
	Undecided Verdict = "undecided" // the sample cannot tell
)

// Comparison is the difference of two systems on the same cases, the first
// minus the second.
type Comparison struct {
	Cases      int     `json:"cases"`
	Clusters   int     `json:"clusters"`
	Difference float64 `json:"difference"`     // of the means over cases
	Low        float64 `json:"low"`            // of the 95% bootstrap interval
	High       float64 `json:"high"`           //
	P          float64 `json:"p"`              // of the two-sided sign-flip test
	Holm       float64 `json:"p_holm"`         // the same, corrected for all that are compared together
	Effect     float64 `json:"effect_size"`    // Cohen's d of the paired differences of clusters
	Detectable float64 `json:"detectable"`     // the least difference that such a sample shows with 80% power
	Verdict    Verdict `json:"verdict"`        // by the corrected p
	Error      float64 `json:"standard_error"` // of the difference, clusters being drawn
	// Relative is the difference as a share of the second's mean; nil where that
	// mean is not above 0, in the sample or in one drawn from it.
	Relative *Relative `json:"relative,omitempty"`
}

// Relative is a difference as a share of what it is above: 0.087 is 8.7% more.
type Relative struct {
	Lead float64 `json:"lead"`
	Low  float64 `json:"low"` // of the 95% bootstrap interval, drawn together with that of the difference
	High float64 `json:"high"`
}

// Compare compares two systems of a panel: the bootstrap interval of the
// difference, and the p of the hypothesis that the two are exchangeable within
// each cluster: the share of sign flips, the observed one among them, whose
// difference is at least as large. With few clusters all flips are tried, and p
// is exact. The effect size is the difference by the standard deviation of a
// cluster's: d_z of Cohen 1988.
func (r *Resampled) Compare(a, b int) Comparison {
	c := Comparison{Cases: r.total, Clusters: len(r.cases), Difference: r.means[a] - r.means[b]}
	difference := func(round []float64) float64 { return round[a] - round[b] }
	c.Low, c.High = r.interval(difference)
	c.Relative = r.relative(a, b)
	// Rounding must not make the observed flip smaller than itself.
	observed := math.Abs(c.Difference)*float64(r.total) - 1e-9*float64(r.total)
	extreme, flips := 0, 0
	for round := range slices.Chunk(r.flipped, r.systems) {
		flips++
		if math.Abs(difference(round)) >= observed {
			extreme++
		}
	}
	c.P = float64(extreme) / float64(flips)
	if !r.exact {
		c.P = float64(extreme+1) / float64(flips+1)
	}
	c.Error = r.spread(func(k int) float64 { return r.sums[k*r.systems+a] - r.sums[k*r.systems+b] })
	c.Detectable = detectable * c.Error
	if c.Error > 0 {
		c.Effect = c.Difference / (c.Error * math.Sqrt(float64(len(r.cases))))
	}
	c.decide(c.P)
	return c
}

// relative is the lead of the first as a share of the second's mean.
func (r *Resampled) relative(a, b int) *Relative {
	least := r.means[b]
	for round := range slices.Chunk(r.drawn, r.systems) {
		least = min(least, round[b])
	}
	if least <= 0 {
		return nil
	}
	out := &Relative{Lead: r.means[a]/r.means[b] - 1}
	out.Low, out.High = r.interval(func(round []float64) float64 { return round[a]/round[b] - 1 })
	return out
}

// decide sets the corrected p and what follows from it.
func (c *Comparison) decide(holm float64) {
	c.Holm, c.Verdict = holm, Undecided
	switch {
	case holm >= Level:
	case c.Difference > 0:
		c.Verdict = More
	case c.Difference < 0:
		c.Verdict = Less
	}
}

// Holm corrects the p of comparisons that are read together, so that one false
// claim among them has a probability of at most [Level] (Holm 1979), and sets
// their verdicts anew.
func Holm(together []*Comparison) {
	byP := slices.Clone(together)
	slices.SortStableFunc(byP, func(a, b *Comparison) int { return cmp.Compare(a.P, b.P) })
	least := 0.0
	for k, c := range byP {
		least = max(least, min(1, c.P*float64(len(byP)-k)))
		c.decide(least)
	}
}

// Compare compares two systems by what each scored on the same cases, as
// [Resampled.Compare] does.
func Compare(a, b []float64, clusters []string, cfg Config) (Comparison, error) {
	p, err := New(clusters, a, b)
	if err != nil {
		return Comparison{}, err
	}
	return p.Resample(cfg).Compare(0, 1), nil
}

// Spread is how far a figure moves from seed to seed, which another user would
// not change: it stands beside the interval over users, and is not in it.
type Spread struct {
	Seeds int     `json:"seeds"`
	SD    float64 `json:"sd"` // over seeds; 0 of one
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// SpreadOf returns the spread of a figure that is given for each seed.
func SpreadOf(figures []float64) Spread {
	if len(figures) == 0 {
		return Spread{}
	}
	s := Spread{Seeds: len(figures), Low: slices.Min(figures), High: slices.Max(figures)}
	mean, squares := 0.0, 0.0
	for _, x := range figures {
		mean += x / float64(len(figures))
	}
	for _, x := range figures {
		squares += (x - mean) * (x - mean)
	}
	if len(figures) > 1 {
		s.SD = math.Sqrt(squares / float64(len(figures)-1))
	}
	return s
}
