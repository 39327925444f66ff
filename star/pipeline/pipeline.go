// Package pipeline runs the whole loop, from a log to a measured student, as
// stages, each only when it must.
//
//	source ─> import ─> fit ─> tasks ─> synth ─> select ─> export ─> sft ─> grpo ─┐
//	                              │                                               v
//	                              └──────────────> teacher ─> eval <─ serve, hybrid (test tasks)
//
// A [Stage] is a few command lines, the files that they read, and the files that
// they leave in the stage's folder. A record says of each stage what it was last
// made from and what came out, by content:
//
//	{"stages": {"fit": {
//	   "commands": [["fit","--data","$out/import/data","--before","q60", ...]],
//	   "inputs":   {"$out/import/data": "sha256 ..."},
//	   "outputs":  {"weights.json": "sha256 ..."}}}}
//
// A stage is skipped where all three hold. So a setting that changes, a source
// that changes or a file that is gone make again what depends on them and nothing
// else; and where what is made again comes out the same, what follows is skipped.
// The record is put in place whole, before a stage begins and after it ended, so
// that a pipeline may be killed at any moment: the next call finds the stage that
// had begun. What is dear, run stores and checkpoints, is gone on with; and where
// it is of other settings, it is set aside, and comes back with them.
package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gofrs/flock"

	"github.com/mars-rec/mars/internal/atomicfile"
)

// Prefixes of files in the command lines and inputs of stages. What a stage was
// made from does not depend on where the folders are.
const (
	Out  = "$out/"    // the pipeline's folder
	Home = "$config/" // the folder of the configuration
)

// Command is a command line of mars.
type Command struct {
	Args []string
	// Aside are arguments that do not change what comes out: addresses, keys,
	// how much is done at once.
	Aside []string
}

// Stage is a step of the pipeline. Its folder is its name, under [Out].
type Stage struct {
	Name     string
	Commands []Command
	Inputs   []string // files and folders that it reads, besides those of Outputs
	Outputs  []string // what counts of the files and folders in its folder
	// Serves is the checkpoint that a model server must hold while the commands
	// run; "": none.
	Serves  string
	Ranking string // how that server reads a ranking; "": there is none
	// Resumes says that an interrupted stage goes on with what is in its folder,
	// and that what is there is set aside, not removed, when other settings ask
	// for something else.
	Resumes bool
	// Lasts says that the commands mend what they find: a folder that was changed
	// after it was made is gone on with, not emptied.
	Lasts  bool
	Python bool   // it needs the trainer's environment
	Off    string // why there is no such stage here; "": there is
}

// Job is a stage that must run now.
type Job struct {
	Stage
	Folder  string     // of the stage
	Lines   [][]string // its command lines, with files as they are called here
	Serving string     // Serves, likewise
	Resumed bool       // it was interrupted, and what it left is in the folder
}

// Status is what became of a stage.
type Status string

// What becomes of a stage.
const (
	Begins  Status = "begins" // told while the pipeline runs, never an outcome
	Ran     Status = "ran"
	Skipped Status = "skipped" // nothing has changed
	Back    Status = "back"    // it was set aside, and is wanted again
	Left    Status = "left"    // it was not asked for
	Absent  Status = "off"     // the configuration has no such stage
	Would   Status = "would run"
	Depends Status = "depends" // on what a stage before it comes to
)

// Outcome is a stage and what became of it, and why.
type Outcome struct {
	Stage  string `json:"stage"`
	Status Status `json:"status"`
	Why    string `json:"why,omitempty"`
}

// Config says how a pipeline is run.
type Config struct {
	Dir  string // the pipeline's folder; made if it is not there
	Home string // folder of the configuration
	// Files are put in the pipeline's folder before anything runs, by name.
	Files map[string][]byte
	// Do runs a stage.
	Do func(context.Context, Job) error
	// Digest, if not nil, tells what is in a file; false leaves it to SHA-256 of
	// its bytes.
	Digest func(ctx context.Context, path string) (digest string, ok bool, err error)
	// Hear, if not nil, hears of each stage: before it runs ([Begins]), and its outcome.
	Hear func(Outcome)
	From string // leave the stages before this one as they are
	Only string // leave all stages but this one as they are
	Dry  bool   // say what would be done, and do nothing
}

// ErrForeign says that a folder holds something else than a pipeline's work.
var ErrForeign = errors.New("the folder was not made by a pipeline")

// ErrBusy says that another process runs the pipeline.
var ErrBusy = errors.New("another process runs this pipeline")

// ErrInput says that a file is not there that a stage reads.
var ErrInput = errors.New("is not there")

// StageError is an error of one stage.
type StageError struct {
	Stage string
	Err   error
}

func (e *StageError) Error() string { return e.Stage + ": " + e.Err.Error() }
func (e *StageError) Unwrap() error { return e.Err }

// Run brings the stages up to date, in order, and says what became of each. It
// stops at the first that fails, with a [*StageError]; the same call goes on
// there.
func Run(ctx context.Context, stages []Stage, cfg Config) ([]Outcome, error) {
	for _, name := range []string{cfg.From, cfg.Only} {
		if name != "" && !slices.ContainsFunc(stages, func(s Stage) bool { return s.Name == name }) {
			return nil, fmt.Errorf("pipeline: there is no stage %q: there are %s", name, strings.Join(names(stages), ", "))
		}
	}
	if !cfg.Dry {
		if err := claim(cfg.Dir); err != nil {
			return nil, err
		}
		held := flock.New(filepath.Join(cfg.Dir, lockFile))
		if ok, err := held.TryLock(); err != nil {
			return nil, fmt.Errorf("pipeline: %w", err)
		} else if !ok {
			return nil, fmt.Errorf("pipeline: %s: %w", cfg.Dir, ErrBusy)
		}
		defer held.Unlock() //nolint:errcheck // the system drops it with the process
		for _, name := range slices.Sorted(maps.Keys(cfg.Files)) {
			err := atomicfile.Write(filepath.Join(cfg.Dir, name), func(w io.Writer) error { _, err := w.Write(cfg.Files[name]); return err })
			if err != nil {
				return nil, fmt.Errorf("pipeline: %w", err)
			}
		}
	}
	r := runner{Config: cfg, stages: stages, started: cfg.From == ""}
	var err error
	if r.state, err = load(cfg.Dir); err != nil {
		return nil, err
	}
	var all []Outcome
	for _, s := range stages {
		o, err := r.stage(ctx, s)
		if err != nil {
			return all, &StageError{s.Name, err}
		}
		if cfg.Hear != nil {
			cfg.Hear(o)
		}
		all = append(all, o)
	}
	return all, nil
}

func names(stages []Stage) []string {
	var out []string
	for _, s := range stages {
		out = append(out, s.Name)
	}
	return out
}

// claim makes the folder, or sees that it is a pipeline's.
func claim(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("pipeline: %w", err)
	}
	if len(entries) > 0 && !slices.ContainsFunc(entries, func(e os.DirEntry) bool { return e.Name() == lockFile }) {
		return fmt.Errorf("pipeline: %s: %w", dir, ErrForeign)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("pipeline: %w", err)
	}
	return nil
}
