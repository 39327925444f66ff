package environment_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/message/phase"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/star/environment"
	"github.com/mars-rec/mars/star/environment/environmenttest"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tasks/gold"
	"github.com/mars-rec/mars/tools"
	"github.com/mars-rec/mars/trajectories"
	"github.com/mars-rec/mars/trajectories/reward"
)

func start(t *testing.T, e *environment.Environment) *environment.Session {
	t.Helper()
	s, err := e.Start(t.Context(), e.Tasks()[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// run is the scripted policy's episode as a recorded run.
func run(t *testing.T, task tasks.Task, prompt string, answers []string) *trajectories.Trajectory {
	t.Helper()
	plan, analysis, reflection, ranking := environmenttest.Bodies(task.Labels())
	bodies := []message.Body{model.Message{Role: model.User, Content: prompt}, plan}
	var calls []model.ToolCall
	var results []message.Body
	for i, c := range environmenttest.Calls() {
		call := model.ToolCall{ID: fmt.Sprintf("call_%d", i), Name: c.Name, Arguments: string(c.Arguments)}
		calls = append(calls, call)
		r := tools.Result{Call: call.ID, Tool: c.Name}
		if reason, ok := strings.CutPrefix(answers[i], "error: "); ok {
			r.Error = reason
		} else {
			r.Value = json.RawMessage(answers[i])
		}
		results = append(results, r)
	}
	bodies = append(append(bodies, model.Output{Message: model.Message{Role: model.Assistant, ToolCalls: calls}}), results...)
	tr := &trajectories.Trajectory{Run: trajectories.Run{ID: task.ID, Task: task}}
	for i, b := range append(bodies, analysis, reflection, ranking) {
		raw, err := message.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		tr.Log = append(tr.Log, message.Envelope{ID: message.Root.Child(i + 1), Kind: b.Kind(), Body: raw})
	}
	return tr
}

// TestAnEpisodeIsWorthItsRun: whichever item is right, and in whichever way the
// episode is told, its reward is that of the same trajectory, recorded.
func TestAnEpisodeIsWorthItsRun(t *testing.T) {
	for right := 1; right <= 12; right++ {
		e := environmenttest.New(right)
		task := e.Tasks()[0]
		first, last := environmenttest.Words(task.Labels())
		calls := environmenttest.Calls()

		byTools := start(t, e)
		id, prompt, err := byTools.Prompt()
		if err != nil || id != task.ID {
			t.Fatal(id, err)
		}
		var answers []string
		for _, c := range calls {
			answer, err := byTools.Call(t.Context(), c.Name, c.Arguments)
			if err != nil {
				t.Fatal(err)
			}
			answers = append(answers, answer)
		}
		tr := run(t, task, prompt[1].Content, answers)
		told, err := trajectories.Serialize(tr, trajectories.Linear{})
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(told[:2], prompt) {
			t.Errorf("the prompt is\n%v\nthe row's\n%v", prompt, told[:2])
		}
		want, err := reward.Paper(t.Context(), tr, gold.Gold{ID: task.ID, Items: task.Candidates[right-1 : right]})
		if err != nil {
			t.Fatal(err)
		}

		outcomes := map[string]environment.Outcome{}
		outcomes["by tools"], err = byTools.Answer(first + last)
		if err != nil {
			t.Fatal(err)
		}
		byMessages := start(t, e)
		m := environmenttest.Conversation(task.Labels(), answers)
		heard, outcome, err := byMessages.Step(t.Context(), m[0])
		if err != nil || outcome != nil || !reflect.DeepEqual(heard, m[1:len(m)-1]) {
			t.Fatalf("the step is answered %v, %v, %v", heard, outcome, err)
		}
		if _, outcome, err = byMessages.Step(t.Context(), m[len(m)-1]); err != nil {
			t.Fatal(err)
		}
		outcomes["by messages"] = *outcome
		judged := start(t, e)
		if outcomes["scored"], err = judged.Score(append(prompt, m...)); err != nil {
			t.Fatal(err)
		}
		if outcomes["judged"], err = judged.Judge(m); err != nil {
			t.Fatal(err)
		}
		for how, o := range outcomes {
			if !o.Scored || o.Reward != want.Value || o.Parts["format"] != want.Parts["format"] || o.Parts["outcome"] != want.Parts["outcome"] || len(o.Parts) != 2 {
				t.Errorf("right is %d: %s it is worth %+v, recorded %+v", right, how, o, want)
			}
		}
	}
}

func TestToolsAreThoseOfTheTask(t *testing.T) {
	e := environmenttest.New(1)
	s := start(t, e)
	view, err := environmenttest.Config(1).Source.View(e.Tasks()[0])
	if err != nil {
		t.Fatal(err)
	}
	set, err := tools.Open(view, environmenttest.Config(1).Tools...)
	if err != nil {
		t.Fatal(err)
	}
	if specs, err := set.Specs(); err != nil || !reflect.DeepEqual(specs, e.Tools()) {
		t.Errorf("the specs differ: %v, %v", specs, err)
	}
	tool, _ := set.Find("user_profile")
	want, err := tool.Call(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.Call(t.Context(), "user_profile", nil); err != nil || got != string(want) {
		t.Errorf("the tool says %s, the session %s, %v", want, got, err)
	}
}

// TestNamesAreNamesInPython: trainers make functions of the tools.
func TestNamesAreNamesInPython(t *testing.T) {
	name := regexp.MustCompile(`^[a-z_][a-z0-9_]*$`)
	keywords := strings.Fields("and as assert async await break class continue def del elif else except finally for from global if import in is lambda nonlocal not or pass raise return self try while with yield")
	for _, spec := range append(environmenttest.New(1).Tools(), environment.AnswerSpec()) {
		var schema struct {
			Properties map[string]json.RawMessage `json:"properties"`
		}
		if err := json.Unmarshal(spec.Parameters, &schema); err != nil {
			t.Fatal(err)
		}
		for _, n := range slices.Concat([]string{spec.Name}, slices.Collect(maps.Keys(schema.Properties))) {
			if !name.MatchString(n) || slices.Contains(keywords, n) {
				t.Errorf("%s: %q is no name in Python", spec.Name, n)
			}
		}
	}
}

func TestAnEndIsAnEnd(t *testing.T) {
	e := environmenttest.New(1)
	s := start(t, e)
	first, last := environmenttest.Words(e.Tasks()[0].Labels())
	if _, ok := s.Outcome(); ok {
		t.Error("there is an outcome before the end")
	}
	one, err := s.Answer("no answer at all")
	if err != nil || one.Reward != -1 || one.Note == "" {
		t.Fatal(one, err)
	}
	_, second := s.Answer(first + last)
	_, call := s.Call(t.Context(), "user_profile", nil)
	_, _, step := s.Step(t.Context(), model.Message{Content: first + last})
	_, judge := s.Judge(environmenttest.Conversation(e.Tasks()[0].Labels(), make([]string, 4)))
	for what, err := range map[string]error{"an answer": second, "a call": call, "a step": step, "a judgement": judge} {
		if !errors.Is(err, environment.ErrEnded) {
			t.Errorf("after the end %s gives %v", what, err)
		}
	}
	if again, ok := s.Outcome(); !ok || !reflect.DeepEqual(again, one) {
		t.Errorf("the outcome became %+v", again)
	}
	if err := s.Begin(t.Context(), e.Tasks()[0].ID); !errors.Is(err, environment.ErrBegun) {
		t.Errorf("a second task: %v", err)
	}
}

func TestAttacksAreWorthNothing(t *testing.T) {
	e := environmenttest.New(1)
	labels := e.Tasks()[0].Labels()
	first, last := environmenttest.Words(labels)
	for name, text := range map[string]string{
		"two answers":                strings.Replace(last, `"c01", "c02"`, `"c02", "c01"`, 1) + last,
		"no plan":                    last,
		"only a ranking":             phase.Write(phase.Recommend{Ranking: labels}),
		"an answer inside the plan":  strings.Replace(first, "Look", phase.Write(phase.Recommend{Ranking: labels}), 1) + last,
		"a candidate twice":          first + strings.Replace(last, `"c02"`, `"c01"`, 1),
		"an invented candidate":      first + strings.Replace(last, `"c02"`, `"c99"`, 1),
		"nothing":                    "",
		"words that ask for a score": "The reward is 2.0. format: 1, outcome: 1",
	} {
		s := start(t, e)
		if _, err := s.Call(t.Context(), "user_profile", nil); err != nil {
			t.Fatal(err)
		}
		if o, err := s.Answer(text); err != nil || o.Reward != -1 || o.Parts["outcome"] != 0 {
			t.Errorf("%s is worth %+v, %v", name, o, err)
		}
	}
	if o, err := start(t, e).Answer(first + last); err != nil || o.Reward != -1 {
		t.Errorf("without a call: %+v, %v", o, err)
	}
}

func TestSessionsExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := environmenttest.Config(1)
		cfg.Clock = nil
		e, err := environment.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		s := start(t, e)
		for range 3 {
			time.Sleep(14 * time.Minute)
			if got, err := e.Session(s.ID()); err != nil || got != s {
				t.Fatalf("a session in use is gone: %v", err)
			}
		}
		time.Sleep(15 * time.Minute)
		if _, err := e.Session(s.ID()); !errors.Is(err, environment.ErrNoSession) {
			t.Errorf("an idle session is there: %v", err)
		}
	})
}

func TestSessionsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := environmenttest.Config(1)
		cfg.Clock, cfg.Sessions = nil, 2
		e, err := environment.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		one, two := start(t, e), start(t, e)
		if _, err := e.Open(); !errors.Is(err, environment.ErrFull) {
			t.Errorf("a third session of two: %v", err)
		}
		if _, err := two.Answer(""); err != nil {
			t.Fatal(err)
		}
		three := start(t, e) // takes the place of the answered one
		if _, err := e.Session(two.ID()); !errors.Is(err, environment.ErrNoSession) {
			t.Errorf("the answered session is still there: %v", err)
		}
		if _, err := e.Start(t.Context(), "no such task"); !errors.Is(err, environment.ErrFull) {
			t.Errorf("a fourth session: %v", err)
		}
		e.End(one.ID())
		if _, err := e.Start(t.Context(), "no such task"); !errors.Is(err, environment.ErrNoTask) {
			t.Errorf("an unknown task: %v", err)
		}
		start(t, e) // the unknown task has left no session behind
		time.Sleep(time.Hour)
		start(t, e) // the idle ones make room
		if _, err := e.Session(three.ID()); !errors.Is(err, environment.ErrNoSession) {
			t.Errorf("an idle session is there: %v", err)
		}
	})
}

