package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/orchestrator"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tasks/datasets"
	"github.com/mars-rec/mars/trajectories"
	"github.com/mars-rec/mars/trajectories/store"
)

// forking is what `mars fork` is asked for.
type forking struct {
	path, id    string
	models      *modelFlags
	spend       spendFlags
	spending    *spending
	at          string
	model       string
	temperature float64
	maxTokens   int
	prompts     string
	data        string
	samples     int
	out         string
	concurrency int
}

// forkReport is what it came to.
type forkReport struct {
	Store    string              `json:"store"`
	Origin   trajectories.Origin `json:"origin"`
	Recalled int                 `json:"recalled"` // facts before the point, of each fork: not asked for again
	Totals   orchestrator.Totals `json:"totals"`
	Forks    []sibling           `json:"forks"`
	Seconds  float64             `json:"seconds"`
	Spend    *spendReport        `json:"spend,omitempty"` // of all that was done for the store; nil: nothing costs
}

// sibling is one fork.
type sibling struct {
	Run     string              `json:"run"`
	Status  trajectories.Status `json:"status"`
	Cause   string              `json:"cause,omitempty"`
	Parts   message.ID          `json:"parts,omitempty"` // first message that is not as in the run it comes from; none: all is the same
	Ranking []string            `json:"ranking,omitempty"`
}

func forkCommand(a *app) *cobra.Command {
	var f forking
	c := &cobra.Command{
		Use:   "fork RUN.DB ID --at POINT",
		Short: "Continue a run from a point, with another model, prompts or draw",
		Long: strings.TrimSpace(`
Continue a run from a point on. What was said before the point is taken from the
record and not paid for again; the message at the point, and all that comes
behind it, is made anew: by another model, with other prompts or at another
temperature, or drawn again as it was. The forks share what came before, byte for
byte, so they are samples of one prefix.

The point is a path ID of the run, as mars inspect shows them. An agent that was
at work at the point goes on with the prompts that it had; those who are asked
from there on have the new ones.

Forks are runs ID~1, ID~2 and so on in a store of their own, which says where
they come from and what has changed. The same command goes on where it stopped,
and a larger --samples adds to them. What providers are asked for is bounded as
by mars synth, and counted in a file beside the store of the forks. All other commands work on the store, but
mars eval, which measures one run of each task, only where there is one fork.`),
		Example: `  mars fork run.db classic-42 --at 1.6 --temperature 0.7 --samples 8 --out forks.db
  mars fork run.db classic-42 --at 1.7 --model openai:qwen3-8b --base-url http://127.0.0.1:8000/v1 --out qwen.db
  mars fork run.db classic-42 --at 1.6 --prompts prompts --samples 1 --out worded.db`,
		Args: exactly("RUN.DB", "ID"),
		RunE: func(c *cobra.Command, args []string) error {
			f.path, f.id = args[0], args[1]
			if err := need(c, "at"); err != nil {
				return err
			}
			switch {
			case f.samples < 1 || f.concurrency < 1:
				return usagef("--samples is %d, --concurrency is %d: want 1 or more", f.samples, f.concurrency)
			case f.maxTokens < 0:
				return usagef("--max-tokens cannot be negative")
			case c.Flags().Changed("temperature") && f.temperature < 0:
				return usagef("--temperature is %g: want 0 or more", f.temperature)
			}
			if f.out == "" {
				f.out = filepath.Join(filepath.Dir(f.path), "forks.db")
			}
			return a.fork(c.Context(), f)
		},
	}
	f.models = a.addModelFlags(c)
	f.spend.add(c)
	g := c.Flags()
	g.StringVar(&f.at, "at", "", "path ID of the first message that is made anew, such as 1.6")
	g.StringVar(&f.model, "model", "", "model of all roles from the point on; that of then if not given")
	g.Float64Var(&f.temperature, "temperature", -1, "temperature of replies; that of then if not given")
	g.IntVar(&f.maxTokens, "max-tokens", 0, "tokens of one reply at most; that of then if 0")
	g.StringVar(&f.prompts, "prompts", "", "folder with prompts that override those shipped, instead of the one of then")
	g.StringVar(&f.data, "data", "", "data set directory, if it is no longer where it was")
	g.IntVar(&f.samples, "samples", 8, "forks, each drawn with a seed of its own")
	g.StringVar(&f.out, "out", "", "run store of the forks; forks.db beside the first if not given")
	g.IntVar(&f.concurrency, "concurrency", 4, "forks at work at once")
	return c
}

