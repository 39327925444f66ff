package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"github.com/mars-rec/mars/graph/rank"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/orchestrator"
	"github.com/mars-rec/mars/orchestrator/ledger"
	"github.com/mars-rec/mars/orchestrator/monitor"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/trajectories"
	"github.com/mars-rec/mars/trajectories/store"
	"github.com/mars-rec/mars/trajectories/traces"
)

// synthesis is what `mars synth` is asked for.
type synthesis struct {
	team        teamFlags
	models      *modelFlags
	spend       spendFlags
	spending    *spending
	observe     observeFlags
	observed    *observed
	model       string
	modelFor    []string
	data        string
	tasks       string
	out         string
	seed        int64
	temperature float64
	maxTokens   int
	concurrency int
	limit       int
	samples     int
	durable     string
	dryRun      bool
	patience    int
	stored      string
	student     bool
	detail      string
	cluster     coordinated
}

// synthReport is what it came to.
type synthReport struct {
	Store   string              `json:"store"`
	Model   string              `json:"model"`
	Tasks   int                 `json:"tasks"`
	Samples int                 `json:"samples"` // of each task
	Totals  orchestrator.Totals `json:"totals"`
	Seconds float64             `json:"seconds"`
	Spend   *spendReport        `json:"spend,omitempty"` // of all that was done for the store; nil: nothing costs
	Traces  *traces.QueueCounts `json:"traces,omitempty"`
}

func synthCommand(a *app) *cobra.Command {
	var s synthesis
	c := &cobra.Command{
		Use:   "synth --data DIR --tasks TASKS",
		Short: "Let the teacher work on tasks and record its trajectories",
		Long: strings.TrimSpace(`
Let the team of agents work on each task, and record all that is said in a run
store, one SQLite file. The command never sees what the user really took.

It can be stopped at any moment, and killed: the same command again goes on where
it stopped, and pays for nothing that is recorded. Runs that failed are tried
again from what they had recorded.

With --samples, there are so many runs of each task, each drawn with a seed of its
own: what a choice of the best, a measure of difficulty and groups for GRPO are
made of. The first goes by the task's id, the others by ID~2, ID~3 and on; a larger
number adds to those that are there. The model must draw at random for them to
differ, at a --temperature above 0. builtin then draws how far it trusts each
ranking of the tools, and is the rule itself at 0.

What is asked of providers is bounded: --requests-per-minute and its like hold
calls to a rate, --budget and --budget-tokens to a sum that is never passed. A
call is made only if the most that it can cost is left; a budget that is reached
ends the command with exit code 4, and the same command with a larger one goes
on. mars counts what a store's runs cost in a file beside it, STORE.spend.
--dry-run estimates tokens and cost before, and pays nothing.

With --cluster the runs are made by mars worker on any number of machines, and kept
in the run store here; --concurrency, --requests-per-minute, --tokens-per-minute and
the budgets are then those of all workers together: each asks here before a call.

With --student the student works in the team's place, in one conversation, on any
server that holds its model; its runs are recorded, replayed, scored, exported
and measured as those of a team. With --model-for planner=student:MODEL it plans
and others work: it is asked as it was trained, and its plan is handed to the team.`),
		Example: `  mars synth --data data/ml --tasks tasks.jsonl --out run.db
  mars synth --data data/ml --tasks tasks.jsonl --model builtin:weights.json --out fitted.db
  mars synth --data data/ml --tasks late.jsonl --stored evidence-20160808T065024Z.db --out stored.db
  mars synth --data data/ml --tasks tasks.jsonl --model openai:qwen3-8b --base-url http://127.0.0.1:8000/v1 --concurrency 16 --out run.db
  mars synth --data data/ml --tasks tasks.jsonl --model openai:qwen3-8b --base-url http://127.0.0.1:8000/v1 --temperature 0.7 --samples 8 --out eight.db
  mars synth --data data/ml --tasks tasks.jsonl --student --model openai:star --base-url http://127.0.0.1:8000/v1 --out student.db
  mars synth --data data/ml --tasks tasks.jsonl --model openai:qwen3-32b@http://127.0.0.1:8001/v1 --model-for planner=student:openai:star@http://127.0.0.1:8000/v1 --out hybrid.db
  mars synth --data data/ml --tasks tasks.jsonl --model openai:gpt-4.1-mini --prices prices.yaml --budget 5.00 --max-tokens 4096 --cache replies.db --out run.db
  mars synth --data data/ml --tasks tasks.jsonl --model openai:gpt-4.1-mini --model-for ranker=openai:gpt-4.1 --dry-run --out run.db
  mars synth --data data/ml --tasks tasks.jsonl --cluster nats://queue:4222 --nats-monitor http://queue:8222 --concurrency 64 --out run.db`,
		Args: exactly(),
		RunE: func(c *cobra.Command, _ []string) error { return a.synth(c, s) },
	}
	s.models = a.addModelFlags(c)
	s.team.add(c)
	s.spend.add(c)
	s.cluster.add(c)
	s.observe.add(c)
	f := c.Flags()
	f.StringVar(&s.data, "data", "", "data set directory made by mars import")
	f.StringVar(&s.tasks, "tasks", "", "tasks made by mars tasks, JSONL")
	f.StringVar(&s.out, "out", "run.db", "run store; if it is there, the work goes on")
	f.StringVar(&s.model, "model", "builtin", "model of all roles: builtin, builtin:WEIGHTS, openai:NAME, langchain:PROVIDER/NAME")
	f.StringArrayVar(&s.modelFor, "model-for", nil, "model of one role, as ROLE=MODEL; may be given many times; planner=student:MODEL asks MODEL as a student")
	f.Int64Var(&s.seed, "seed", 42, "seed of all that is drawn; each task gets its own from it")
	f.Float64Var(&s.temperature, "temperature", -1, "temperature of replies; the provider's own if not given")
	f.IntVar(&s.maxTokens, "max-tokens", 0, "tokens of one reply at most; the provider's own if 0")
	f.BoolVar(&s.student, "student", false, "let the student work, alone, with the tools and for the roles of the team that taught it")
	f.StringVar(&s.detail, "detail", "full", "how much a student is told: full, brief or raw, as the rows that it was trained on")
	f.StringVar(&s.stored, "stored", "", storedHelp)
	f.IntVar(&s.samples, "samples", 1, "runs of each task, each drawn with a seed of its own")
	f.IntVar(&s.concurrency, "concurrency", 4, "runs at work at once")
	f.IntVar(&s.limit, "limit", 0, "work on the first N tasks only; 0 is all")
	f.StringVar(&s.durable, "durable", "batch", "batch: a crash repays the calls since the last commit; step: wait for the disk at each paid step")
	f.IntVar(&s.patience, "max-failures", 10, "stop when so many runs fail in a row; 0 is never")
	f.BoolVar(&s.dryRun, "dry-run", false, "say what would be done, and do nothing")
	return c
}

