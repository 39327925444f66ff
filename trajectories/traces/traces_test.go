package traces_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tools"
	"github.com/mars-rec/mars/trajectories"
	"github.com/mars-rec/mars/trajectories/traces"
)

var began = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func at(seconds float64) time.Time { return began.Add(time.Duration(seconds * float64(time.Second))) }

// text is a body of a kind that spans know nothing of.
func text(s string) json.RawMessage {
	b, _ := json.Marshal(s)
	return b
}

func body(v any) json.RawMessage {
	b, err := message.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

// small is a run of two agents: a planner, who asks its model once, and an
// analyst, who calls a tool between two replies.
func small() *trajectories.Trajectory {
	meta := func(s float64) message.Meta { return message.Meta{Time: at(s)} }
	call := model.ToolCall{ID: "call_1_2_2_1", Name: "item_cf", Arguments: `{"k":3}`}
	log := []message.Envelope{
		{ID: "1", From: "user", To: "team", Kind: "task", Body: text("private task"), Meta: meta(0)},
		{ID: "1.1", From: "team", To: "planner", Kind: "brief", Body: text("private brief"), Meta: meta(0.1)},
		{ID: "1.1.1", From: "planner", Kind: "prompt", Body: body(model.Message{Role: model.System, Content: "private prompt"}), Meta: meta(0.2)},
		{ID: "1.1.2", From: "planner", Kind: "reply", Refs: []message.ID{"1.1.1"},
			Body: body(model.Output{Message: model.Message{Role: model.Assistant, Content: "private plan"}, Finish: "stop"}),
			Meta: message.Meta{Time: at(1.2), Duration: time.Second, Digest: "d", Model: "openai:gpt-x@http://10.0.0.7:8000/v1", Response: "gpt-x-0613",
				Provider: "chatcmpl-1", Attempts: 3, Usage: &message.Usage{InputTokens: 100, OutputTokens: 20, CachedTokens: 60}}},
		{ID: "1.1.3", From: "planner", To: "team", Kind: "plan", Body: text("private plan"), Meta: meta(1.3)},
		{ID: "1.2", From: "team", To: "analyst/recent", Kind: "brief", Body: text("private"), Meta: meta(1.4)},
		{ID: "1.2.1", From: "analyst/recent", Kind: "prompt", Body: body(model.Message{Role: model.User, Content: "private question"}), Meta: meta(1.5)},
		{ID: "1.2.2", From: "analyst/recent", Kind: "reply", Refs: []message.ID{"1.2.1"},
			Body: body(model.Output{Message: model.Message{Role: model.Assistant, ToolCalls: []model.ToolCall{call}}, Finish: "tool_calls"}),
			Meta: message.Meta{Time: at(2), Duration: time.Second / 2, Digest: "d", Model: "builtin", Attempts: 1, Cached: true}},
		{ID: "1.2.3", From: "analyst/recent", Kind: "result", Refs: []message.ID{"1.2.2"}, Body: body(tools.Result{Call: call.ID, Tool: "item_cf", Error: "private: k is 1 or more"}),
			Meta: message.Meta{Time: at(2.25), Duration: time.Second / 4, Digest: "d"}},
		{ID: "1.2.4", From: "analyst/recent", To: "team", Kind: "analysis", Body: text("private"), Meta: meta(3)},
		{ID: "1.3", From: "team", To: "user", Kind: "recommend", Body: text("private"), Meta: meta(3.5)},
	}
	return &trajectories.Trajectory{Log: log, Run: trajectories.Run{ID: "classic-7", Status: trajectories.Done, Attempts: 1,
		Task:     tasks.Task{ID: "classic-7", Dataset: "books", Scenario: "classic", User: "u-private"},
		Manifest: trajectories.Manifest{Seed: 42, Models: map[string]string{trajectories.Everyone: "openai:gpt-x@http://10.0.0.7:8000/v1"}}}}
}

// told writes spans as a person reads them.
func told(spans []traces.Span) string {
	var b strings.Builder
	for _, s := range spans {
		fmt.Fprintf(&b, "%s%s  %s %s %.2f-%.2f", strings.Repeat("  ", strings.Count(string(s.Path), ".")), s.Path, s.Kind, s.Name, s.Start.Sub(began).Seconds(), s.End.Sub(began).Seconds())
		for _, a := range s.Attributes {
			if k := string(a.Key); k != "gen_ai.operation.name" && k != "mars.run.id" && k != "mars.path.id" {
				fmt.Fprintf(&b, " %s=%s", a.Key, a.Value.String())
			}
		}
		if s.Failure != "" {
			fmt.Fprintf(&b, " FAILED %q", s.Cause)
		}
		b.WriteString("\n")
	}
	return b.String()
}

func TestSpans(t *testing.T) {
	const want = `1  internal invoke_workflow team 0.00-3.50 gen_ai.agent.name=team mars.run.status=done mars.dataset=books mars.scenario=classic mars.run.attempt=1
  1.1  internal invoke_agent planner 0.10-1.30 gen_ai.agent.name=planner
    1.1.2  client chat gpt-x 0.20-1.20 gen_ai.provider.name=openai gen_ai.request.model=gpt-x gen_ai.agent.name=planner server.address=10.0.0.7 server.port=8000 gen_ai.response.model=gpt-x-0613 gen_ai.response.id=chatcmpl-1 gen_ai.usage.input_tokens=100 gen_ai.usage.output_tokens=20 gen_ai.usage.cache_read.input_tokens=60 mars.attempts=3 gen_ai.response.finish_reasons=["stop"]
  1.2  internal invoke_agent analyst/recent 1.40-3.00 gen_ai.agent.name=analyst/recent
    1.2.2  internal chat builtin 1.50-2.00 gen_ai.provider.name=builtin gen_ai.request.model=builtin gen_ai.agent.name=analyst/recent mars.cached=true gen_ai.response.finish_reasons=["tool_calls"]
    1.2.3  internal execute_tool item_cf 2.00-2.25 gen_ai.tool.name=item_cf gen_ai.tool.type=function gen_ai.agent.name=analyst/recent gen_ai.tool.call.id=call_1_2_2_1 error.type=input FAILED ""
`
	spans := traces.Spans(small(), traces.Config{})
	if got := told(spans); got != want {
		t.Errorf("spans are\n%s\nwant\n%s", got, want)
	}
	for _, s := range spans {
		if strings.Contains(fmt.Sprintf("%+v", s), "private") {
			t.Errorf("%s tells what was said: %+v", s.Path, s)
		}
	}
}

// TestSpansOfTheSameRunAreTheSame: ids depend on the run alone, and differ
// between runs that differ in anything.
func TestSpansOfTheSameRunAreTheSame(t *testing.T) {
	first, again := traces.Spans(small(), traces.Config{}), traces.Spans(small(), traces.Config{Content: true})
	seen := map[string]bool{}
	for i, s := range first {
		if s.Trace != again[i].Trace || s.ID != again[i].ID || s.Parent != again[i].Parent {
			t.Errorf("%s has other ids the second time", s.Path)
		}
		if s.Trace != first[0].Trace || seen[s.ID.String()] || !s.ID.IsValid() {
			t.Errorf("%s: ids %s %s", s.Path, s.Trace, s.ID)
		}
		seen[s.ID.String()] = true
	}
	for name, change := range map[string]func(*trajectories.Trajectory){
		"another run":     func(t *trajectories.Trajectory) { t.Run.ID = "classic-8" },
		"another attempt": func(t *trajectories.Trajectory) { t.Run.Attempts = 2 },
		"another model": func(t *trajectories.Trajectory) {
			t.Run.Manifest.Models = map[string]string{trajectories.Everyone: "builtin"}
		},
		"made anew":         func(t *trajectories.Trajectory) { t.Log[0].Meta.Time = at(99) },
		"another data set":  func(t *trajectories.Trajectory) { t.Run.Manifest.Data = "d" },
		"of another origin": func(t *trajectories.Trajectory) { t.Run.Manifest.Origin = &trajectories.Origin{Run: "x"} },
	} {
		other := small()
		change(other)
		if s := traces.Spans(other, traces.Config{}); s[0].Trace == first[0].Trace || s[1].ID == first[1].ID {
			t.Errorf("%s has the ids of the run", name)
		}
	}
}

func TestContentIsToldWhenAsked(t *testing.T) {
	got := told(traces.Spans(small(), traces.Config{Content: true}))
	for _, want := range []string{
		`gen_ai.input.messages=[{"role":"system","parts":[{"type":"text","content":"private prompt"}]}]`,
		`gen_ai.output.messages=[{"role":"assistant","parts":[{"type":"text","content":"private plan"}],"finish_reason":"stop"}]`,
		`gen_ai.output.messages=[{"role":"assistant","parts":[{"type":"tool_call","id":"call_1_2_2_1","name":"item_cf","arguments":{"k":3}}],"finish_reason":"tool_calls"}]`,
		`gen_ai.tool.call.arguments={"k":3}`,
		`gen_ai.tool.call.result=error: private: k is 1 or more`,
		`FAILED "private: k is 1 or more"`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is missing from\n%s", want, got)
		}
	}
}

