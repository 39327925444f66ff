package orchestrator_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mars-rec/mars/agents"
	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/message/phase"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/orchestrator"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tasks/taskstest"
	"github.com/mars-rec/mars/tools"
	"github.com/mars-rec/mars/trajectories"
)

// troupe casts agents that answer by rule. It notes whom it asked for what.
type troupe struct {
	mu      sync.Mutex
	briefs  map[string][]phase.Brief
	revise  int  // how often the reflector sends work back
	foolish bool // the ranker ranks a candidate twice
	shake   bool // agents take different times
}

func (tr *troupe) Cast(seat agents.Seat, view tasks.View) (agents.Agent, error) {
	return agents.Func(func(ctx context.Context, t *agents.Turn) (message.Body, error) {
		if tr.shake {
			time.Sleep(time.Duration(rand.IntN(300)) * time.Microsecond)
		}
		brief, err := message.Decode[phase.Brief](t.In)
		if err != nil {
			return nil, err
		}
		tr.mu.Lock()
		if tr.briefs == nil {
			tr.briefs = map[string][]phase.Brief{}
		}
		tr.briefs[seat.Role()] = append(tr.briefs[seat.Role()], brief)
		times := len(tr.briefs[seat.Role()])
		tr.mu.Unlock()
		prompt, err := t.Prompt(ctx, model.User, brief.Goal)
		if err != nil {
			return nil, err
		}
		if _, err := t.Generate(ctx, model.Request{Messages: []model.Message{prompt}}); err != nil {
			return nil, err
		}
		switch seat.Kind {
		case "planner":
			p := phase.Plan{Summary: "look"}
			for _, r := range brief.Roles {
				p.Subtasks = append(p.Subtasks, phase.Subtask{Role: r, Goal: "look at " + r})
			}
			return p, nil
		case "reflector":
			if times <= tr.revise && len(brief.Roles) > 0 {
				return phase.Reflection{Verdict: phase.Revise, Subtasks: []phase.Subtask{{Role: "recent", Goal: "look closer"}}}, nil
			}
			return phase.Reflection{Verdict: phase.Accept}, nil
		case "ranker":
			ranking := view.Task().Labels()
			slices.Reverse(ranking)
			if tr.foolish {
				ranking[0] = ranking[1]
			}
			return phase.Recommend{Ranking: ranking}, nil
		}
		return phase.Analysis{Role: seat.Role(), Summary: brief.Goal}, nil
	}), nil
}

var parrot = model.Func(func(_ context.Context, r model.Request) (model.Reply, error) {
	return model.Reply{Message: model.Message{Content: r.Messages[0].Content}, Usage: &message.Usage{InputTokens: 10, OutputTokens: 1}}, nil
})