func (a *app) fork(ctx context.Context, f forking) (err error) {
	t, then, err := f.parent(ctx)
	if err != nil {
		return err
	}
	at, err := pointOf(t, f.at)
	if err != nil {
		return err
	}
	data, err := then.open(f.data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, data.Close()) }()
	made, _, _ := strings.Cut(t.Run.Manifest.Data, withEvidence)
	if err := data.CheckTask(ctx, t.Run.Task, made); errors.Is(err, datasets.ErrAppended) {
		return hinted(err, "the fork would not know what the run knew: make tasks anew, or give --data the data set as it was")
	} else if err != nil && !errors.Is(err, datasets.ErrOtherData) { // that is told as a change
		return hinted(err, "give --data the data set of the run's tasks")
	}
	setup, err := f.setup(t, then, at)
	if err != nil {
		return err
	}
	if f.spending, err = f.spend.check(f.models, setup.Seed); err != nil {
		return err
	}
	open := synthesis{models: f.models, spending: f.spending, maxTokens: setup.Sampling.MaxTokens}
	works, err := setup.assemble(ctx, data, func(spec string) (model.Model, error) { return open.open(spec, []tasks.Task{t.Run.Task}) })
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, works.Close()) }()
	if err := works.admits([]tasks.Task{t.Run.Task}); err != nil {
		return err
	}
	works.goesOnAs(made, t.Run.Task)
	manifest, err := setup.manifest(works)
	if err != nil {
		return err
	}
	manifest.Origin = t.Run.Manifest.Origin // that it is a fork is no change
	setup.Fork.Origin.Changed = append([]string{}, t.Run.Manifest.Differences(manifest)...)
	if manifest, err = setup.manifest(works); err != nil {
		return err
	}
	st, err := store.Open(ctx, f.out, store.Config{Manifest: &manifest})
	if errors.Is(err, store.ErrManifest) {
		return hinted(err, "forks of one run, point and change share a store: give another --out")
	}
	if err != nil {
		return storeError(err)
	}
	if err := f.spending.start(ctx, f.out); err != nil {
		return errors.Join(err, st.Close())
	}
	report, err := a.runForks(ctx, f, works, st, t)
	if e := errors.Join(f.spending.Close(), st.Close()); err == nil {
		err = e
	}
	reached := errors.Is(err, model.ErrBudget)
	if err != nil && !reached {
		return err
	}
	if err := a.print(report, func(w io.Writer) { writeForks(w, report) }); err != nil {
		return err
	}
	return a.forkedAll(f, report, reached)
}

// forkedAll says what is left to do.
func (a *app) forkedAll(f forking, r forkReport, reached bool) error {
	left := f.samples - r.Totals.Done - r.Totals.Skipped - r.Totals.Failed
	switch {
	case reached:
		return budgetReached(left, f.samples, "forks")
	case r.Totals.Failed > 0:
		return hinted(fmt.Errorf("%s of %s forks failed", thousands(int64(r.Totals.Failed)), thousands(int64(f.samples))),
			"mars inspect %s shows their causes; the same command tries them again", f.out)
	case left > 0:
		return hinted(fmt.Errorf("stopped with %s of %s forks left", thousands(int64(left)), thousands(int64(f.samples))), "the same command goes on from here")
	}
	a.next("mars diff %s %s %s %s", f.path, f.id, f.out, r.Origin.Fork(1))
	return nil
}

// parent reads the run to fork, and what it was made with.
func (f forking) parent(ctx context.Context) (*trajectories.Trajectory, setup, error) {
	st, err := openStore(ctx, f.path)
	if err != nil {
		return nil, setup{}, err
	}
	defer st.Close() // it was only read
	t, err := st.Trajectory(ctx, f.id)
	if err != nil {
		return nil, setup{}, storeError(err)
	}
	if t.Run.Status != trajectories.Done {
		return nil, setup{}, fmt.Errorf("run %s is %s: only a run that is done can be forked", f.id, t.Run.Status)
	}
	then, err := setupOf(st)
	return t, then, err
}

// pointOf finds a point in a run.
func pointOf(t *trajectories.Trajectory, text string) (message.ID, error) {
	at, err := message.ParseID(text)
	if err != nil {
		return "", usagef("--at: %w", err)
	}
	if _, ok := t.Find(at); !ok {
		return "", hinted(usagef("--at %s: run %s has no such message", at, t.Run.ID), "the nearest is %s; mars inspect shows all", t.Nearest(at))
	}
	return at, nil
}

// setup is what the forks are made with.
func (f forking) setup(t *trajectories.Trajectory, then setup, at message.ID) (setup, error) {
	path, err := filepath.Abs(f.path)
	if err != nil {
		return setup{}, err
	}
	s := then
	s.Data = cmp.Or(f.data, then.Data)
	s.Prompts = cmp.Or(f.prompts, then.Prompts)
	if f.model != "" {
		s.Model = f.model
		s.Team.Seats = append(s.Team.Seats[:0:0], s.Team.Seats...)
		for i := range s.Team.Seats {
			s.Team.Seats[i].Model = ""
		}
	}
	s.Sampling.MaxTokens = cmp.Or(f.maxTokens, then.Sampling.MaxTokens)
	if f.temperature >= 0 {
		s.Sampling.Temperature = &f.temperature
	}
	s.Fork = &forked{Origin: trajectories.Origin{Store: path, Run: t.Run.ID, Seal: t.Run.Seal, At: at}, Then: then}
	return s, nil
}
