package rank

// Form is how a signal becomes a feature.
type Form string

// The forms.
const (
	// Standardised is the standard score of the signal among the candidates.
	Standardised Form = "standard"
	// Value is the signal itself, which says what a standard score hides: how
	// strong the evidence is, not only for whom.
	Value Form = "value"
	// Fallback is the standard score times the silence of the collaborative
	// signals: the share of the candidates of whom none of [Collaborative], as
	// far as they are there, says anything. Where all candidates have such
	// evidence it is 0.
	Fallback Form = "fallback"
)

// Feature is one addend of a fused score: a signal in a form, centred and
// scaled by constants, and its weight.
type Feature struct {
	Signal string  `json:"signal"`
	Form   Form    `json:"form"`
	Mean   float64 `json:"mean"`  // subtracted; of the feature over the training cases
	Scale  float64 `json:"scale"` // divided by; the standard deviation over the training cases
	Weight float64 `json:"weight"`
}

// Of returns the feature of each candidate, (form(signal) − mean) / scale, not
// yet weighted; nil if the signal is missing.
func (f Feature) Of(signals map[string][]float64) []float64 {
	s, ok := signals[f.Signal]
	if !ok {
		return nil
	}
	var xs []float64
	switch f.Form {
	case Value:
		xs = append(xs, s...)
	case Fallback:
		xs = Standard(s)
		silent := silence(signals, len(s))
		for k := range xs {
			xs[k] *= silent
		}
	default:
		xs = Standard(s)
	}
	for k := range xs {
		xs[k] = (xs[k] - f.Mean) / f.Scale
	}
	return xs
}

// Collaborative returns the signals whose silence [Fallback] is about.
func Collaborative() []string { return []string{ItemCF, ItemCFRecent, UserCF} }

// silence returns the share of the n candidates of whom no collaborative signal
// says anything.
func silence(signals map[string][]float64, n int) float64 {
	silent := 0
	for k := range n {
		heard := false
		for _, name := range Collaborative() {
			s := signals[name]
			heard = heard || k < len(s) && s[k] > 0
		}
		if !heard {
			silent++
		}
	}
	return float64(silent) / float64(n)
}
