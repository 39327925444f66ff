package builtin_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mars-rec/mars/graph/rank"
	"github.com/mars-rec/mars/message/phase"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/model/builtin"
)

var roleNames = []string{"profile", "historical", "recent", "divergence", "critic"}

const task = `## Task
Rank the candidates by how likely user u1 is to take each next.
As of: 2018-09-20T12:00:00Z

## Candidates
c01 | Dune (1965) | Science Fiction
c02 | Emma (1815) | Romance
c03 | Foundation (1951) | Science Fiction
c04 | Ubik (1969) | Science Fiction
`

// evidence is a ranking in the order of the arguments, "c02 0.5", best first.
func evidence(signal string, ranking ...string) phase.Evidence {
	e := phase.Evidence{Tool: signal, Signal: signal}
	for i, r := range ranking {
		var s phase.Strength
		if _, err := fmt.Sscanf(r, "%s %f", &s.Label, &s.Score); err != nil {
			panic(err)
		}
		s.Level = 9 - i
		e.Ranking = append(e.Ranking, s)
	}
	return e
}

func asked(name string, schema json.RawMessage, text string, tools ...string) model.Request {
	req := model.Request{
		Messages: []model.Message{{Role: model.System, Content: "You are one of a team."}, {Role: model.User, Content: text}},
		Format:   &model.Format{Name: name, Schema: schema},
	}
	for _, t := range tools {
		parameters := `{"type":"object","properties":{}}`
		if t == "item_info" || t == "catalog_search" {
			parameters = `{"type":"object","required":["item"]}`
		}
		req.Tools = append(req.Tools, model.ToolSpec{Name: t, Parameters: []byte(parameters)})
	}
	return req
}

func answer[B any](t *testing.T, m *builtin.Model, req model.Request) B {
	t.Helper()
	reply, err := m.Generate(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	var b B
	dec := json.NewDecoder(strings.NewReader(reply.Message.Content))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&b); err != nil || reply.Finish != "stop" || reply.Usage != nil || reply.Model != "builtin" {
		t.Fatalf("%v: %+v", err, reply)
	}
	return b
}

func TestPlanGivesEachRoleItsSubtask(t *testing.T) {
	p := answer[phase.Plan](t, builtin.New(builtin.Config{}), asked("plan", phase.PlanSchema(roleNames), task))
	var got []string
	for _, s := range p.Subtasks {
		got = append(got, s.Role)
		if !strings.Contains(s.Goal, "the 4 candidates") || s.Collaborative != slices.Contains([]string{"historical", "recent", "critic"}, s.Role) {
			t.Errorf("subtask %+v", s)
		}
	}
	if !slices.Equal(got, roleNames) || p.Summary == "" {
		t.Errorf("plan %+v", p)
	}
}

func TestAnalysisCallsItsToolsFirst(t *testing.T) {
	all := []string{"item_cf", "user_cf", "user_profile", "user_history", "item_info", "candidate_stats", "catalog_search"}
	for _, c := range []struct {
		role  string
		text  string
		tools []string
		want  string
	}{
		{"profile", task, all, "user_profile{} candidate_stats{}"},
		{"historical", task, all, `item_cf{"window":"all"} user_cf{"among":"candidates"}`},
		{"recent", task, all, `user_history{"last":10} item_cf{"window":"last:10"} item_cf{"window":"last:3"}`},
		{"divergence", task, all, `user_history{"summary":true} candidate_stats{}`},
		{"historical", task, []string{"popularity", "item_cf"}, `item_cf{"window":"all"} popularity{}`},
		{"recent", task, []string{"item_cf"}, `item_cf{"window":"last:10"} item_cf{"window":"last:3"}`},
		{"critic", task, all, `item_cf{"window":"all"} user_cf{"among":"candidates"} user_profile{} user_history{} candidate_stats{}`},
		{"recent", task, []string{"moon_phase", "item_info"}, `moon_phase{}`},
		{"historical", task + "\n## Your subtask\nAsk more: neighbours=200, please.\n", all, `user_cf{"among":"candidates","neighbours":200}`},
		{"historical", task + "\n## Your subtask\nAsk a wider circle of users: with more neighbours.\n", all, `user_cf{"among":"candidates","neighbours":200}`},
		{"historical", task + "\n## Your subtask\nneighbours=99999\n", all, `user_cf{"among":"candidates","neighbours":1000}`},
		{"historical", task + "\n## Your subtask\nneighbours=many\n", []string{"item_cf"}, `item_cf{"window":"all"}`},
		{"historical", task + "neighbours=7 in a title\n## Your subtask\nAs planned.\n", []string{"user_cf"}, `user_cf{"among":"candidates"}`},
	} {
		reply, err := builtin.New(builtin.Config{}).Generate(t.Context(), asked("analysis", phase.AnalysisSchema(c.role), c.text, c.tools...))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for i, call := range reply.Message.ToolCalls {
			got = append(got, call.Name+call.Arguments)
			if call.ID != fmt.Sprint("call_", i+1) {
				t.Errorf("call %d has the id %s", i, call.ID)
			}
		}
		if s := strings.Join(got, " "); s != c.want || reply.Finish != "tool_calls" || reply.Message.Content != "" {
			t.Errorf("%s: %s, finish %s; want %s", c.role, s, reply.Finish, c.want)
		}
	}
}

