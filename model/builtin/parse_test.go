package builtin_test

import (
	"testing"

	"github.com/mars-rec/mars/message/phase"
	"github.com/mars-rec/mars/model/builtin"
)

// TestAnswersAreReadAsTheyAre: what the teacher answers is read without one
// deviation, so that it never needs a repair.
func TestAnswersAreReadAsTheyAre(t *testing.T) {
	labels := []string{"c01", "c02", "c03", "c04"}
	thin := phase.WriteEvidence([]phase.Evidence{
		evidence("item_cf", "c01 0.3", "c02 0", "c03 0", "c04 0"), evidence("user_cf", "c02 2", "c01 0", "c03 0", "c04 0"),
	})
	results := []string{
		`{"evidence":["Users who read c03 \"Tom's ‹b›\" also read \"Emma\": 3 of 4 (75%); lift 2.1."],"rankings":[{"tool":"item_cf","signal":"item_cf","ranking":["c01:9=0.5","c02:0=0"]}]}`,
		`{"evidence":[],"rankings":[]}`,
	}
	text := func(name string, schema []byte, question string) string {
		reply, err := builtin.New(builtin.Config{}).Generate(t.Context(), asked(name, schema, question))
		if err != nil {
			t.Fatal(err)
		}
		return reply.Message.Content
	}
	check := func(name string, deviations []phase.Deviation, err error) {
		t.Helper()
		if err != nil || len(deviations) > 0 {
			t.Errorf("%s: %v, %v", name, deviations, err)
		}
	}
	_, d, err := phase.ParsePlan(text("plan", phase.PlanSchema(roleNames), task), roleNames)
	check("plan", d, err)
	for _, results := range [][]string{results, nil} {
		reply, err := builtin.New(builtin.Config{}).Generate(t.Context(), analysed("historical", task, results...))
		if err != nil {
			t.Fatal(err)
		}
		if reply.Message.Content != "" {
			_, d, err = phase.ParseAnalysis(reply.Message.Content, "historical", labels)
			check("analysis", d, err)
		}
	}
	for _, roles := range [][]string{roleNames, nil} {
		_, d, err = phase.ParseReflection(text("reflection", phase.ReflectionSchema(roles), task+thin), roles)
		check("reflection", d, err)
	}
	_, d, err = phase.ParseRecommend(text("recommend", phase.RecommendSchema(labels), task+thin), labels)
	check("recommend", d, err)
	_, d, err = phase.ParseSummary(text("summary", phase.SummarySchema(), "- 2018-03-04 Dune | SF | 4.5\n"))
	check("summary", d, err)
}