// errRunsFailed says that all tasks were worked on, and not all runs are done.
var errRunsFailed = errors.New("runs failed")

func (a *app) synth(c *cobra.Command, s synthesis) error {
	calls()
	if err := cmp.Or(need(c, "data", "tasks"), folderOf("out", s.out)); err != nil {
		return err
	}
	ctx := c.Context()
	setup, err := s.setup(c)
	if err != nil {
		return err
	}
	if s.spending, err = s.spend.check(s.models, s.seed); err != nil {
		return err
	}
	if s.observed, err = s.observe.open(ctx); err != nil {
		return err
	}
	defer s.observed.Close() //nolint:errcheck // what it could not tell has been said
	s.spending.watch = s.observed.model
	list, err := s.list()
	if err != nil {
		return err
	}
	data, err := openData(s.data)
	if err != nil {
		return err
	}
	defer data.Close()
	if err := fits(ctx, data, s.tasks, list...); err != nil {
		return err
	}
	if path, ok := strings.CutPrefix(s.model, "builtin:"); ok {
		if weights, err := rank.Load(path); err == nil && weights.Dataset != data.Manifest().Name {
			a.notef("note: %s was fitted on the data set %s, not on %s", path, weights.Dataset, data.Manifest().Name)
		}
	}
	works, err := setup.assemble(ctx, data, func(spec string) (model.Model, error) { return s.open(spec, list) })
	if err != nil {
		return err
	}
	defer works.Close()
	if err := works.timed(a.now); err != nil {
		return err
	}
	if err := works.admits(list); err != nil {
		return err
	}
	if s.dryRun {
		return a.plan(ctx, s, works, list)
	}
	if earlier, err := openStore(ctx, s.out); err == nil {
		works.goesOnAs(fingerprintOf(earlier), list...)
		if err := earlier.Close(); err != nil {
			return err
		}
	}
	manifest, err := setup.manifest(works)
	if err != nil {
		return err
	}
	nc, err := s.cluster.open(ctx, s.spend)
	if err != nil {
		return err
	}
	if nc != nil {
		defer nc.Close()
	}
	st, err := store.Open(ctx, s.out, store.Config{Manifest: &manifest, Step: s.durable == "step"})
	if errors.Is(err, store.ErrManifest) {
		return hinted(errors.Join(err, seatsApart(ctx, s.out, setup.workers())), "give another --out, or the flags that the store was made with")
	}
	if err != nil {
		return storeError(err)
	}
	if err := s.spending.start(ctx, s.out); err != nil {
		return errors.Join(err, st.Close())
	}
	report, err := a.runBatch(ctx, s, works, st, nc, list)
	if e := errors.Join(s.spending.Close(), st.Close()); err == nil {
		err = e
	}
	reached := errors.Is(err, model.ErrBudget)
	if reached {
		err = nil // told with the report
	}
	if errors.Is(err, orchestrator.ErrGivenUp) {
		return hinted(err, "mars inspect %s shows their causes; the same command goes on when they are gone", s.out)
	}
	if err != nil {
		return err
	}
	if err := a.print(report, func(w io.Writer) { writeSynth(w, report) }); err != nil {
		return err
	}
	runs, noun := report.Tasks*report.Samples, "tasks"
	if report.Samples > 1 {
		noun = "runs"
	}
	left := runs - report.Totals.Done - report.Totals.Skipped - report.Totals.Failed
	switch {
	case reached:
		return budgetReached(left, runs, noun)
	case left > 0:
		return hinted(fmt.Errorf("stopped with %s of %s %s left", thousands(int64(left)), thousands(int64(runs)), noun),
			"the same command goes on from here")
	case report.Totals.Failed > 0:
		return hinted(fmt.Errorf("%s of %s %w", thousands(int64(report.Totals.Failed)), thousands(int64(runs)), errRunsFailed),
			"mars inspect %s shows their causes; the same command tries them again", s.out)
	}
	if s.samples > 1 {
		a.next("mars select %[1]s --gold %[2]s --out selection, mars score %[1]s --gold %[2]s", s.out, goldBeside(s.tasks))
		return nil
	}
	a.next("mars inspect %[1]s, mars replay %[1]s, mars eval %[1]s --gold %[2]s --baselines", s.out, goldBeside(s.tasks))
	return nil
}

