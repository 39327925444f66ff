package environment_test

import (
	"reflect"
	"testing"

	"github.com/mars-rec/mars/star/environment"
	"github.com/mars-rec/mars/star/environment/environmenttest"
	"github.com/mars-rec/mars/trajectories"
)

// TestABriefEpisodeIsABriefRow: prompt and answers of a brief environment are
// those of the same run, told briefly.
func TestABriefEpisodeIsABriefRow(t *testing.T) {
	cfg := environmenttest.Config(8)
	full, err := environment.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Detail, cfg.Random = trajectories.Brief, environmenttest.Random()
	brief, err := environment.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	sessions := map[*environment.Environment]*environment.Session{full: start(t, full), brief: start(t, brief)}
	answers := map[*environment.Environment][]string{}
	for e, s := range sessions {
		for _, c := range environmenttest.Calls() {
			answer, err := s.Call(t.Context(), c.Name, c.Arguments)
			if err != nil {
				t.Fatal(err)
			}
			answers[e] = append(answers[e], answer)
		}
	}
	_, prompt, err := sessions[full].Prompt()
	if err != nil {
		t.Fatal(err)
	}
	told, err := trajectories.Serialize(run(t, full.Tasks()[0], prompt[1].Content, answers[full]), trajectories.Linear{Detail: trajectories.Brief})
	if err != nil {
		t.Fatal(err)
	}
	if _, shown, err := sessions[brief].Prompt(); err != nil || !reflect.DeepEqual(shown, told[:2]) {
		t.Errorf("the prompt is\n%v\nthe row's\n%v\n%v", shown, told[:2], err)
	}
	var read []string
	for _, m := range told {
		if m.Role == "tool" {
			read = append(read, m.Content)
		}
	}
	if !reflect.DeepEqual(answers[brief], read) || reflect.DeepEqual(answers[brief], answers[full]) {
		t.Errorf("the answers are\n%q\nthose of the row\n%q", answers[brief], read)
	}
	specs, err := trajectories.Brief.Specs(full.Tools())
	if err != nil || !reflect.DeepEqual(specs, brief.Tools()) {
		t.Errorf("the tools are %v, %v", brief.Tools(), err)
	}
}
