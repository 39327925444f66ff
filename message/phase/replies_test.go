package phase_test

import (
	"bufio"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
)

// reply is a row of testdata/replies.jsonl: what a model wrote, and what is to
// become of it. The roles are the team's four, the labels c01 to c03, the
// analysis that of role recent.
type reply struct {
	Name       string   `json:"name"`
	Phase      string   `json:"phase"`
	Input      string   `json:"input"`
	Accept     bool     `json:"accept"`
	Deviations []string `json:"deviations,omitempty"` // kinds, in order, of an accepted reply
	Want       string   `json:"want,omitempty"`       // the body's JSON, where it is worth saying
	Reason     string   `json:"reason,omitempty"`     // a part of the error, of a rejected reply
}

func replies(t testing.TB) []reply {
	f, err := os.Open("testdata/replies.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []reply
	for s := bufio.NewScanner(f); s.Scan(); {
		var r reply
		if err := json.Unmarshal(s.Bytes(), &r); err != nil {
			t.Fatalf("%v in %s", err, s.Bytes())
		}
		all = append(all, r)
	}
	return all
}

func TestReplies(t *testing.T) {
	names := map[string]bool{}
	for _, c := range replies(t) {
		if names[c.Name] {
			t.Errorf("two rows are called %q", c.Name)
		}
		names[c.Name] = true
		t.Run(c.Name, func(t *testing.T) {
			b, deviations, err := parseAny(c.Phase, c.Input)
			if c.Accept != (err == nil) {
				t.Fatalf("accepted: %v (%v), want %v", err == nil, err, c.Accept)
			}
			if err != nil {
				if c.Reason == "" || !strings.Contains(err.Error(), c.Reason) {
					t.Errorf("refused because %q, want %q", err, c.Reason)
				}
				return
			}
			var kinds []string
			for _, d := range deviations {
				kinds = append(kinds, d.Kind)
			}
			if !slices.Equal(kinds, c.Deviations) {
				t.Errorf("deviations %q, want %q", deviations, c.Deviations)
			}
			if got := string(must(json.Marshal(b))); c.Want != "" && got != c.Want {
				t.Errorf("read as %s, want %s", got, c.Want)
			}
		})
	}
	if len(names) < 100 {
		t.Errorf("there are %d replies", len(names))
	}
}