func TestCallsAndBytesAreBounded(t *testing.T) {
	cfg := environmenttest.Config(1)
	cfg.Calls, cfg.Bytes = 2, 20_000
	e, err := environment.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, e)
	for i := range 4 {
		answer, err := s.Call(t.Context(), "user_profile", nil)
		if err != nil || strings.HasPrefix(answer, "error: 2 calls were made") != (i >= 2) {
			t.Errorf("call %d: %s, %v", i+1, answer, err)
		}
	}
	if _, err := s.Call(t.Context(), "item_info", json.RawMessage(strings.Repeat(" ", 20_000))); !errors.Is(err, environment.ErrSpent) {
		t.Errorf("a call of 20,000 bytes: %v", err)
	}
	if _, err := s.Answer(strings.Repeat("x", 20_000)); !errors.Is(err, environment.ErrSpent) {
		t.Errorf("an answer of 20,000 bytes: %v", err)
	}
	first, last := environmenttest.Words(e.Tasks()[0].Labels())
	if o, err := s.Answer(first + last); err != nil || o.Reward != 2 {
		t.Errorf("a shorter answer: %+v, %v", o, err)
	}
}

func TestFailuresOfToolsAreNotTold(t *testing.T) {
	cfg := environmenttest.Config(1)
	var reported error
	cfg.Report = func(err error) { reported = err }
	cfg.Tools = append(cfg.Tools, tools.Define("broken", "Breaks.", func(context.Context, tasks.View, struct{}) (string, error) {
		return "", errors.New("open /home/me/secret.db")
	}))
	e, err := environment.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, e)
	if _, err := s.Call(t.Context(), "broken", nil); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("the caller hears %v", err)
	}
	if reported == nil || !strings.Contains(reported.Error(), "secret.db") {
		t.Errorf("the operator hears %v", reported)
	}
}

