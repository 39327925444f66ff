package trajectories

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// Everyone stands, in [Manifest.Models], for the roles that are not named.
const Everyone = "default"

// Manifest says what runs were made with. Runs of the same task with equal
// manifests and equal facts are equal, so a run is resumed only under the
// manifest that it began with.
type Manifest struct {
	Team    string `json:"team"`    // hash of the workflow and its roles
	Prompts string `json:"prompts"` // hash of the prompts
	// Models has the name of the model of each role; Everyone stands for those
	// that are not named.
	Models   map[string]string `json:"models"`
	Seed     int64             `json:"seed"`
	Sampling string            `json:"sampling,omitempty"` // how replies are drawn
	Data     string            `json:"data"`               // hash of the data set
	// Setup is what the runs were made with as their maker tells it, so that
	// it can make them again: kept, not compared.
	Setup json.RawMessage `json:"setup,omitempty"`
}

// Differences names what differs between two manifests, one text for each, in
// the order of the fields; none if runs made with either are comparable.
func (m Manifest) Differences(other Manifest) []string {
	var out []string
	differ := func(what string, a, b any) {
		if a != b {
			out = append(out, fmt.Sprintf("%s: %v, then %v", what, a, b))
		}
	}
	differ("team", m.Team, other.Team)
	differ("prompts", m.Prompts, other.Prompts)
	roles := slices.Collect(maps.Keys(m.Models))
	roles = slices.AppendSeq(roles, maps.Keys(other.Models))
	slices.Sort(roles)
	for _, role := range slices.Compact(roles) {
		what := "model of " + role
		if role == Everyone {
			what = "model"
		}
		differ(what, orNone(m.Models[role]), orNone(other.Models[role]))
	}
	differ("seed", m.Seed, other.Seed)
	differ("sampling", orNone(m.Sampling), orNone(other.Sampling))
	differ("data", m.Data, other.Data)
	return out
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
