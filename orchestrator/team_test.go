package orchestrator_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mars-rec/mars/agents"
	"github.com/mars-rec/mars/orchestrator"
)

var update = flag.Bool("update", false, "write golden files anew")

func TestDefaultTeamLayers(t *testing.T) {
	var got []string
	for _, layer := range orchestrator.DefaultTeam().Layers() {
		got = append(got, names(layer))
	}
	want := []string{"planner", "analyst/divergence analyst/historical analyst/profile analyst/recent", "reflector", "ranker"}
	if strings.Join(got, " | ") != strings.Join(want, " | ") {
		t.Errorf("layers are %q, want %q", got, want)
	}
}

func names(seats []agents.Seat) string {
	var out []string
	for _, s := range seats {
		out = append(out, string(s.Name))
	}
	return strings.Join(out, " ")
}

func TestChange(t *testing.T) {
	for _, c := range []struct{ name, yaml, seats string }{
		{"nothing", "", "analyst/divergence analyst/historical analyst/profile analyst/recent planner ranker reflector"},
		{"drop a role", "roles: {analyst/divergence: null}", "analyst/historical analyst/profile analyst/recent planner ranker reflector"},
		{"drop the reflector", "roles: {reflector: null}", "analyst/divergence analyst/historical analyst/profile analyst/recent planner ranker"},
		{"add a role", "roles: {analyst/critic: {kind: analyst, after: [planner], tools: [item_info]}}", "analyst/critic analyst/divergence analyst/historical analyst/profile analyst/recent planner ranker reflector"},
	} {
		t.Run(c.name, func(t *testing.T) {
			team, err := orchestrator.DefaultTeam().Change(strings.NewReader(c.yaml))
			if err != nil {
				t.Fatal(err)
			}
			if got := names(team.Seats); got != c.seats {
				t.Errorf("seats are %s\nwant %s", got, c.seats)
			}
		})
	}
}

func TestChangeReplacesOnlyWhatIsNamed(t *testing.T) {
	team, err := orchestrator.DefaultTeam().Change(strings.NewReader("rounds: 2\nroles: {ranker: {model: big}, analyst/recent: {steps: 9}}"))
	if err != nil {
		t.Fatal(err)
	}
	ranker, _ := team.Seat("ranker")
	recent, _ := team.Seat("analyst/recent")
	if team.Rounds != 2 || ranker.Model != "big" || ranker.Kind != "ranker" || len(ranker.After) != 2 || recent.Steps != 9 || len(recent.Tools) == 0 {
		t.Errorf("team is %+v", team)
	}
	if before, _ := orchestrator.DefaultTeam().Seat("ranker"); before.Model != "" {
		t.Error("the team that was changed has changed too")
	}
}

func TestBadTeams(t *testing.T) {
	for _, c := range []struct{ name, yaml, want string }{
		{"unknown key", "\nrole: {}", `line 2: unknown key "role"`},
		{"unknown field", "roles:\n  ranker:\n    modle: x\n", `line 3: ranker has no "modle"`},
		{"rounds is no number", "rounds: many", `line 1: rounds is "many"`},
		{"not a mapping", "- rounds", "line 1: a team is a mapping"},
		{"a role is a word", "roles: {ranker: yes}", "ranker is neither null nor a mapping"},
		{"roles is a list", "roles: [ranker]", "roles is no mapping"},
		{"after is a number", "roles: {ranker: {after: 3}}", "ranker: "},
		{"broken", "roles: {", "team: yaml: "},
		{"unknown predecessor", "roles: {ranker: {after: [critic]}}", "critic, which does not exist"},
		{"cycle", "roles: {planner: {after: [reflector]}}", "closes a cycle"},
		{"drop nobody", "roles: {critic: null}", "there is no critic to drop"},
		{"no ranker", "roles: {ranker: null}", "0 roles of the kind ranker"},
		{"two rankers", "roles: {ranker2: {kind: ranker, after: [planner]}}", "2 roles of the kind ranker"},
		{"no kind", "roles: {analyst/critic: {after: [planner]}}", "analyst/critic has no kind"},
		{"unheard", "roles: {critic: {kind: analyst, after: [planner]}}", "nobody hears critic"},
		{"ranker is not last", "roles: {reflector: {after: [ranker]}}", "cycle"},
		{"same role name", "roles: {analyst/x/recent: {kind: analyst}, ranker: {after: [analyst/*, analyst/x/*]}}", `share the role name "recent"`},
		{"too many rounds", "rounds: 99", "rounds is 99"},
		{"reserved name", "roles: {team: {kind: analyst}, ranker: {after: [team]}}", "taken by the team itself"},
		{"bad pattern", "roles: {ranker: {after: ['[']}}", "syntax error in pattern"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := orchestrator.DefaultTeam().Change(strings.NewReader(c.yaml))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v, want one with %q", err, c.want)
			}
		})
	}
}

func TestGoldenDOT(t *testing.T) {
	var buf bytes.Buffer
	if err := orchestrator.DefaultTeam().DOT(&buf); err != nil {
		t.Fatal(err)
	}
	golden(t, "team.dot", buf.Bytes())
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is\n%s\nwant\n%s", name, got, want)
	}
}
