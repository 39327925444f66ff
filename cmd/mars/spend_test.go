package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/model/budget"
	"github.com/mars-rec/mars/model/builtin"
	"github.com/mars-rec/mars/model/openai/server"
	"github.com/mars-rec/mars/trajectories/store"
)

// paid is a server of the rule-based teacher that counts tokens and calls, as a
// provider would who is paid for them.
type paid struct {
	url    string
	calls  atomic.Int64
	tokens atomic.Int64
}

func newPaid(t *testing.T) *paid {
	t.Helper()
	p := &paid{}
	teacher := builtin.New(builtin.Config{})
	far := model.Func(func(ctx context.Context, req model.Request) (model.Reply, error) {
		reply, err := teacher.Generate(ctx, req)
		if err != nil {
			return reply, err
		}
		said := model.Request{Messages: []model.Message{reply.Message}}
		reply.Usage = &message.Usage{InputTokens: req.Size()/4 + 1, OutputTokens: said.Size()/4 + 1}
		p.calls.Add(1)
		p.tokens.Add(int64(reply.Usage.InputTokens + reply.Usage.OutputTokens))
		return reply, nil
	})
	srv := httptest.NewServer(server.New(far, server.Config{Name: "paid"}))
	t.Cleanup(srv.Close)
	p.url = srv.URL + "/v1"
	return p
}

// marsExits runs a command and returns its exit code, output and messages.
func marsExits(t *testing.T, args ...string) (code int, out, messages string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = run(t.Context(), args, strings.NewReader(""), &stdout, &stderr, time.Now)
	return code, stdout.String(), stderr.String()
}

const pricesYAML = `currency: EUR
models:
  openai:paid: {input: 1, output: 4}
  openai:other: {input: 10, output: 40}
`

// TestSynthStopsAtItsBudget: a budget that is reached ends the command; with
// larger ones it goes on to the same runs, and nothing is paid twice.
func TestSynthStopsAtItsBudget(t *testing.T) {
	smallWorld(t, "6")
	if err := os.WriteFile("prices.yaml", []byte(pricesYAML), 0o600); err != nil {
		t.Fatal(err)
	}
	plain := newPaid(t)
	mars(t, "synth", "--data", "data", "--tasks", "tasks.jsonl", "--model", "openai:paid", "--base-url", plain.url, "--max-tokens", "1500", "--out", "plain.db")

	p := newPaid(t)
	stops := 0
	var report struct {
		Totals struct{ Done, Skipped, Interrupted, Replayed int }
		Spend  struct {
			Currency string
			Total    struct {
				Calls int
				Cost  json.Number
			}
			By []struct{ Role, Model string }
		}
	}
	for cents := 3; ; cents += 3 {
		budget := fmt.Sprintf("%d.%02d", cents/100, cents%100)
		code, out, messages := marsExits(t, "synth", "--data", "data", "--tasks", "tasks.jsonl", "--model", "openai:paid", "--base-url", p.url,
			"--prices", "prices.yaml", "--budget", budget, "--max-tokens", "1500", "--out", "run.db", "--json")
		if err := json.Unmarshal([]byte(out), &report); err != nil {
			t.Fatalf("%v\n%s\n%s", err, out, messages)
		}
		var cost float64
		if cost, _ = report.Spend.Total.Cost.Float64(); cost > float64(cents)/100 {
			t.Fatalf("spent %s of %s", report.Spend.Total.Cost, budget)
		}
		if code == exitOK {
			break
		}
		stops++
		if code != exitBudget || !strings.Contains(messages, `"kind":"budget"`) || !strings.Contains(messages, "with a larger one") || stops > 50 {
			t.Fatalf("exit %d: %s", code, messages)
		}
	}
	if stops < 2 || report.Spend.Currency != "EUR" || len(report.Spend.By) < 6 {
		t.Errorf("stopped %d times, %+v", stops, report.Spend)
	}
	if p.calls.Load() != plain.calls.Load() || p.tokens.Load() != plain.tokens.Load() || int64(report.Spend.Total.Calls) != p.calls.Load() {
		t.Errorf("%d calls and %d tokens were paid, %d are told; without a budget %d and %d",
			p.calls.Load(), p.tokens.Load(), report.Spend.Total.Calls, plain.calls.Load(), plain.tokens.Load())
	}
	want := seals(t, "plain.db")
	for id, seal := range seals(t, "run.db") {
		if want[id] != seal {
			t.Errorf("run %s is another one", id)
		}
	}

	var chosen struct {
		Accepted int
		Spend    struct {
			Calls     int
			Tokens    int64
			Cost      float64
			PerRun    float64 `json:"cost_per_accepted"`
			TokensPer int64   `json:"tokens_per_accepted"`
		}
	}
	if err := json.Unmarshal([]byte(mars(t, "select", "run.db", "--gold", "gold.jsonl", "--out", "chosen", "--json")), &chosen); err != nil {
		t.Fatal(err)
	}
	if c := chosen.Spend; int64(c.Calls) != p.calls.Load() || c.Tokens != p.tokens.Load() || chosen.Accepted == 0 ||
		c.TokensPer != c.Tokens/int64(chosen.Accepted) || c.PerRun < c.Cost/float64(chosen.Accepted) {
		t.Errorf("the cost of what was accepted is %+v", chosen)
	}
}

