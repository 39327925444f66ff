package filter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"

	"github.com/mars-rec/mars/internal/atomicfile"
	"github.com/mars-rec/mars/tasks"
)

// The files of a selection directory.
const (
	AcceptedFile = "accepted.jsonl" // a line for each [Accepted] run
	RejectedFile = "rejected.jsonl" // a line for each [Rejected] run
	MoreFile     = "more.jsonl"     // tasks of which more runs are asked for; not there if there are none
	SummaryFile  = "selection.json" // a [Summary]
)

// Accepted is a run that all filters have kept. Store is the file's name; ID and
// seal say which run it is, wherever it is kept.
type Accepted struct {
	Store  string  `json:"store"`
	Run    string  `json:"run"`
	Task   string  `json:"task"`
	User   string  `json:"user"`
	Seal   string  `json:"seal"`
	Reward float64 `json:"reward"`
	// Class and Outcome are the task's difficulty, where it is known.
	Class   Class    `json:"difficulty,omitempty"`
	Outcome *float64 `json:"mean_outcome,omitempty"`
}

// Rejected is a run that a filter has dropped, and why.
type Rejected struct {
	Store  string `json:"store"`
	Run    string `json:"run"`
	Task   string `json:"task"`
	Filter string `json:"filter"`
	Reason string `json:"reason"`
	Detail string `json:"detail,omitempty"`
}

// Summary says how a selection came about, and what it came to.
type Summary struct {
	Stores   []string `json:"stores"`             // file names
	Outcomes []string `json:"outcomes,omitempty"` // of the stores whose runs tell the difficulty
	Gold     string   `json:"gold"`               // hash of the gold file
	Scorer   string   `json:"scorer"`             // what the rewards are by
	Policy   Policy   `json:"policy"`
	Tasks    int      `json:"tasks"`
	Runs     int      `json:"runs"`
	Accepted int      `json:"accepted"`
	Rejected int      `json:"rejected"`
	More     int      `json:"more"` // tasks of which more runs are asked for
	Filters  []Count  `json:"filters"`
	Mix      *Drawn   `json:"mix,omitempty"`
}

// Write sifts the groups and writes what came of it into a directory, which it
// makes: each file whole or not at all, the summary last. An earlier selection is
// replaced when all groups have been sifted; other files of those names are an
// error. Of the summary, the
// first five fields are given, the rest is filled in.
func (s Summary) Write(ctx context.Context, dir string, cfg Config, groups iter.Seq2[Load, error]) (_ Summary, err error) {
	sieve, drawn, err := s.Policy.Sieve(ctx, cfg, groups)
	if err != nil {
		return s, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return s, fmt.Errorf("selection: %w", err)
	}
	if err := vacant(dir); err != nil {
		return s, err
	}
	files := map[string]*lines{}
	defer func() {
		for _, f := range files {
			f.file.Abort() //nolint:errcheck // the first error is the one to tell
		}
	}()
	for _, name := range []string{AcceptedFile, RejectedFile, MoreFile} {
		f, err := atomicfile.Create(filepath.Join(dir, name))
		if err != nil {
			return s, fmt.Errorf("selection: %w", err)
		}
		files[name] = &lines{file: f}
	}
	accepted, rejected, more := files[AcceptedFile], files[RejectedFile], files[MoreFile]
	for g, err := range sieve.Each(ctx, groups) {
		if err != nil {
			return s, err
		}
		s.Tasks++
		if g.Wanting() {
			s.More++
			more.put(tasks.Write(more.file, g.Task))
		}
		for i, v := range g.Verdicts {
			run := g.Runs[i]
			s.Runs++
			if v.Filter != "" {
				rejected.line(Rejected{run.Store, run.Run.ID, run.Run.Task.ID, v.Filter, v.Reason, v.Detail})
				continue
			}
			score, err := run.Score(ctx, s.Policy.Scorer(), g.Gold)
			if err != nil {
				return s, err
			}
			a := Accepted{Store: run.Store, Run: run.Run.ID, Task: run.Run.Task.ID, User: run.Run.Task.User, Seal: run.Run.Seal, Reward: score.Value}
			if cfg.Outcomes != nil {
				if class, mean := cfg.Outcomes.Class(a.Task); class != "" {
					a.Class, a.Outcome = class, &mean
				}
			}
			accepted.line(a)
		}
	}
	s.Accepted, s.Rejected = accepted.n, rejected.n
	s.Scorer, s.Filters, s.Mix = s.Policy.Scorer().String(), sieve.Counts(), drawn
	for _, name := range []string{SummaryFile, MoreFile} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return s, fmt.Errorf("selection: %w", err)
		}
	}
	for _, name := range []string{AcceptedFile, RejectedFile, MoreFile} {
		if name == MoreFile && s.More == 0 {
			continue // an empty file would not be a list of tasks
		}
		if err := files[name].commit(); err != nil {
			return s, fmt.Errorf("selection: %s: %w", name, err)
		}
	}
	err = atomicfile.Write(filepath.Join(dir, SummaryFile), func(w io.Writer) error {
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		return enc.Encode(s)
	})
	if err != nil {
		return s, fmt.Errorf("selection: %w", err)
	}
	return s, nil
}

// vacant reports a file in the way of a selection that is of none: one without the
// summary beside it.
func vacant(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, SummaryFile)); err == nil {
		return nil
	}
	for _, name := range []string{AcceptedFile, RejectedFile, MoreFile} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return fmt.Errorf("selection: %s is there and of no whole selection: choose another folder, or remove it", filepath.Join(dir, name))
		}
	}
	return nil
}

// lines writes JSON lines; the first error is told at the end.
type lines struct {
	file *atomicfile.File
	n    int
	err  error
}

func (l *lines) line(v any) {
	l.n++
	l.put(tasks.WriteLine(l.file, v))
}

func (l *lines) put(err error) {
	if l.err == nil {
		l.err = err
	}
}

func (l *lines) commit() error {
	if l.err != nil {
		return l.err
	}
	return l.file.Commit()
}
