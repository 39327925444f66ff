package trajectories_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tools"
	"github.com/mars-rec/mars/trajectories"
)

func TestDetailOfAnAnswer(t *testing.T) {
	ranks := `{"evidence":["412 of 1,204 users."],"rankings":[{"tool":"t","signal":"popularity","ranking":["c02:9=0.5","c01:4=0.1"]},{"tool":"t","signal":"year","ranking":["c01:9=1","c02:0=0"]}]}`
	for name, test := range map[string]struct {
		detail trajectories.Detail
		result tools.Result
		want   string
	}{
		"full":           {trajectories.Full, tools.Result{Value: json.RawMessage(ranks)}, ranks},
		"brief":          {trajectories.Brief, tools.Result{Value: json.RawMessage(ranks)}, "popularity: c02:9 c01:4\nyear: c01:9 c02:0"},
		"shared last":    {trajectories.Brief, tools.Result{Value: json.RawMessage(`{"rankings":[{"signal":"s","ranking":["c02:9=2","c01:4=0","c03:4=0"]},{"signal":"z","ranking":["c01:0=0","c02:0=0"]}]}`)}, "s: c02:9\nz:"},
		"raw":            {trajectories.Raw, tools.Result{Value: json.RawMessage(ranks)}, "popularity: c01 0.1 c02 0.5\nyear: c01 1 c02 0"},
		"raw, shared":    {trajectories.Raw, tools.Result{Value: json.RawMessage(`{"rankings":[{"signal":"s","ranking":["c03:9=0.123456","c02:8=12345.6","c01:4=0","c04:4=0"]}]}`)}, "s: c02 1.23e+04 c03 0.123"},
		"ranks nothing":  {trajectories.Brief, tools.Result{Value: json.RawMessage(`{"evidence":["one","two"]}`)}, "one\ntwo"},
		"error is whole": {trajectories.Brief, tools.Result{Error: "no such item"}, "error: no such item"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := test.detail.Answer(test.result)
			if err != nil || got != test.want {
				t.Errorf("%q, %v; want %q", got, err, test.want)
			}
		})
	}
	if got, err := trajectories.Brief.Answer(tools.Result{Tool: "t", Value: json.RawMessage(`{"rankings":7}`)}); err == nil {
		t.Errorf("a ranking that is none was read: %q", got)
	}
}

func TestBriefSpecsSayWhatIsTaken(t *testing.T) {
	long := []model.ToolSpec{{Name: "item_cf", Description: "What goes together. And more.", Parameters: json.RawMessage(
		`{"type":"object","properties":{"k":{"type":"integer","description":"how many","minimum":1},"m":{"type":"string","enum":["a","b"]}},"required":["k"],"additionalProperties":false}`)}}
	short, err := trajectories.Brief.Specs(long)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"type":"object","properties":{"k":{"type":"integer"},"m":{"type":"string","enum":["a","b"]}},"required":["k"]}`
	if short[0].Description != "What goes together" || string(short[0].Parameters) != want {
		t.Errorf("%s %s", short[0].Description, short[0].Parameters)
	}
	if same, err := trajectories.Full.Specs(long); err != nil || string(same[0].Parameters) != string(long[0].Parameters) {
		t.Errorf("full specs were changed: %s, %v", same[0].Parameters, err)
	}
}

// A brief student is told nothing that a text of an item could carry.
func TestBriefOpening(t *testing.T) {
	task := tasks.Task{ID: "t", User: "u", AsOf: time.Date(2018, 1, 1, 0, 0, 0, 0, time.UTC), Candidates: []string{"i7", "i3"}}
	messages, err := trajectories.Brief.Opening(task, []string{"c01 | Dune | SF", "c02 | Emma | Classics"})
	if err != nil {
		t.Fatal(err)
	}
	if got := messages[1].Content; got != "Candidates: 2, from c01 on." || strings.Contains(messages[0].Content, "Dune") {
		t.Errorf("the prompt is %q", got)
	}
	full, err1 := trajectories.Full.OpeningDigest()
	brief, err2 := trajectories.Brief.OpeningDigest()
	raw, err3 := trajectories.Raw.OpeningDigest()
	if err1 != nil || err2 != nil || err3 != nil || full == brief || raw == brief {
		t.Errorf("the digests are %s, %s and %s, %v, %v, %v", full, brief, raw, err1, err2, err3)
	}
	for _, d := range []trajectories.Detail{trajectories.Full, trajectories.Brief, trajectories.Raw} {
		told, err := d.Opening(task, []string{"c01 | Dune | SF", "c02 | Emma | Classics"})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := trajectories.DetailOf(told); err != nil || got != d {
			t.Errorf("what %q is told reads as %q, %v", d, got, err)
		}
	}
}

func TestParseDetail(t *testing.T) {
	for text, want := range map[string]trajectories.Detail{"": trajectories.Full, "full": trajectories.Full, "brief": trajectories.Brief, "raw": trajectories.Raw} {
		if got, err := trajectories.ParseDetail(text); err != nil || got != want {
			t.Errorf("%q is %q, %v", text, got, err)
		}
	}
	if _, err := trajectories.ParseDetail("short"); err == nil {
		t.Error("an unknown detail was read")
	}
}