// TestFailedRun: the turn that was not ended is told as failed, and the call that
// came to nothing is a span of its own, though the log has nothing of it.
func TestFailedRun(t *testing.T) {
	tr := small()
	tr.Run.Status = trajectories.Failed
	tr.Run.Cause = "analyst/recent: generate 1.2.4: after 5 attempts: openai: gpt-x: status 429: private words\nother: generate 1.1.9: of a turn that was ended"
	tr.Log = tr.Log[:9]
	got := told(traces.Spans(tr, traces.Config{}))
	for _, want := range []string{
		"1  internal invoke_workflow team 0.00-2.25 gen_ai.agent.name=team mars.run.status=failed mars.dataset=books mars.scenario=classic mars.run.attempt=1 error.type=429 FAILED \"\"\n",
		"  1.1  internal invoke_agent planner 0.10-1.30 gen_ai.agent.name=planner\n",
		"  1.2  internal invoke_agent analyst/recent 1.40-2.25 gen_ai.agent.name=analyst/recent error.type=429 FAILED \"\"\n",
		"    1.2.4  client chat gpt-x 2.25-2.25 gen_ai.provider.name=openai gen_ai.request.model=gpt-x gen_ai.agent.name=analyst/recent server.address=10.0.0.7 server.port=8000 error.type=429 FAILED \"\"\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing from\n%s", want, got)
		}
	}
	if strings.Contains(got, "1.1.9") || strings.Contains(got, "private") {
		t.Errorf("spans are\n%s", got)
	}
	if got = told(traces.Spans(tr, traces.Config{Content: true})); !strings.Contains(got, "status 429: private words") {
		t.Errorf("the cause is not told: %s", got)
	}
}

