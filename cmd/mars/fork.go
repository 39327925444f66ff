package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"time"

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
	at          string
	model       string
	temperature float64
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
and a larger --samples adds to them. All other commands work on the store, but
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
	g := c.Flags()
	g.StringVar(&f.at, "at", "", "path ID of the first message that is made anew, such as 1.6")
	g.StringVar(&f.model, "model", "", "model of all roles from the point on; that of then if not given")
	g.Float64Var(&f.temperature, "temperature", -1, "temperature of replies; that of then if not given")
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
	open := synthesis{models: f.models}
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
	report, err := a.runForks(ctx, f, works, st, t)
	if e := st.Close(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	if err := a.print(report, func(w io.Writer) { writeForks(w, report) }); err != nil {
		return err
	}
	return a.forkedAll(f, report)
}

// forkedAll says what is left to do.
func (a *app) forkedAll(f forking, r forkReport) error {
	left := f.samples - r.Totals.Done - r.Totals.Skipped - r.Totals.Failed
	switch {
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
	if f.temperature >= 0 {
		s.Sampling.Temperature = &f.temperature
	}
	s.Fork = &forked{Origin: trajectories.Origin{Store: path, Run: t.Run.ID, Seal: t.Run.Seal, At: at}, Then: then}
	return s, nil
}

// runForks makes the forks that are not there yet.
func (a *app) runForks(ctx context.Context, f forking, w *works, st *store.Store, t *trajectories.Trajectory) (forkReport, error) {
	report := forkReport{Store: f.out, Origin: *w.origin, Forks: []sibling{}}
	for _, e := range t.Log {
		if e.Fact() && e.ID.Compare(w.origin.At) < 0 {
			report.Recalled++
		}
	}
	start := a.now()
	bar := a.progress("fork", int64(f.samples), thousands)
	defer bar.Close()
	f.models.onRetry = func(err error, wait time.Duration) {
		bar.notef("mars: %s; the next try is in %s", oneLine(err.Error()), wait.Round(100*time.Millisecond))
	}
	drain, release := a.draining()
	defer release()
	var (
		mu    sync.Mutex
		wg    sync.WaitGroup
		errs  []error
		slots = make(chan struct{}, f.concurrency)
	)
	for n := 1; n <= f.samples; n++ {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			run := w.origin.Fork(n)
			totals, err := f.one(ctx, w, st, t, run, drain)
			mu.Lock()
			defer mu.Unlock()
			report.add(totals)
			if err != nil && ctx.Err() == nil {
				errs = append(errs, err)
			}
			if totals.Failed > 0 {
				bar.notef("mars: %s failed", oneLine(run))
			}
			bar.Skip(int64(totals.Skipped))
			bar.Add(int64(totals.Done + totals.Failed))
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return report, err
	}
	report.Seconds = a.now().Sub(start).Round(time.Millisecond).Seconds()
	ctx = context.WithoutCancel(ctx) // what was made is told also where the rest was stopped
	for n := 1; n <= f.samples; n++ {
		made, err := st.Trajectory(ctx, w.origin.Fork(n))
		if errors.Is(err, store.ErrNoRun) {
			continue
		}
		if err != nil {
			return report, err
		}
		s := sibling{Run: made.Run.ID, Status: made.Run.Status, Cause: made.Run.Cause, Ranking: made.Run.Ranking}
		if d, ok := trajectories.Diff(t, made); ok && s.Status == trajectories.Done {
			s.Parts = d.ID
		}
		report.Forks = append(report.Forks, s)
	}
	return report, nil
}

// one makes one fork.
func (f forking) one(ctx context.Context, w *works, st *store.Store, t *trajectories.Trajectory, run string, drain <-chan struct{}) (orchestrator.Totals, error) {
	team, err := w.of(run)
	if err != nil {
		return orchestrator.Totals{}, err
	}
	entries := forkLedger{store: st, fork: run, origin: w.origin, from: t}
	return team.Batch(ctx, each([]tasks.Task{t.Run.Task}), entries, orchestrator.BatchConfig{Drain: drain})
}

// add sums up.
func (r *forkReport) add(t orchestrator.Totals) {
	r.Totals.Done += t.Done
	r.Totals.Failed += t.Failed
	r.Totals.Skipped += t.Skipped
	r.Totals.Interrupted += t.Interrupted
	r.Totals.Calls += t.Calls
	r.Totals.Usage.InputTokens += t.Usage.InputTokens
	r.Totals.Usage.OutputTokens += t.Usage.OutputTokens
	r.Totals.Usage.CachedTokens += t.Usage.CachedTokens
}

// forkLedger lets a batch of one write one fork to a run store.
type forkLedger struct {
	store  *store.Store
	fork   string
	origin *trajectories.Origin
	from   *trajectories.Trajectory
}

// Begin implements [orchestrator.Ledger].
func (l forkLedger) Begin(ctx context.Context, _ string, task tasks.Task) (orchestrator.Entry, error) {
	r, err := l.store.BeginAs(ctx, l.fork, task)
	if errors.Is(err, store.ErrDone) {
		return nil, orchestrator.ErrDone
	}
	if err != nil {
		return nil, err
	}
	known := trajectories.Fork(l.from, l.origin.At)
	return forkEntry{entry{r}, known, known.Log(r)}, nil
}

// forkEntry is a run whose first part is known from another, and of whose rest
// an earlier try may have recorded something.
type forkEntry struct {
	entry
	known *trajectories.Record
	log   message.Log
}

// Append implements [message.Log].
func (e forkEntry) Append(ctx context.Context, m message.Envelope) error { return e.log.Append(ctx, m) }

// Recall implements [agents.Record].
func (e forkEntry) Recall(id message.ID, digest string) (message.Envelope, bool, error) {
	fact, ok, err := e.known.Recall(id, digest)
	if ok || err != nil {
		return fact, ok, err
	}
	return e.entry.Recall(id, digest)
}

func writeForks(w io.Writer, r forkReport) {
	n := int64(len(r.Forks))
	fmt.Fprintf(w, "%s: %s forks of %s from %s on; of each, %s facts recalled; %s calls made now", r.Store, thousands(n), r.Origin.Run, r.Origin.At,
		thousands(int64(r.Recalled)), thousands(int64(r.Totals.Calls)))
	if in, out := r.Totals.Usage.InputTokens, r.Totals.Usage.OutputTokens; in+out > 0 {
		fmt.Fprintf(w, ", %s tokens in, %s out", thousands(int64(in)), thousands(int64(out)))
	}
	fmt.Fprintf(w, "; %.1f s\n", r.Seconds)
	for _, d := range r.Origin.Changed {
		fmt.Fprintf(w, "changed: %s\n", d)
	}
	for _, s := range r.Forks {
		switch {
		case s.Status != trajectories.Done:
			fmt.Fprintf(w, "%s  %s  %s\n", s.Run, s.Status, oneLine(s.Cause))
		case s.Parts == "":
			fmt.Fprintf(w, "%s  the same bytes\n", s.Run)
		default:
			fmt.Fprintf(w, "%s  parts at %s, first %s\n", s.Run, s.Parts, s.Ranking[0])
		}
	}
}