// TestKilledSpendingIsCounted kills the program at random moments: its account
// tells of at least what the provider was paid, and the budget holds over all.
func TestKilledSpendingIsCounted(t *testing.T) {
	dir := smallWorld(t, "40")
	p := newPaid(t)
	program := itself(t, dir, "mars")
	const most = 300_000
	args := []string{"synth", "--data", "data", "--tasks", "tasks.jsonl", "--model", "openai:paid", "--base-url", p.url,
		"--max-tokens", "1500", "--budget-tokens", fmt.Sprint(most), "--out", "run.db"}
	killed := 0
	for range 8 {
		c := exec.Command(program, args...)
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		timer := time.AfterFunc(time.Duration(60+rand.IntN(300))*time.Millisecond, func() { c.Process.Kill() }) //nolint:errcheck // it may have ended
		if c.Wait() != nil {
			killed++
		}
		timer.Stop()
		if s, err := budget.ReadJournal("run.db.spend"); err == nil && s.Total.Tokens() < p.tokens.Load() {
			t.Fatalf("%d tokens are told, %d were paid", s.Total.Tokens(), p.tokens.Load())
		}
	}
	if code, _, messages := marsExits(t, args...); code != exitBudget {
		t.Fatalf("exit %d: %s", code, messages)
	}
	s, err := budget.ReadJournal("run.db.spend")
	if err != nil || killed == 0 {
		t.Fatalf("killed %d times, %v", killed, err)
	}
	t.Logf("killed %d times: %d tokens paid, %d told of %d", killed, p.tokens.Load(), s.Total.Tokens(), most)
	if paid := p.tokens.Load(); paid > s.Total.Tokens() || s.Total.Tokens() > most {
		t.Errorf("%d tokens paid, %d told of %d", paid, s.Total.Tokens(), most)
	}
}

// TestPromptsBeginAlike: the fixed part of a prompt comes first and is the same
// for all tasks, byte by byte, so that a provider's prompt cache finds it.
func TestPromptsBeginAlike(t *testing.T) {
	smallWorld(t, "10")
	var mu sync.Mutex
	openings := map[string]int{}
	teacher := builtin.New(builtin.Config{})
	far := model.Func(func(ctx context.Context, req model.Request) (model.Reply, error) {
		opening, err := message.Marshal([]any{req.Messages[0], req.Tools})
		if err != nil {
			return model.Reply{}, err
		}
		mu.Lock()
		openings[string(opening)]++
		mu.Unlock()
		return teacher.Generate(ctx, req)
	})
	srv := httptest.NewServer(server.New(far, server.Config{}))
	defer srv.Close()
	mars(t, "synth", "--data", "data", "--tasks", "tasks.jsonl", "--model", "openai:model", "--base-url", srv.URL+"/v1", "--out", "run.db")
	calls := 0
	for _, n := range openings {
		calls += n
	}
	t.Logf("%d calls begin in %d ways", calls, len(openings))
	if len(openings) > 10 || calls < 100 { // seven roles, one of which also sums up; analysts with tools and without
		t.Errorf("%d calls begin in %d ways: what belongs to the task stands before what does not", calls, len(openings))
	}
}