// analysed is the request of an analyst whose tools have answered.
func analysed(role, text string, results ...string) model.Request {
	req := asked("analysis", phase.AnalysisSchema(role), text, "item_cf", "user_cf")
	said := model.Message{Role: model.Assistant}
	for i, r := range results {
		id := fmt.Sprint("call_", i+1)
		said.ToolCalls = append(said.ToolCalls, model.ToolCall{ID: id, Name: []string{"item_cf", "user_cf"}[i%2], Arguments: "{}"})
		req.Messages = append(req.Messages, model.Message{Role: model.ToolRole, ToolCallID: id, Content: r})
	}
	req.Messages = slices.Insert(req.Messages, 2, said)
	return req
}

func TestAnalysisSaysWhatTheToolsShowed(t *testing.T) {
	ranking, err := json.Marshal([]phase.Evidence{evidence("item_cf", "c03 0.4", "c01 0.2", "c02 0", "c04 0")})
	if err != nil {
		t.Fatal(err)
	}
	sentence := `Users who read "Dune" also read "Foundation": 12 of 40.`
	quoted, _ := json.Marshal(sentence)
	results := []string{fmt.Sprintf(`{"evidence":[%s],"items":[],"rankings":%s}`, quoted, ranking), "error: no such user"}
	a := answer[phase.Analysis](t, builtin.New(builtin.Config{}), analysed("historical", task+"Summary of the 200 before: much Drama.\n", results...))
	want := phase.Analysis{Role: "historical",
		Summary: "item_cf puts c03, c01 first. user_cf gave no result.",
		Claims:  []string{sentence}}
	if !reflect.DeepEqual(a, want) {
		t.Errorf("analysis %+v\nwant %+v", a, want)
	}
	none := answer[phase.Analysis](t, builtin.New(builtin.Config{}), asked("analysis", phase.AnalysisSchema("critic"), task))
	if none.Summary != "No tool was called, so nothing was found." || len(none.Claims) != 0 {
		t.Errorf("without tools: %+v", none)
	}
}