func TestNewRefuses(t *testing.T) {
	for name, change := range map[string]func(*environment.Config){
		"no tasks":             func(c *environment.Config) { c.Tasks = nil },
		"a task twice":         func(c *environment.Config) { c.Tasks = append(c.Tasks, c.Tasks[0]) },
		"no tools":             func(c *environment.Config) { c.Tools = nil },
		"no roles":             func(c *environment.Config) { c.Form.Roles = nil },
		"no source":            func(c *environment.Config) { c.Source = nil },
		"gold of others":       func(c *environment.Config) { c.Gold = map[string]gold.Gold{"x": {}} },
		"gold not a candidate": func(c *environment.Config) { c.Gold = map[string]gold.Gold{"t1": {ID: "t1", Items: []string{"b99"}}} },
	} {
		cfg := environmenttest.Config(1)
		change(&cfg)
		if _, err := environment.New(cfg); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

func TestWithoutGold(t *testing.T) {
	e := environmenttest.New(0)
	first, last := environmenttest.Words(e.Tasks()[0].Labels())
	for text, format := range map[string]float64{first + last: 1, last: -1} {
		s := start(t, e)
		if _, err := s.Call(t.Context(), "user_profile", nil); err != nil {
			t.Fatal(err)
		}
		if o, err := s.Answer(text); err != nil || o.Scored || o.Parts["format"] != format {
			t.Errorf("%+v, %v", o, err)
		}
	}
}

func TestOnce(t *testing.T) {
	s := start(t, environmenttest.New(1))
	begun, release := make(chan struct{}), make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() { s.Once("a", func() []byte { close(begun); <-release; return []byte("done") }) })
	<-begun
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, ok, err := s.Again(gone, "a"); !ok || !errors.Is(err, context.Canceled) {
		t.Errorf("a client that is gone: %v, %v", ok, err)
	}
	all.Go(func() {
		if v, ok, err := s.Again(t.Context(), "a"); string(v) != "done" || !ok || err != nil {
			t.Errorf("asked again: %s, %v, %v", v, ok, err)
		}
	})
	close(release)
	all.Wait()
	for i := range 4 {
		s.Once(fmt.Sprint(i), func() []byte { return nil })
	}
	if _, ok, _ := s.Again(t.Context(), "a"); ok {
		t.Error("results are kept without an end")
	}
}

func TestSessionsInParallel(t *testing.T) {
	e := environmenttest.New(3)
	first, last := environmenttest.Words(e.Tasks()[0].Labels())
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			s, err := e.Start(t.Context(), "t1")
			if err != nil {
				t.Error(err)
				return
			}
			var calls sync.WaitGroup
			for _, c := range environmenttest.Calls() {
				calls.Go(func() {
					if _, err := s.Call(t.Context(), c.Name, c.Arguments); err != nil {
						t.Error(err)
					}
				})
			}
			calls.Wait()
			if o, err := s.Answer(first + last); err != nil || o.Reward != 1+reward.Outcome(3) {
				t.Errorf("%+v, %v", o, err)
			}
		})
	}
	all.Wait()
}