// maxSamples is how many runs of one task make sense.
const maxSamples = 1024

// setup turns the flags into what runs are made with.
func (s *synthesis) setup(c *cobra.Command) (setup, error) {
	out := setup{Data: s.data, Prompts: s.team.prompts, Model: s.model, Seed: s.seed, Stored: s.stored, Student: s.student}
	switch {
	case s.concurrency < 1:
		return out, usagef("--concurrency is %d: want 1 or more", s.concurrency)
	case s.samples < 1 || s.samples > maxSamples:
		return out, usagef("--samples is %d: want 1 to %s", s.samples, thousands(maxSamples))
	case s.durable != "batch" && s.durable != "step":
		return out, usagef("--durable is %q: want batch or step", s.durable)
	case s.student && (s.team.prompts != "" || len(s.modelFor) > 0):
		return out, usagef("--student has one prompt, that of the training rows, and one model: leave out --prompts and --model-for")
	}
	for _, bound := range []struct {
		flag string
		n    int
	}{{"limit", s.limit}, {"max-tokens", s.maxTokens}, {"max-failures", s.patience}} {
		if bound.n < 0 {
			return out, usagef("--%s is %d: want 0 or more", bound.flag, bound.n)
		}
	}
	if c.Flags().Changed("temperature") {
		if s.temperature < 0 {
			return out, usagef("--temperature is %g: want 0 or more", s.temperature)
		}
		out.Sampling.Temperature = &s.temperature
	}
	out.Sampling.MaxTokens = s.maxTokens
	var err error
	if out.Detail, err = trajectories.ParseDetail(s.detail); err != nil {
		return out, usagef("--%w", err)
	}
	team, err := s.team.team()
	if err != nil {
		return out, err
	}
	if err := giveModels(team, s.modelFor); err != nil {
		return out, err
	}
	out.Team = team
	if out.Detail != trajectories.Full && !s.student && !isHybrid(team) {
		return out, usagef("--detail is for --student, and for a student that plans")
	}
	return out, out.checkHybrid()
}