// TestAnalysisInventsNoNumber holds it to its promise: every number in an
// analysis stands in a result or the question.
func TestAnalysisInventsNoNumber(t *testing.T) {
	numbers := func(s string) []string {
		return strings.FieldsFunc(s, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
	}
	rapid.Check(t, func(t *rapid.T) {
		var results []string
		for range rapid.IntRange(0, 5).Draw(t, "results") {
			sentences := rapid.SliceOfN(rapid.StringMatching(`[a-z ]{0,9}[0-9]{1,4}%?`), 0, 8).Draw(t, "sentences")
			b, _ := json.Marshal(map[string]any{"evidence": sentences})
			results = append(results, string(b))
		}
		req := analysed("historical", task, results...)
		reply, err := builtin.New(builtin.Config{}).Generate(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		given := " " + strings.Join(numbers(task+strings.Join(results, " ")), " ") + " "
		for _, n := range numbers(reply.Message.Content) {
			if strings.Trim(n, ".") != "" && !strings.Contains(given, " "+strings.Trim(n, ".")+" ") {
				t.Fatalf("%s is in %s and was not given: %s", n, reply.Message.Content, given)
			}
		}
	})
}

func TestReflection(t *testing.T) {
	thinItems := evidence("item_cf", "c01 0.3", "c02 0", "c03 0", "c04 0")
	thinUsers := evidence("user_cf", "c02 2", "c01 0", "c03 0", "c04 0")
	full := evidence("user_cf", "c02 2", "c01 1", "c03 1", "c04 0.5")
	nobody := evidence("user_cf", "c02 0", "c01 0", "c03 0", "c04 0")
	nothing := evidence("item_cf", "c02 0", "c01 0", "c03 0", "c04 0")
	for _, c := range []struct {
		name     string
		roles    []string
		text     string
		evidence []phase.Evidence
		verdict  phase.Verdict
		issue    string
	}{
		{"thin evidence", roleNames, "", []phase.Evidence{thinItems, thinUsers}, phase.Revise, "item_cf is silent on 3 of 4 candidates and user_cf on 3"},
		{"thin, in the last round", nil, "", []phase.Evidence{thinItems, thinUsers}, phase.Accept, "silent on 3 of 4"},
		{"thin, already asked again", roleNames, "Asked again, with neighbours=200.", []phase.Evidence{thinItems, thinUsers}, phase.Accept, "silent on 3 of 4"},
		{"thin, and nobody to ask", []string{"recent"}, "", []phase.Evidence{thinItems, thinUsers}, phase.Accept, "silent on 3 of 4"},
		{"a wider circle speaks", roleNames, "", []phase.Evidence{thinItems, thinUsers, evidence("user_cf_200", "c02 2", "c01 1", "c03 1", "c04 0.5")}, phase.Accept, ""},
		{"one signal is enough", roleNames, "", []phase.Evidence{thinItems, full}, phase.Accept, ""},
		{"nothing to widen", roleNames, "", []phase.Evidence{nothing, nobody}, phase.Accept, "no collaborative signal speaks"},
		{"no evidence", roleNames, "", nil, phase.Accept, "no analysis carries evidence"},
		{"contradiction", roleNames, "", []phase.Evidence{
			evidence("item_cf", "c01 5", "c02 4", "c03 3", "c04 2", "c05 1", "c06 1"),
			evidence("item_cf_last", "c06 5", "c05 4", "c04 3", "c03 2", "c02 1", "c01 1"),
		}, phase.Accept, "item_cf puts c01, c02, c03 first, item_cf_last puts c06, c05, c04"},
	} {
		t.Run(c.name, func(t *testing.T) {
			req := asked("reflection", phase.ReflectionSchema(c.roles), task+c.text+"\n"+phase.WriteEvidence(c.evidence))
			r := answer[phase.Reflection](t, builtin.New(builtin.Config{}), req)
			if r.Verdict != c.verdict || (c.issue == "") != (len(r.Issues) == 0) || (c.issue != "" && !strings.Contains(strings.Join(r.Issues, "\n"), c.issue)) {
				t.Errorf("reflection %+v, want %s with %q", r, c.verdict, c.issue)
			}
			if (r.Verdict == phase.Revise) != (len(r.Subtasks) == 1 && r.Subtasks[0].Role == "historical" && strings.Contains(r.Subtasks[0].Goal, "a wider circle of users")) {
				t.Errorf("subtasks %+v", r.Subtasks)
			}
		})
	}
}

func TestReflectionHasAllThatItsSchemaRequires(t *testing.T) {
	reply, err := builtin.New(builtin.Config{}).Generate(t.Context(), asked("reflection", phase.ReflectionSchema(nil), task))
	if err != nil || !strings.Contains(reply.Message.Content, `"subtasks":[]`) {
		t.Errorf("%s, %v", reply.Message.Content, err)
	}
}

func TestRecommend(t *testing.T) {
	labels := []string{"c01", "c02", "c03", "c04"}
	weights := rank.Weights{Version: rank.WeightsVersion, Features: []rank.Feature{
		{Signal: "item_cf", Form: "standard", Scale: 1, Weight: 2},
		{Signal: "user_cf", Form: "standard", Scale: 1, Weight: 1},
		{Signal: "popularity", Form: "standard", Scale: 1, Weight: 0.25},
	}}
	popularity := evidence("popularity", "c04 3", "c02 3", "c03 3", "c01 3")
	for _, c := range []struct {
		name     string
		evidence []phase.Evidence
		want     string
		cites    string
	}{
		{"the fused order", []phase.Evidence{
			evidence("item_cf", "c03 0.9", "c01 0.5", "c02 0.01", "c04 0"),
			evidence("user_cf", "c03 7", "c01 5", "c04 1", "c02 0"),
		}, "c03 c01 c04 c02", "1. c03: number 1 by item_cf (0.9), number 1 by user_cf (7)"},
		{"later evidence replaces earlier", []phase.Evidence{
			evidence("user_cf", "c01 9", "c02 0", "c03 0", "c04 0"), evidence("user_cf", "c02 9", "c04 5", "c01 1", "c03 0"),
		}, "c02 c04 c01 c03", "number 1 by user_cf (9)"},
		{"ties by popularity's order", []phase.Evidence{popularity}, "c04 c02 c03 c01", "no signal speaks for it above the others"},
		{"ties by label", nil, "c01 c02 c03 c04", "no evidence"},
		{"a wider circle stands in", []phase.Evidence{
			evidence("user_cf", "c01 9", "c02 0", "c03 0", "c04 0"), evidence("user_cf_200", "c02 9", "c04 5", "c01 1", "c03 0"),
		}, "c02 c04 c01 c03", "number 1 by user_cf (9)"},
		{"unknown signals say nothing", []phase.Evidence{evidence("moon", "c04 1", "c01 0", "c02 0", "c03 0")}, "c01 c02 c03 c04", "no evidence"},
	} {
		t.Run(c.name, func(t *testing.T) {
			req := asked("recommend", phase.RecommendSchema(labels), task+phase.WriteEvidence(c.evidence))
			r := answer[phase.Recommend](t, builtin.New(builtin.Config{Weights: &weights}), req)
			if got := strings.Join(r.Ranking, " "); got != c.want || !strings.Contains(r.Justification, c.cites) {
				t.Errorf("%s: %s; want %s: %s", got, r.Justification, c.want, c.cites)
			}
		})
	}
}

func TestRecommendIsAPermutation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		labels := make([]string, rapid.IntRange(2, 30).Draw(t, "candidates"))
		for i := range labels {
			labels[i] = fmt.Sprintf("c%02d", i+1)
		}
		var given []phase.Evidence
		for _, signal := range rank.Signals() {
			e := phase.Evidence{Signal: signal}
			for _, l := range rapid.Permutation(labels).Draw(t, signal) {
				e.Ranking = append(e.Ranking, phase.Strength{Label: l, Score: float64(rapid.IntRange(0, 5).Draw(t, l))})
			}
			given = append(given, e)
		}
		reply, err := builtin.New(builtin.Config{}).Generate(t.Context(), asked("recommend", phase.RecommendSchema(labels), phase.WriteEvidence(given)))
		if err != nil {
			t.Fatal(err)
		}
		var r phase.Recommend
		if err := json.Unmarshal([]byte(reply.Message.Content), &r); err != nil {
			t.Fatal(err)
		}
		slices.Sort(r.Ranking)
		if !slices.Equal(r.Ranking, labels) {
			t.Fatalf("ranking %v", r.Ranking)
		}
	})
}