// TestAnyPartOfALogHasSpans: whatever a log lacks, each span is within another of
// the same trace, which covers its time.
func TestAnyPartOfALogHasSpans(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tr := small()
		tr.Run.Status = rapid.SampledFrom([]trajectories.Status{trajectories.Running, trajectories.Failed, trajectories.Done}).Draw(t, "status")
		tr.Run.Cause = rapid.SampledFrom([]string{"", "analyst/recent: tool item_cf 1.2.3: broken", "planner: generate 1.1.2: x"}).Draw(t, "cause")
		tr.Log = slices.DeleteFunc(tr.Log, func(message.Envelope) bool { return rapid.Bool().Draw(t, "cut") })
		for i := range tr.Log {
			if rapid.Bool().Draw(t, "timeless") {
				tr.Log[i].Meta.Time = time.Time{}
			}
		}
		known := map[string]traces.Span{}
		for i, s := range traces.Spans(tr, traces.Config{Content: true}) {
			if s.End.Before(s.Start) || s.Start.IsZero() {
				t.Fatalf("%s is from %s to %s", s.Path, s.Start, s.End)
			}
			up, ok := known[s.Parent.String()]
			if i > 0 && (!ok || s.Start.Before(up.Start) || s.End.After(up.End)) {
				t.Fatalf("%s, %s to %s, is not within %+v", s.Path, s.Start, s.End, up)
			}
			known[s.ID.String()] = s
		}
	})
}

func BenchmarkSpans(b *testing.B) {
	tr := small()
	b.ReportAllocs()
	for b.Loop() {
		traces.Spans(tr, traces.Config{})
	}
}
