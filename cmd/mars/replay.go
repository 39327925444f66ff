package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/trajectories"
	"github.com/mars-rec/mars/trajectories/store"
)

// replaying is what `mars replay` is asked for.
type replaying struct {
	path        string
	id          string // "": all that are done
	tools       bool
	data        string
	prompts     string
	concurrency int
}

// replayReport is what it came to.
type replayReport struct {
	Store    string     `json:"store"`
	Replayed int        `json:"replayed"`
	Messages int        `json:"messages"`
	NotDone  int        `json:"not_done"` // runs of the store that are not done, which have nothing to compare
	Diverged []diverged `json:"diverged"`
	Seconds  float64    `json:"seconds"`
}

// diverged is a run that did not go as recorded.
type diverged struct {
	Run string `json:"run"`
	trajectories.Divergence
}

func replayCommand(a *app) *cobra.Command {
	var r replaying
	c := &cobra.Command{
		Use:   "replay RUN.DB [ID]",
		Short: "Run trajectories again from their record and compare every byte",
		Long: strings.TrimSpace(`
Run the team again on each task that is done, with every answer of a model and of
a tool taken from the record, and compare all that is said with what was said
then, byte for byte. No model is asked. A prompt that has changed since, or an
agent, is named by the ID of the first message that differs. Exit code 3:
something differs.

With --tools, the tools are executed anew on the data: a result that differs is
named in the same way.`),
		Example: `  mars replay run.db
  mars replay run.db --tools
  mars replay run.db classic-42 --prompts prompts`,
		Args: between(1, "RUN.DB", "ID"),
		RunE: func(c *cobra.Command, args []string) error {
			r.path = args[0]
			if len(args) == 2 {
				r.id = args[1]
			}
			if r.concurrency < 1 {
				return usagef("--concurrency is %d: want 1 or more", r.concurrency)
			}
			return a.replay(c.Context(), r)
		},
	}
	f := c.Flags()
	f.BoolVar(&r.tools, "tools", false, "execute the tools anew, and compare their results")
	f.StringVar(&r.data, "data", "", "data set directory, if it is no longer where it was")
	f.StringVar(&r.prompts, "prompts", "", "folder with prompts that override those shipped, instead of the one of then")
	f.IntVar(&r.concurrency, "concurrency", runtime.GOMAXPROCS(0), "trajectories at work at once; by default one for each processor")
	return c
}

func (a *app) replay(ctx context.Context, r replaying) (err error) {
	batch()
	st, err := openStore(ctx, r.path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	then, err := setupOf(st)
	if err != nil {
		return err
	}
	data, err := then.open(r.data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, data.Close()) }()
	then.Prompts = cmp.Or(r.prompts, then.Prompts)
	works, err := then.assemble(ctx, data, func(string) (model.Model, error) { return silent, nil })
	if err != nil {
		return err
	}
	defer works.Close()
	if err := works.standAs(ctx, a, st); err != nil {
		return err
	}
	now := st.Manifest()
	now.Prompts, now.Data = works.prompts, works.dataDigest()
	for _, d := range st.Manifest().Differences(now) {
		a.notef("changed since: %s", d)
	}
	report, err := a.replayAll(ctx, r, st, works)
	if err != nil {
		return storeError(err)
	}
	if report.Replayed == 0 {
		return hinted(fmt.Errorf("%s has no run that is done", r.path), "mars synth goes on with it")
	}
	if err := a.print(report, func(w io.Writer) { writeReplay(w, report) }); err != nil {
		return err
	}
	if n := len(report.Diverged); n > 0 {
		return gatef("%s of %s trajectories differ from their record", thousands(int64(n)), thousands(int64(report.Replayed)))
	}
	a.next("mars score %s --gold gold.jsonl", r.path)
	return nil
}

// silent is in the place of every model: a replay asks none.
var silent = model.Func(func(context.Context, model.Request) (model.Reply, error) {
	return model.Reply{}, errors.New("a replay asks no model")
})

// replayAll replays the runs and puts together what differs, in the order of
// the tasks.
func (a *app) replayAll(ctx context.Context, r replaying, st *store.Store, w *works) (replayReport, error) {
	report := replayReport{Store: r.path, Diverged: []diverged{}}
	total := 1
	if r.id == "" {
		counts, err := st.Count(ctx)
		if err != nil {
			return report, err
		}
		total, report.NotDone = done(counts)
	}
	start := a.now()
	bar := a.progress("replay", int64(total), thousands)
	defer bar.Close()
	for p, err := range r.repeat(ctx, st, w) {
		if err != nil {
			return report, err
		}
		report.Replayed++
		report.Messages += p.messages
		if p.divergence != nil {
			report.Diverged = append(report.Diverged, diverged{p.run, *p.divergence})
		}
		bar.Add(1)
	}
	report.Seconds = a.now().Sub(start).Round(time.Millisecond).Seconds()
	return report, nil
}

// repeated is a run that was replayed.
type repeated struct {
	run        string
	messages   int
	divergence *trajectories.Divergence
}

// repeat replays the run that is named, or all that are done.
func (r replaying) repeat(ctx context.Context, st *store.Store, w *works) iter.Seq2[repeated, error] {
	again := func(ctx context.Context, t *trajectories.Trajectory) (repeated, error) {
		record := trajectories.Replay(t)
		if r.tools {
			record = trajectories.ReplayTools(t)
		}
		if w.origin != nil {
			record = record.From(w.origin.At)
		}
		d, err := record.Repeat(ctx, func(ctx context.Context, log message.Log) ([]string, error) {
			result, err := w.again(ctx, t.Run, log, record)
			return result.Ranking, err
		})
		return repeated{t.Run.ID, len(t.Log), d}, err
	}
	if r.id == "" {
		return store.Walk(ctx, st, r.concurrency, again)
	}
	return func(yield func(repeated, error) bool) {
		t, err := st.Trajectory(ctx, r.id)
		if err == nil && t.Run.Status != trajectories.Done {
			err = fmt.Errorf("run %s is %s: only a run that is done can be replayed", r.id, t.Run.Status)
		}
		var p repeated
		if err == nil {
			p, err = again(ctx, t)
		}
		yield(p, err)
	}
}

// done splits the number of runs into those that are done and the others.
func done(counts map[trajectories.Status]int) (done, others int) {
	for status, n := range counts {
		if status == trajectories.Done {
			done += n
		} else {
			others += n
		}
	}
	return done, others
}

func writeReplay(w io.Writer, r replayReport) {
	const most = 20
	for i, d := range r.Diverged {
		if i == most {
			fmt.Fprintf(w, "… %s more that differ; --json names all\n", thousands(int64(len(r.Diverged)-most)))
			break
		}
		fmt.Fprintf(w, "%s: %s\n", oneLine(d.Run), oneLine(d.What))
	}
	same := r.Replayed - len(r.Diverged)
	fmt.Fprintf(w, "%s: %s of %s trajectories are the same, byte for byte", r.Store, thousands(int64(same)), thousands(int64(r.Replayed)))
	fmt.Fprintf(w, " (%s messages, %.1f s", thousands(int64(r.Messages)), r.Seconds)
	if r.Seconds > 0 {
		fmt.Fprintf(w, ", %s a second", thousands(int64(float64(r.Replayed)/r.Seconds)))
	}
	fmt.Fprintln(w, ")")
	if r.NotDone > 0 {
		fmt.Fprintf(w, "%s runs are not done: there is nothing to compare\n", thousands(int64(r.NotDone)))
	}
}
