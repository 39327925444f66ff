package trajectories

// Score is what a scorer says of one trajectory. Scores are never part of the
// log: they stand beside it, by run and by the scorer's version, so that a
// trajectory can be scored again.
type Score struct {
	Run     string             `json:"run"`
	Scorer  string             `json:"scorer"`  // "paper", "metrics", ...
	Version string             `json:"version"` // of the scorer; a change of what it computes is a new version
	Value   float64            `json:"value"`   // the score as one number
	Parts   map[string]float64 `json:"parts,omitempty"`
	Note    string             `json:"note,omitempty"` // why, for a person
}
