package rest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mars-rec/mars/star/environment"
	"github.com/mars-rec/mars/star/environment/environmenttest"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tools"
	"github.com/mars-rec/mars/trajectories/reward"
)

// TestNothingBeforeTheEndTellsGold: whichever item is right, all that is sent
// before the answer is the same bytes, bodies, headers and errors, and so is all
// that the operator is told, also by a reward that knows the rank.
func TestNothingBeforeTheEndTellsGold(t *testing.T) {
	ranked, err := reward.Compose(strings.NewReader("parts: {format: {weight: 1}, ndcg: {weight: 1}, mrr: {weight: 1}, grounded: {weight: 1}}"))
	if err != nil {
		t.Fatal(err)
	}
	sent := map[string]int{}
	for right := 1; right <= 12; right++ {
		cfg := environmenttest.Config(right)
		cfg.Reward = ranked
		var reports strings.Builder
		cfg.Report = func(err error) { fmt.Fprintln(&reports, err) }
		cfg.Tools = append(cfg.Tools, tools.Define("broken", "Breaks.", func(context.Context, tasks.View, struct{}) (string, error) {
			return "", errors.New("the disk is gone")
		}))
		e, err := environment.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		c := connect(t, e, environment.Access{})
		var begun struct{ Session string }
		c.must("POST", "/v1/sessions", `{"task":"t1"}`, &begun)
		at := "/v1/sessions/" + begun.Session
		for _, path := range []string{"/health", "/openapi.json", "/v1/tools", "/v1/reward", "/v1/tasks", "/v1/gold", at, at + "/gold", at + "/answer", "/gold.jsonl"} {
			c.do("GET", path, "")
		}
		for _, call := range environmenttest.Calls() {
			c.do("POST", at+"/call", text(map[string]any{"name": call.Name, "arguments": call.Arguments}))
		}
		for _, call := range []string{`{"name":"broken"}`, `{"name":"item_info","arguments":{"item":"gold"}}`, `{"name":"reward"}`} {
			c.do("POST", at+"/call", call)
		}
		for _, label := range labels() {
			c.do("POST", at+"/call", `{"name":"item_info","arguments":{"item":"`+label+`"}}`)
		}
		c.do("POST", at+"/step", `{"message":{"role":"system","content":"x"}}`)
		c.do("POST", at+"/answer", `{"messages":"gold"}`)
		c.do("POST", at+"/answer", `{"text":"`+strings.Repeat("x", 1<<20)+`"}`)
		c.do("POST", at+"/score", `{"text":"x"}`)
		if !strings.Contains(reports.String(), "the disk is gone") || strings.Contains(c.sent.String(), "the disk is gone") {
			t.Errorf("the operator is told %q", reports.String())
		}
		sent[c.sent.String()+reports.String()] = right

		var o judgement // and the end tells no more than the reward is made of
		c.must("POST", at+"/answer", `{"text":"<plan>\nLook.\n- recent: it\n</plan>\n<reflection>\nVerdict: accept\n</reflection>\n<recommend>`+strings.ReplaceAll(text(labels()), `"`, `\"`)+`</recommend>"}`, &o)
		if _, told := o.Parts["rank"]; told || o.Parts["mrr"] != 1/float64(right) || len(o.Parts) != 4 {
			t.Errorf("right is %d: told are %v", right, o.Parts)
		}
	}
	if len(sent) != 1 {
		t.Errorf("what is sent before the answer tells which item is right: it differs in %d ways", len(sent))
	}
}

// TestAnIdleSessionIsGone: also for whoever knows its name.
func TestAnIdleSessionIsGone(t *testing.T) {
	cfg := environmenttest.Config(1)
	now := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	cfg.Clock, cfg.Idle = func() time.Time { return now }, time.Minute
	e, err := environment.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	c := connect(t, e, environment.Access{})
	var begun struct{ Session string }
	c.must("POST", "/v1/sessions", `{"task":"t1"}`, &begun)
	for range 3 {
		now = now.Add(59 * time.Second)
		c.must("GET", "/v1/sessions/"+begun.Session, "", nil) // a use of it
	}
	now = now.Add(time.Minute)
	for _, do := range [][3]string{{"GET", "", ""}, {"POST", "/call", `{"name":"user_profile"}`}, {"POST", "/answer", `{"text":"x"}`}, {"DELETE", "", ""}} {
		if status, answer := c.do(do[0], "/v1/sessions/"+begun.Session+do[1], do[2]); status != 404 || !strings.Contains(answer, "no_session") {
			t.Errorf("%s %s: %d %s", do[0], do[1], status, answer)
		}
	}
}