// TestSynthPaysNothingForWhatTheCacheKnows: another store, the same replies.
func TestSynthPaysNothingForWhatTheCacheKnows(t *testing.T) {
	smallWorld(t, "3")
	p := newPaid(t)
	args := []string{"synth", "--data", "data", "--tasks", "tasks.jsonl", "--model", "openai:paid", "--base-url", p.url, "--cache", "replies.db", "--samples", "2"}
	mars(t, append(args, "--out", "first.db")...)
	calls := p.calls.Load()
	out := mars(t, append(args, "--out", "second.db", "--json")...)
	var report struct {
		Totals struct{ Calls, Cached int }
		Spend  struct {
			Total struct{ Calls int }
			Cache struct{ Hits, Misses int }
		}
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatal(err)
	}
	if p.calls.Load() != calls || int64(report.Totals.Cached) != calls || int64(report.Spend.Cache.Hits) != calls || report.Spend.Total.Calls != 0 {
		t.Errorf("%d more calls were paid: %+v", p.calls.Load()-calls, report)
	}
	if first, second := seals(t, "first.db"), seals(t, "second.db"); fmt.Sprint(first) != fmt.Sprint(second) {
		t.Errorf("%v\n%v", first, second)
	}
}

// TestSynthFallsBack: who answered stands in the record.
func TestSynthFallsBack(t *testing.T) {
	smallWorld(t, "2")
	p := newPaid(t)
	down := httptest.NewServer(nil)
	down.Close()
	mars(t, "synth", "--data", "data", "--tasks", "tasks.jsonl", "--model", "openai:other@"+down.URL+"/v1", "--fallback", "openai:paid@"+p.url, "--attempts", "2", "--out", "run.db")
	st, err := store.Open(t.Context(), "run.db", store.Config{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	replies := 0
	for r, err := range st.Runs(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		tr, err := st.Trajectory(t.Context(), r.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range tr.Log {
			if e.Meta.Model != "" {
				if replies++; !strings.HasPrefix(e.Meta.Model, "openai:paid@") || e.Meta.Attempts != 2 {
					t.Errorf("%s is by %s after %d attempts", e.ID, e.Meta.Model, e.Meta.Attempts)
				}
			}
		}
	}
	if int64(replies) != p.calls.Load() || replies == 0 {
		t.Errorf("%d replies, %d calls", replies, p.calls.Load())
	}
}

// TestSynthEstimates: the estimate calls nobody, and is near what a run costs
// whose model writes as much as the teacher.
func TestSynthEstimates(t *testing.T) {
	smallWorld(t, "12")
	if err := os.WriteFile("prices.yaml", []byte(pricesYAML), 0o600); err != nil {
		t.Fatal(err)
	}
	p := newPaid(t)
	args := []string{"synth", "--data", "data", "--tasks", "tasks.jsonl", "--model", "openai:paid", "--base-url", p.url, "--prices", "prices.yaml", "--max-tokens", "1500", "--out", "run.db", "--json"}
	var plan struct {
		Estimate struct {
			Sampled int `json:"sampled_tasks"`
			Total   struct {
				Calls int
				Cost  float64
			}
			AtMost struct{ Cost float64 } `json:"at_most"`
		}
	}
	if err := json.Unmarshal([]byte(mars(t, append(args, "--dry-run")...)), &plan); err != nil {
		t.Fatal(err)
	}
	if p.calls.Load() != 0 {
		t.Fatalf("an estimate made %d calls", p.calls.Load())
	}
	var report struct {
		Spend struct {
			Total struct {
				Calls int
				Cost  float64
			}
		}
	}
	if err := json.Unmarshal([]byte(mars(t, args...)), &report); err != nil {
		t.Fatal(err)
	}
	e, spent := plan.Estimate, report.Spend.Total
	if e.Sampled != 8 || e.Total.Cost < 0.8*spent.Cost || e.Total.Cost > 1.25*spent.Cost || e.AtMost.Cost < spent.Cost {
		t.Errorf("estimated %+v, spent %+v", e, spent)
	}
}
