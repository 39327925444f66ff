package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mars-rec/mars/star/pipeline"
	"github.com/mars-rec/mars/star/trainer"
)

// pipelineFlags are what `mars pipeline` is told.
type pipelineFlags struct {
	config     string
	from, only string
	dryRun     bool
}

// staged is what became of a stage, with what its commands printed.
type staged struct {
	pipeline.Outcome
	Seconds float64           `json:"seconds,omitempty"`
	Said    []json.RawMessage `json:"said,omitempty"`
}

func pipelineCommand(a *app) *cobra.Command {
	var f pipelineFlags
	c := &cobra.Command{
		Use:   "pipeline CONFIG.YAML",
		Short: "The whole loop: data, teacher, student, results; what has not changed is skipped",
		Long: strings.TrimSpace(`
Do the whole job that a YAML file describes, from a log to a measured student:

  import   the log becomes a data set
  fit      how the rule-based teacher weighs evidence, on what was before the tasks
  tasks    tasks to train on, and later ones for the test
  synth    the teacher works on the tasks to train on
  select   its good runs
  export   rows for TRL
  sft      a student is trained on them; needs Python
  grpo     and goes on in the environment; needs Python
  serve    it is served, and asked about the test tasks
  hybrid   it plans for the teacher's team, if that is asked for
  teacher  the teacher is asked, too
  eval     all are measured beside the classical rankers
  audit    runs and rows are searched for leaks

Each stage is a few mars commands, which are shown. It is skipped when commands,
files that it reads (by their content) and what it left are what they were. So the
same command goes on where it stopped, also after a kill; a setting that changes
makes again what depends on it; and run stores and checkpoints of other settings
are set aside, and come back with them.

The shortest configuration is one line, "source: LOG". examples/pipeline/all.yaml
has all keys. Paths are as seen from the file's folder.`),
		Example: `  mars pipeline ml.yaml --dry-run
  mars pipeline ml.yaml
  mars pipeline ml.yaml --only eval`,
		Args: exactly("CONFIG.YAML"),
		RunE: func(c *cobra.Command, args []string) error {
			if f.from != "" && f.only != "" {
				return usagef("--from and --only are two ways to leave stages as they are: give one")
			}
			f.config = args[0]
			return a.pipeline(c.Context(), f)
		},
	}
	c.Flags().StringVar(&f.from, "from", "", "leave the stages before this one as they are, also where something has changed")
	c.Flags().StringVar(&f.only, "only", "", "leave all stages but this one as they are")
	c.Flags().BoolVar(&f.dryRun, "dry-run", false, "say which stages would run, and why")
	return c
}

// pipeline is the command.
func (a *app) pipeline(ctx context.Context, f pipelineFlags) error {
	settings, err := pipeline.Read(f.config)
	if errors.Is(err, fs.ErrNotExist) {
		return hinted(err, "the shortest has one line, source: LOG; see mars pipeline --help")
	}
	if err != nil {
		return hinted(usagef("%w", err), "examples/pipeline/all.yaml has all keys")
	}
	home := filepath.Dir(f.config)
	cfg := pipeline.Config{Dir: settings.Out, Home: home, From: f.from, Only: f.only, Dry: f.dryRun, Digest: digestRuns}
	if !filepath.IsAbs(cfg.Dir) {
		cfg.Dir = filepath.Join(home, cfg.Dir)
	}
	place := placeFlags{python: settings.Train.Told.Python, index: settings.Train.Told.TorchIndex, gpu: settings.Train.Told.GPU}
	without, err := a.student(ctx, f, settings, place)
	if err != nil {
		return err
	}
	lean, err := fs.ReadFile(trainer.Files(), pipeline.LeanTeam)
	if err != nil {
		return err
	}
	cfg.Files = map[string][]byte{pipeline.LeanTeam: lean}
	stages := settings.Stages(without)
	w := &pipelineWork{app: a, place: place, stages: len(stages)}
	cfg.Do, cfg.Hear = w.do, w.hear
	outcomes, err := pipeline.Run(ctx, stages, cfg)
	var failed *pipeline.StageError
	switch {
	case errors.As(err, &failed):
		return pipelineHint(err, failed, f)
	case errors.Is(err, pipeline.ErrForeign):
		return hinted(err, "name another folder with out in %s", f.config)
	case errors.Is(err, pipeline.ErrBusy):
		return hinted(err, "wait until it is done; the same command goes on from there")
	case err != nil:
		return usagef("%w", err)
	}
	if a.json || f.dryRun {
		return w.err
	}
	count := map[pipeline.Status]int{}
	for _, o := range outcomes {
		count[o.Status]++
	}
	a.notef("\n%s: of the stages %d ran and %d had nothing to do", cfg.Dir, count[pipeline.Ran], count[pipeline.Skipped]+count[pipeline.Back])
	a.next("mars inspect %s, and read %s", filepath.Join(cfg.Dir, pipeline.Synth, "run.db"), filepath.Join(cfg.Dir, pipeline.Evaluate, "results", "tables.md"))
	return w.err
}

// pipelineHint says how to go on after a stage that failed.
func pipelineHint(err error, failed *pipeline.StageError, f pipelineFlags) error {
	onward := fmt.Sprintf("mars pipeline %s goes on from %s", f.config, failed.Stage)
	if errors.Is(err, pipeline.ErrInput) && (f.from != "" || f.only != "") {
		onward = fmt.Sprintf("mars pipeline %s without --from and --only makes it", f.config)
	}
	var inner *fault
	if errors.As(err, &inner) && inner.hint != "" {
		onward = inner.hint + "; then " + onward
	}
	return hinted(err, "%s", onward)
}

// digestRuns tells what was said in a run store. Scores that were added, times
// and retries are other bytes, and nothing else than was said.
func digestRuns(ctx context.Context, path string) (digest string, ok bool, err error) {
	if filepath.Ext(path) != ".db" || filepath.Base(path) == "catalog.db" {
		return "", false, nil
	}
	st, err := openStore(ctx, path)
	if err != nil {
		return "", false, nil // no run store: its bytes tell what it is
	}
	lines := []string{}
	for r, err := range st.Runs(ctx) {
		if err != nil {
			return "", false, errors.Join(storeError(err), st.Close())
		}
		lines = append(lines, fmt.Sprintf("%q %s %s", r.ID, r.Status, r.Seal))
	}
	return fmt.Sprintf("%x", sha256.Sum256([]byte(strings.Join(lines, "\n")))), true, st.Close()
}

// writeStage tells a person what became of a stage.
func writeStage(w io.Writer, number, of int, s staged) {
	fmt.Fprintf(w, "[%d/%d] %s %s", number, of, s.Stage, s.Status)
	if s.Why != "" {
		fmt.Fprintf(w, ": %s", s.Why)
	}
	if s.Seconds > 0 {
		fmt.Fprintf(w, " (%.1f s)", s.Seconds)
	}
	fmt.Fprintln(w)
}
