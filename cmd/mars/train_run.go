package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/mars-rec/mars/star/training"
)

// stage is one call of the trainer.
type stage struct{ name, rows, out string }

// hinted says what is left of a stage that failed, and how to go on.
func (s stage) hinted(err error) error {
	if saved, _ := filepath.Glob(filepath.Join(s.out, "checkpoint-*")); len(saved) > 0 {
		return hinted(err, "metrics so far are in %s; the same command with --resume goes on from the last checkpoint", filepath.Join(s.out, "metrics.jsonl"))
	}
	return hinted(err, "%s has what the trainer said; it had saved no checkpoint yet", filepath.Join(s.out, "trainer.log"))
}

// trained is what a stage came to.
type trained struct {
	Stage   string             `json:"stage"`
	Out     string             `json:"out"`
	Steps   int                `json:"steps"`
	Stopped bool               `json:"stopped,omitempty"`
	Last    map[string]float64 `json:"last"` // the last numbers that were told
}

// trainStages prepares the environment and runs the stages one after the other,
// each from where the one before ended.
func (a *app) trainStages(ctx context.Context, f trainFlags, stages ...stage) (err error) {
	place, err := f.place.place(ctx)
	if err != nil {
		return err
	}
	for _, s := range stages {
		if !exportedTo(s.rows) {
			return hinted(usagef("%s has no manifest.json: it is no export", s.rows), "mars export --for trl-%s --out %s makes it", s.name, s.rows)
		}
		rows, err := rowsOf(s.rows)
		if err != nil {
			return err
		}
		if want := "trl-" + s.name; rows.For != want {
			return hinted(usagef("%s is an export for %s", s.rows, rows.For), "mars train %s takes one that mars export --for %s makes", s.name, want)
		}
	}
	python, err := a.prepare(ctx, place)
	if err != nil {
		return err
	}
	source, err := place.Source()
	if err != nil {
		return err
	}
	var done []trained
	for i, s := range stages {
		if len(stages) > 1 && finished(s) {
			a.notef("%s: %s is there already", s.name, s.out)
			f.model, f.scratch = s.out, ""
			continue
		}
		t, err := a.trainStage(ctx, f, s, python, source)
		if err != nil {
			return s.hinted(err)
		}
		done = append(done, t)
		if f.model, f.scratch = s.out, ""; t.Stopped && i+1 < len(stages) {
			break
		}
	}
	err = a.print(done, func(w io.Writer) {
		for _, t := range done {
			fmt.Fprintf(w, "%s: %s steps, %s\n", t.Out, thousands(int64(t.Steps)), toldNumbers(t.Last))
		}
	})
	a.next("mars train serve %s, or vllm serve %[1]s --enable-auto-tool-choice --tool-call-parser hermes; then mars synth --student", f.model)
	return err
}

func (a *app) trainStage(ctx context.Context, f trainFlags, s stage, python, source string) (t trained, err error) {
	args := f.arguments(s.name, s.rows, s.out)
	if s.name == "sft" && f.scratch != "" {
		args = append(args, "--from-scratch", f.scratch)
	}
	if s.name == "grpo" {
		url := f.env
		if url == "" {
			rows, err := rowsOf(s.rows)
			if f.world.detail = rows.Detail; err != nil {
				return t, err
			}
			var end func() error
			if url, end, err = a.serveWorld(ctx, f.world); err != nil {
				return t, err
			}
			defer func() { err = errors.Join(err, end()) }()
		}
		if args = append(args, "--env", url); f.distinct {
			args = append(args, "--distinct")
		}
	}
	if err := os.MkdirAll(s.out, 0o755); err != nil {
		return t, err
	}
	if f.resume {
		if _, err := training.Resumable(s.out); err != nil {
			return t, err
		}
	}
	messages, err := os.OpenFile(filepath.Join(s.out, "trainer.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return t, err
	}
	defer messages.Close()
	drain, release := a.draining()
	defer release()
	job := training.Job{Python: python, Source: source, Args: args, Drain: drain, Messages: messages}
	if f.engine == "accelerate" {
		job.Processes, job.CPU = f.processes, !training.HasGPU(ctx)
	}
	bar := a.progress(s.name, 0, thousands)
	defer bar.Close()
	t = trained{Stage: s.name, Out: s.out, Last: map[string]float64{}}
	job.Hear = func(e training.Event) { t.hear(e, bar) }
	return t, training.Run(ctx, job)
}

// hear shows an event, and keeps its numbers.
func (t *trained) hear(e training.Event, bar *progress) {
	for _, what := range e.Changed {
		bar.notef("changed: %s", what)
	}
	if e.Event == "data" {
		bar.notef("%s: %s rows, %s parameters, %s tokens in the vocabulary", e.Stage, thousands(int64(e.Numbers["rows"])), thousands(int64(e.Numbers["parameters"])), thousands(int64(e.Numbers["vocabulary"])))
		if n := e.Numbers["too_long"]; n > 0 {
			bar.notef("%s rows are longer than max_length and were left out", thousands(int64(n)))
		}
		return
	}
	bar.Total(int64(e.Steps))
	if done := e.Step - t.Steps; done > 0 {
		if e.Event == "begin" {
			bar.Skip(int64(done))
		} else {
			bar.Add(int64(done))
		}
		t.Steps = e.Step
	}
	t.Stopped = t.Stopped || e.Stopped
	for _, n := range numbersTold {
		if v, ok := e.Numbers[n.name]; ok {
			t.Last[n.name] = v
		}
	}
	if n, ok := e.Numbers["num_tokens"]; ok && e.Seconds > 0 {
		t.Last["tokens_per_second"] = n / e.Seconds
	}
	if e.Numbers["rollout/collapsed"] > 0 {
		bar.notef("the reward has collapsed: nearly nothing is well formed, or no group has any variance; see metrics.jsonl, and lower the learning rate or raise beta")
	}
	bar.Extra("%s", toldNumbers(t.Last))
}

// numbersTold are the numbers that are shown, in order, and how they are called.
var numbersTold = []struct{ name, told, form string }{
	{"loss", "loss", "%.3f"}, {"loss/ranking", "of the ranking", "%.3f"}, {"reward", "reward", "%.3f"}, {"kl", "KL", "%.4f"},
	{"rollout/malformed", "malformed", "%.2f"}, {"rollout/truncated", "truncated", "%.2f"},
	{"rollout/groups_without_variance", "groups without variance", "%.2f"}, {"tokens_per_second", "tokens a second", "%.0f"},
}

func toldNumbers(last map[string]float64) string {
	text := ""
	for _, n := range numbersTold {
		if v, ok := last[n.name]; ok && (n.name != "loss" || last["reward"] == 0) {
			text += fmt.Sprintf(", %s "+n.form, n.told, v)
		}
	}
	return trimComma(text)
}

func trimComma(s string) string {
	if len(s) > 2 {
		return s[2:]
	}
	return s
}

// finished reports whether a stage's card says that it came to its end.
func finished(s stage) bool {
	raw, err := os.ReadFile(filepath.Join(s.out, "training.json"))
	if err != nil {
		return false
	}
	var card map[string]json.RawMessage
	return json.Unmarshal(raw, &card) == nil && card[s.name] != nil
}

// exportedTo reports whether a directory holds an export.
func exportedTo(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "manifest.json"))
	return err == nil
}

// rows are what the manifest of an export says that training must know.
type rows struct {
	For    string // the consumer
	Detail string // how much they tell
}

func rowsOf(dir string) (r rows, err error) {
	raw, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
	if err != nil {
		return r, err
	}
	err = json.Unmarshal(raw, &r)
	return r, err
}
