package builtin_test

import (
	"strings"
	"testing"

	"github.com/mars-rec/mars/message/phase"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/model/builtin"
)

// TestTemperature holds what a sample is: at 0 the rule, above it a draw of the
// request's seed, which at a high temperature lets every candidate come first, and
// no candidate that no ranking tells from another.
func TestTemperature(t *testing.T) {
	labels := []string{"c01", "c02", "c03", "c04"}
	text := task + phase.WriteEvidence([]phase.Evidence{
		evidence("item_cf", "c03 0.9", "c01 0.5", "c02 0.01", "c04 0"),
		evidence("user_cf", "c02 7", "c04 5", "c03 1", "c01 0"),
	})
	ask := func(temperature *float64, seed int64) phase.Recommend {
		req := asked("recommend", phase.RecommendSchema(labels), text)
		req.Sampling = model.Sampling{Temperature: temperature, Seed: &seed}
		return answer[phase.Recommend](t, builtin.New(builtin.Config{}), req)
	}
	rule := strings.Join(ask(nil, 0).Ranking, " ")
	firsts := map[string]int{}
	for seed := range int64(200) {
		for _, zero := range []*float64{nil, new(0.0), new(-1.0)} {
			if r := ask(zero, seed); strings.Join(r.Ranking, " ") != rule || strings.Contains(r.Justification, "drawn") {
				t.Fatalf("without a temperature, seed %d: %v, %s", seed, r.Ranking, r.Justification)
			}
		}
		if r := ask(new(1e-9), seed); strings.Join(r.Ranking, " ") != rule {
			t.Fatalf("next to no temperature, seed %d: %v, want %s", seed, r.Ranking, rule)
		}
		hot := ask(new(5.0), seed)
		if again := ask(new(5.0), seed); strings.Join(hot.Ranking, " ") != strings.Join(again.Ranking, " ") {
			t.Fatalf("seed %d: %v, then %v", seed, hot.Ranking, again.Ranking)
		}
		if !strings.HasSuffix(hot.Justification, " The weights were drawn at temperature 5.") {
			t.Fatalf("it does not say that it drew: %s", hot.Justification)
		}
		firsts[hot.Ranking[0]]++
	}
	if len(firsts) != len(labels) {
		t.Errorf("of 200 samples first are only %v", firsts)
	}
}
