package trajectories

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/mars-rec/mars/message"
)

// Everyone stands, in [Manifest.Models], for the roles that are not named.
const Everyone = "default"

// Manifest says what runs were made with. Runs of the same task with equal
// manifests and equal facts are equal, so a run is resumed only under the
// manifest that it began with.
type Manifest struct {
	Team string `json:"team"` // hash of the workflow and its roles
	// Without are the phases that the team has not, as [Form] names them: what
	// follows from the team, for whoever reads the runs.
	Without []string `json:"without,omitempty"`
	Prompts string   `json:"prompts"` // hash of the prompts
	// Models has the name of the model of each role; Everyone stands for those
	// that are not named.
	Models   map[string]string `json:"models"`
	Seed     int64             `json:"seed"`
	Sampling string            `json:"sampling,omitempty"` // how replies are drawn
	Data     string            `json:"data"`               // hash of the data set
	// Origin says where the runs have parted from another, if they have.
	Origin *Origin `json:"origin,omitempty"`
	// Setup is what the runs were made with as their maker tells it, so that
	// it can make them again: kept, not compared.
	Setup json.RawMessage `json:"setup,omitempty"`
}

// Origin is the point at which runs were forked from one of another store.
type Origin struct {
	Store string     `json:"store"` // where it was: told, not compared
	Run   string     `json:"run"`
	Seal  string     `json:"seal"`
	At    message.ID `json:"at"` // what comes before is the run's, the rest is new
	// Changed names what differs from what the run was made with, as
	// [Manifest.Differences] does; empty where only the draw does.
	Changed []string `json:"changed"`
}

// String names the run and the point.
func (o *Origin) String() string {
	if o == nil {
		return "none"
	}
	return fmt.Sprintf("run %s (%.20s) from %s on", o.Run, strings.TrimPrefix(o.Seal, sealVersion+":"), o.At)
}

// Fork is the id of the nth run that was forked from the run of that id.
func (o *Origin) Fork(n int) string { return o.Run + "~" + strconv.Itoa(n) }

// Number returns n of an id that [Origin.Fork] made; 0 of any other.
func (o *Origin) Number(id string) int {
	n, err := strconv.Atoi(strings.TrimPrefix(id, o.Run+"~"))
	if err != nil || n < 1 || o.Fork(n) != id {
		return 0
	}
	return n
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
	differ("forked from", m.Origin.String(), other.Origin.String())
	return out
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