func TestFittedWeights(t *testing.T) {
	labels := []string{"c01", "c02"}
	schema := phase.RecommendSchema(labels)
	text := task + phase.WriteEvidence([]phase.Evidence{evidence("item_cf", "c01 1", "c02 0"), evidence("year", "c02 1", "c01 0")})
	weights := rank.Weights{Version: rank.WeightsVersion, Before: time.Date(2018, 9, 1, 0, 0, 0, 0, time.UTC),
		Features: []rank.Feature{{Signal: "year", Form: "standard", Scale: 1, Weight: 1}}}
	fitted := builtin.New(builtin.Config{Weights: &weights})
	if r := answer[phase.Recommend](t, fitted, asked("recommend", schema, text)); r.Ranking[0] != "c02" || !strings.Contains(r.Justification, "fitted weights") {
		t.Errorf("recommend %+v", r)
	}
	for text, want := range map[string]string{
		strings.Replace(text, "2018-09-20", "2018-08-20", 1): "fitted on interactions before",
		strings.Replace(text, "As of:", "Since", 1):          "does not say the moment",
		strings.Replace(text, "2018-09-20", "2018-99-20", 1): "moment of the task",
	} {
		if _, err := fitted.Generate(t.Context(), asked("recommend", schema, text)); err == nil || !strings.Contains(err.Error(), want) || model.Temporary(err) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

func TestNoRule(t *testing.T) {
	m := builtin.New(builtin.Config{})
	reply, err := m.Generate(t.Context(), model.Request{Messages: []model.Message{{Role: model.User, Content: "Who are you?"}}})
	if err != nil || !strings.Contains(reply.Message.Content, "not a language model") {
		t.Errorf("%+v, %v", reply, err)
	}
	for _, c := range []struct{ name, schema, want string }{
		{"sonnet", `{}`, `no rule for the format "sonnet"`},
		{"plan", `{}`, "names no roles"},
		{"plan", `[`, "schema of format"},
		{"analysis", `{"properties":{"role":{"const":7}}}`, "names no role"},
		{"recommend", `{"properties":{"ranking":{"type":"array"}}}`, "names no candidates"},
		{"reflection", `{}`, "names no verdicts"},
	} {
		_, err := m.Generate(t.Context(), asked(c.name, json.RawMessage(c.schema), task))
		if err == nil || !strings.Contains(err.Error(), c.want) || model.Temporary(err) {
			t.Errorf("%s %s: %v", c.name, c.schema, err)
		}
	}
}