func newOrchestrator(t *testing.T, tr *troupe, change string, clock func() time.Time) (*orchestrator.Orchestrator, tasks.Task) {
	t.Helper()
	source, task := taskstest.Library()
	team, err := orchestrator.DefaultTeam().Change(strings.NewReader(change))
	if err != nil {
		t.Fatal(err)
	}
	var named []tools.Named
	for _, name := range []string{"item_cf", "user_cf", "user_profile", "user_history", "item_info", "candidate_stats", "catalog_search"} {
		named = append(named, tools.Define(name, name, func(context.Context, tasks.View, struct{}) (int, error) { return 0, nil }))
	}
	o, err := orchestrator.New(orchestrator.Config{Team: team, Source: source, Tools: named, Cast: tr.Cast,
		Model: orchestrator.Model{Name: "parrot", Model: parrot}, Seed: 42, Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	return o, task
}

func canonical(log []message.Envelope) string {
	var w strings.Builder
	for _, e := range log {
		w.Write(e.Canonical())
		w.WriteByte('\n')
	}
	return w.String()
}

func TestRun(t *testing.T) {
	tr := &troupe{}
	o, task := newOrchestrator(t, tr, "", nil)
	rec := &trajectories.Recorder{}
	res, err := o.Run(t.Context(), task, rec, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := slices.Clone(task.Candidates)
	slices.Reverse(want)
	if !slices.Equal(res.Ranking, want) {
		t.Errorf("ranking is %v, want %v", res.Ranking, want)
	}
	if got := tr.briefs["planner"][0].Roles; !slices.Equal(got, []string{"divergence", "historical", "profile", "recent"}) {
		t.Errorf("the planner can give work to %v", got)
	}
	if got := tr.briefs["recent"][0].Goal; got != "look at recent" {
		t.Errorf("the goal of recent is %q: want the plan's", got)
	}
	if b := tr.briefs["ranker"][0]; len(b.Analyses) != 4 || b.Plan == nil || b.Reflection == nil {
		t.Errorf("the ranker hears %+v", b)
	}
	for _, e := range rec.Log() {
		if e.ID != message.Root && len(e.Refs) == 0 {
			t.Errorf("%s %s has no refs", e.ID, e.Kind)
		}
		for _, r := range e.Refs {
			if r.Compare(e.ID) >= 0 && !e.ID.Within(r) {
				t.Errorf("%s refers to %s, which comes later", e.ID, r)
			}
		}
	}
}

func TestReflectorSendsBack(t *testing.T) {
	for _, c := range []struct {
		rounds, revise int
		recent, others int // how often recent and the other analysts worked
		reflections    int
	}{
		{rounds: 0, revise: 5, recent: 1, others: 1, reflections: 1},
		{rounds: 1, revise: 0, recent: 1, others: 1, reflections: 1},
		{rounds: 1, revise: 5, recent: 2, others: 1, reflections: 2},
		{rounds: 3, revise: 2, recent: 3, others: 1, reflections: 3},
	} {
		tr := &troupe{revise: c.revise}
		o, task := newOrchestrator(t, tr, fmt.Sprintf("rounds: %d", c.rounds), nil)
		if _, err := o.Run(t.Context(), task, &trajectories.Recorder{}, nil); err != nil {
			t.Fatal(err)
		}
		if len(tr.briefs["recent"]) != c.recent || len(tr.briefs["profile"]) != c.others || len(tr.briefs["reflector"]) != c.reflections {
			t.Errorf("%+v: recent worked %d times, profile %d, reflector %d", c, len(tr.briefs["recent"]), len(tr.briefs["profile"]), len(tr.briefs["reflector"]))
		}
		if c.recent > 1 {
			again := tr.briefs["recent"][1]
			if again.Goal != "look closer" || again.Round != 1 || again.Reflection == nil || len(again.Analyses) != 1 {
				t.Errorf("sent back with %+v", again)
			}
		}
		if last := tr.briefs["reflector"][c.reflections-1]; c.reflections == c.rounds+1 && len(last.Roles) != 0 {
			t.Errorf("%+v: in the last round the reflector may still send back to %v", c, last.Roles)
		}
	}
}

func TestRankingMustBeAPermutation(t *testing.T) {
	o, task := newOrchestrator(t, &troupe{foolish: true}, "", nil)
	if _, err := o.Run(t.Context(), task, &trajectories.Recorder{}, nil); err == nil || !strings.Contains(err.Error(), "was named before") {
		t.Errorf("error is %v", err)
	}
}

func TestRunsAreEqualWhateverTheClockAndTheOrder(t *testing.T) {
	var want string
	for i := range 20 {
		clock := func() time.Time { return time.Unix(rand.Int64N(1e9), 0) }
		o, task := newOrchestrator(t, &troupe{revise: 1, shake: true}, "", clock)
		rec := &trajectories.Recorder{}
		if _, err := o.Run(t.Context(), task, rec, nil); err != nil {
			t.Fatal(err)
		}
		got := canonical(rec.Log())
		if want == "" {
			want = got
		}
		if got != want {
			t.Fatalf("run %d differs from the first", i)
		}
	}
}

func TestConfigIsChecked(t *testing.T) {
	source, _ := taskstest.Library()
	good := orchestrator.Config{Source: source, Cast: (&troupe{}).Cast, Model: orchestrator.Model{Name: "parrot", Model: parrot}}
	for _, c := range []struct {
		want   string
		change func(*orchestrator.Config)
	}{
		{"Source and Cast are required", func(c *orchestrator.Config) { c.Source = nil }},
		{`may call the tool "user_history", which is not there`, func(*orchestrator.Config) {}},
		{"has no model", func(c *orchestrator.Config) { c.Model = orchestrator.Model{} }},
		{`speaks with the model "big", which is not there`, func(c *orchestrator.Config) {
			c.Team, _ = orchestrator.DefaultTeam().Change(strings.NewReader("roles: {analyst/divergence: {model: big}}"))
		}},
	} {
		cfg := good
		c.change(&cfg)
		if _, err := orchestrator.New(cfg); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error is %v, want one with %q", err, c.want)
		}
	}
}

// ledger keeps runs in memory.
type ledger struct {
	mu     sync.Mutex
	done   map[string]orchestrator.Result
	failed map[string]error
	broken bool
}

type entry struct {
	trajectories.Recorder
	l   *ledger
	run string
}

func (l *ledger) Begin(_ context.Context, run string, _ tasks.Task) (orchestrator.Entry, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.done[run]; ok {
		return nil, orchestrator.ErrDone
	}
	return &entry{l: l, run: run}, nil
}

func (e *entry) Recall(message.ID, string) (message.Envelope, bool, error) {
	return message.Envelope{}, false, nil
}

func (e *entry) Seal(_ context.Context, r orchestrator.Result) error {
	e.l.mu.Lock()
	defer e.l.mu.Unlock()
	if e.l.broken {
		return errors.New("disk full")
	}
	e.l.done[e.run] = r
	return nil
}

func (e *entry) Fail(_ context.Context, cause error) error {
	e.l.mu.Lock()
	defer e.l.mu.Unlock()
	e.l.failed[e.run] = cause
	return nil
}

func many(task tasks.Task, n int) iter.Seq2[tasks.Task, error] {
	return func(yield func(tasks.Task, error) bool) {
		for i := range n {
			task.ID = fmt.Sprintf("t%d", i)
			if i%5 == 4 {
				task.Candidates = nil // the view of such a task cannot be opened
			}
			if !yield(task, nil) {
				return
			}
			task.Candidates = []string{"b01", "b02", "b03"}
		}
	}
}

func TestBatch(t *testing.T) {
	o, task := newOrchestrator(t, &troupe{}, "", nil)
	l := &ledger{done: map[string]orchestrator.Result{}, failed: map[string]error{}}
	totals, err := o.Batch(t.Context(), many(task, 20), l, orchestrator.BatchConfig{Concurrency: 4})
	if err != nil {
		t.Fatal(err)
	}
	if totals.Done != 16 || totals.Failed != 4 || totals.Calls != 16*7 || totals.Usage.InputTokens != 16*70 {
		t.Errorf("totals are %+v", totals)
	}
	if cause := l.failed["t4"]; cause == nil || !strings.Contains(cause.Error(), "has 0 candidates") {
		t.Errorf("cause of t4 is %v", cause)
	}
	if totals, err = o.Batch(t.Context(), many(task, 20), l, orchestrator.BatchConfig{}); err != nil || totals.Skipped != 16 || totals.Failed != 4 {
		t.Errorf("again: %+v, %v", totals, err)
	}
}

func TestBatchDrains(t *testing.T) {
	o, task := newOrchestrator(t, &troupe{}, "", nil)
	l := &ledger{done: map[string]orchestrator.Result{}, failed: map[string]error{}}
	drain := make(chan struct{})
	totals, err := o.Batch(t.Context(), many(task, 1000), l, orchestrator.BatchConfig{Concurrency: 2, Drain: drain, Progress: func(e orchestrator.Event) {
		if e.Outcome == orchestrator.Done && e.Run == "t3" {
			close(drain)
		}
	}})
	if err != nil || totals.Interrupted != 0 || totals.Done < 3 || totals.Done > 400 {
		t.Errorf("totals are %+v, error %v: want what was at work to finish, and nothing new", totals, err)
	}
}

func TestBatchStopsWhenTheLedgerFails(t *testing.T) {
	o, task := newOrchestrator(t, &troupe{}, "", nil)
	l := &ledger{done: map[string]orchestrator.Result{}, failed: map[string]error{}, broken: true}
	totals, err := o.Batch(t.Context(), many(task, 1000), l, orchestrator.BatchConfig{Concurrency: 2})
	if err == nil || !strings.Contains(err.Error(), "disk full") || totals.Interrupted == 0 || totals.Interrupted > 8 || totals.Done != 0 {
		t.Errorf("totals are %+v, error %v", totals, err)
	}
}

func TestBatchGivesUp(t *testing.T) {
	bad := model.Func(func(context.Context, model.Request) (model.Reply, error) {
		return model.Reply{}, errors.New("connection refused")
	})
	source, task := taskstest.Library()
	team, err := orchestrator.DefaultTeam().Change(strings.NewReader("roles: {analyst/historical: null, analyst/recent: null, analyst/profile: null, analyst/divergence: null, reflector: null, ranker: {after: [planner]}}"))
	if err != nil {
		t.Fatal(err)
	}
	o, err := orchestrator.New(orchestrator.Config{Team: team, Source: source, Cast: (&troupe{}).Cast, Model: orchestrator.Model{Name: "bad", Model: bad}})
	if err != nil {
		t.Fatal(err)
	}
	l := &ledger{done: map[string]orchestrator.Result{}, failed: map[string]error{}}
	totals, err := o.Batch(t.Context(), many(task, 1000), l, orchestrator.BatchConfig{Concurrency: 2, Patience: 5})
	if !errors.Is(err, orchestrator.ErrGivenUp) || totals.Failed < 5 || totals.Failed > 8 {
		t.Errorf("totals are %+v, error %v: want five failures and what was at work", totals, err)
	}
	if totals, err = o.Batch(t.Context(), many(task, 30), l, orchestrator.BatchConfig{}); err != nil || totals.Failed != 30 {
		t.Errorf("with patience without end: %+v, %v", totals, err)
	}
}

func TestBatchEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	o, task := newOrchestrator(t, &troupe{}, "", nil)
	l := &ledger{done: map[string]orchestrator.Result{}, failed: map[string]error{}}
	totals, err := o.Batch(ctx, many(task, 1000), l, orchestrator.BatchConfig{Progress: func(e orchestrator.Event) {
		if e.Outcome == orchestrator.Done && e.Run == "t2" {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) || totals.Failed != 0 || totals.Done > 8 {
		t.Errorf("totals are %+v, error %v: want interrupted tasks, none failed", totals, err)
	}
}