// open opens a model, and asks it whether it may work on the tasks.
func (s *synthesis) open(spec string, list []tasks.Task) (model.Model, error) {
	if far := s.cluster.access.URL != ""; (s.dryRun || far) && !strings.HasPrefix(spec, "builtin") {
		if s.dryRun {
			return silent, nil // nothing is called, so no key is needed
		}
		return silent, s.spending.elsewhere(spec, s.maxTokens)
	}
	open := s.models.open
	if s.spending != nil {
		open = func(spec string) (model.Model, func(time.Time) error, error) {
			return s.spending.open(spec, s.maxTokens)
		}
	}
	m, check, err := open(spec)
	if err != nil || check == nil {
		return m, err
	}
	for _, t := range list {
		if err := check(t.AsOf); err != nil {
			return nil, hinted(fmt.Errorf("model %s, task %s: %w", spec, t.ID, err), "mars tasks --after makes tasks that are late enough")
		}
	}
	return m, nil
}

// runBatch works on the tasks and shows how far it is.
func (a *app) runBatch(ctx context.Context, s synthesis, w *works, st *store.Store, nc *nats.Conn, list []tasks.Task) (synthReport, error) {
	report := synthReport{Store: s.out, Model: s.model, Tasks: len(list), Samples: s.samples}
	if s.samples > 1 && len(w.cfg.Models) == 1 && strings.HasPrefix(s.model, "builtin") && s.temperature <= 0 {
		a.notef("note: builtin draws at a --temperature above 0 only, so the %d samples of a task will be the same", s.samples)
	}
	runs := s.runs(list)
	if err := st.AddAs(ctx, runs...); err != nil {
		return report, err
	}
	start := a.now()
	bar := a.progress("synth", int64(len(runs)), thousands)
	defer bar.Close()
	s.models.onRetry = func(err error, wait time.Duration) {
		s.observed.Observe(monitor.Event{Kind: monitor.Retried, Err: err})
		bar.notef("mars: %s; the next try is in %s", oneLine(err.Error()), wait.Round(100*time.Millisecond))
	}
	drain, release := a.draining()
	defer release()
	if err := s.observed.start(ctx, a, scene{bar.notef, s.spending, st, len(runs)}); err != nil {
		return report, err
	}
	failed, tokens := 0, 0
	config := orchestrator.BatchConfig{
		Samples:     s.samples,
		Concurrency: s.concurrency,
		Patience:    s.patience,
		Drain:       drain,
		Timeout:     s.spend.taskTime,
		Halt:        func(err error) bool { return errors.Is(err, model.ErrBudget) },
		Progress: monitor.Progress(s.observed, func(e orchestrator.Event) {
			tokens += e.Usage.InputTokens + e.Usage.OutputTokens
			if e.Outcome == orchestrator.Failed {
				failed++
				bar.notef("mars: %s failed: %s", e.Run, oneLine(e.Err.Error()))
			}
			bar.Extra("%s tokens%s, %d failed", thousands(int64(tokens)), s.spending.line(), failed)
			switch e.Outcome {
			case orchestrator.Skipped:
				bar.Skip(1)
			case orchestrator.Done, orchestrator.Failed:
				bar.Add(1)
			}
		}),
	}
	var totals orchestrator.Totals
	var err error
	if nc == nil {
		totals, err = w.Batch(ctx, each(list), s.observed.ledger(ledger.New(st)), config)
	} else {
		totals, err = s.cluster.coordinate(ctx, nc, st, s.observed.ledger(ledger.New(st)), list, config, s.spending, func(text string) { bar.notef("mars: %s", text) })
	}
	report.Spend = s.spending.report(totals.Done + totals.Skipped)
	report.Totals, report.Seconds = totals, a.now().Sub(start).Round(time.Millisecond).Seconds()
	report.Traces = s.observed.end(ctx, bar.notef)
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		err = nil // stopped by the person: what is left is told with the report
	}
	return report, err
}
