package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mars-rec/mars/eval/audit"
	"github.com/mars-rec/mars/internal/atomicfile"
	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/orchestrator"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tasks/datasets"
	"github.com/mars-rec/mars/tools/stored"
	"github.com/mars-rec/mars/trajectories"
	"github.com/mars-rec/mars/trajectories/export"
)

// auditing is what `mars audit` is asked for.
type auditing struct {
	path    string
	kind    string // what the path is: tasks, runs or export
	data    string
	gold    string
	runs    string
	against []string
	split   string
	pages   []string
	cfg     audit.Config
}

func auditCommand(a *app) *cobra.Command {
	var w auditing
	c := &cobra.Command{
		Use:   "audit TASKS|RUN.DB|EXPORT",
		Short: "Look for leaks in tasks, runs and exports",
		Long: strings.TrimSpace(`
Look for anything that was seen and could not have been known, and for anything
that tells which candidate is right. What is audited is a task file, a run store
or the directory of an export.

  tasks    that they are what their recipe makes, to the byte; candidates that
           nobody had yet, that the user has already, or of the same title; lists
           that are not shuffled; broken texts
  runs     that every message is what is derived from the interactions before the
           moment of its task: each run is made again, with the recorded replies,
           on a data set that ends there; right items that are told of beside the
           candidates, or marked; position bias; and the tasks, as above
  exports  that every row is what its run gives (--runs); right items, forged
           tags, chat-template tokens; splits that share users or tasks

--against names other task files, run stores or exports, which must share no user
and no task with what is audited; with --split time a user may be on both sides
at moments that lie apart. Each finding names case, place and bytes. Exit code 3:
a finding is an error. docs/audit.md says what is proven, and what is not.`),
		Example: `  mars audit tasks.jsonl --data data/ml --gold gold.jsonl
  mars audit run.db --gold gold.jsonl --page audit.md --page audit.html
  mars audit sft --runs run.db --gold gold.jsonl --against test-tasks.jsonl`,
		Args: exactly("TASKS|RUN.DB|EXPORT"),
		RunE: func(c *cobra.Command, args []string) error {
			w.path = args[0]
			if w.split != "user" && w.split != "time" {
				return usagef("--split is %q: want user or time", w.split)
			}
			if w.cfg.Concurrency < 1 || w.cfg.Derive < 0 || w.cfg.Most < 1 {
				return usagef("--concurrency and --findings must be 1 or more, --derive 0 or more")
			}
			for _, page := range w.pages {
				if ext := filepath.Ext(page); ext != ".md" && ext != ".html" {
					return usagef("--page is %q: want a name that ends in .md or .html", page)
				}
			}
			return a.audit(c.Context(), w)
		},
	}
	f := c.Flags()
	f.StringVar(&w.data, "data", "", "data set directory; of runs, if it is no longer where it was")
	f.StringVar(&w.gold, "gold", "", "what the users really took, made by mars tasks")
	f.StringVar(&w.runs, "runs", "", "of an export: the run store that it was made of")
	f.StringArrayVar(&w.against, "against", nil, "the other side of a split: a task file, a run store or an export; may be given again")
	f.StringVar(&w.split, "split", "user", "what keeps the sides apart: user or time")
	f.StringArrayVar(&w.pages, "page", nil, "write a page for an appendix: a name that ends in .md or .html; may be given again")
	f.IntVar(&w.cfg.Derive, "derive", 0, "make only so many runs again, spread over the moments; 0: all")
	f.IntVar(&w.cfg.Most, "findings", audit.DefaultMost, "findings of each check that are told; the rest is counted")
	f.IntVar(&w.cfg.Concurrency, "concurrency", runtime.GOMAXPROCS(0), "runs at work at once; by default one for each processor")
	return c
}

func (a *app) audit(ctx context.Context, w auditing) (err error) {
	if w.kind, err = kindOf(w.path); err != nil {
		return hinted(err, "mars tasks, mars synth and mars export make what can be audited")
	}
	if w.gold != "" {
		if w.cfg.Gold, err = readGold(w.gold); err != nil {
			return err
		}
	}
	w.cfg.ByTime = w.split == "time"
	for _, path := range w.against {
		side, err := splitSide(ctx, path)
		if err != nil {
			return err
		}
		w.cfg.Against = append(w.cfg.Against, side)
	}
	bar := a.progress("audit", 0, thousands)
	defer bar.Close()
	last := 0
	w.cfg.Progress = func(done, total int) {
		if last == 0 {
			bar.Total(int64(total))
		}
		bar.Add(int64(done - last))
		last = done
	}
	report, err := a.auditOf(ctx, w)
	bar.Close()
	if err != nil {
		return storeError(err)
	}
	for _, page := range w.pages {
		write := report.Markdown
		if filepath.Ext(page) == ".html" {
			write = report.HTML
		}
		if err := atomicfile.Write(page, write); err != nil {
			return err
		}
	}
	if err := a.print(report, func(w io.Writer) { writeAudit(w, report) }); err != nil {
		return err
	}
	if !report.Pass {
		return hinted(gatef("%s", strings.TrimSuffix(report.Verdict(), ".")), "docs/audit.md says what each check looks for")
	}
	return nil
}

// auditOf audits what the path is.
func (a *app) auditOf(ctx context.Context, w auditing) (*audit.Report, error) {
	switch w.kind {
	case "tasks":
		return a.auditTasks(ctx, w)
	case "runs":
		return a.auditRuns(ctx, w)
	}
	return a.auditExport(ctx, w)
}

// kindOf tells tasks, runs and exports apart.
func kindOf(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if info.IsDir() {
		return "export", nil
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	magic := make([]byte, len(sqliteMagic))
	if _, err := io.ReadFull(f, magic); err == nil && string(magic) == sqliteMagic {
		return "runs", nil
	}
	return "tasks", nil
}

// sqliteMagic begins every SQLite file.
const sqliteMagic = "SQLite format 3\x00"

// splitSide reads who is in a task file, a run store or an export.
func splitSide(ctx context.Context, path string) (side audit.Side, err error) {
	side.Name = path
	kind, err := kindOf(path)
	if err != nil {
		return side, err
	}
	switch kind {
	case "tasks":
		list, err := readTasks(path)
		for _, t := range list {
			side.Add(t)
		}
		return side, err
	case "runs":
		st, err := openStore(ctx, path)
		if err != nil {
			return side, err
		}
		defer func() { err = errors.Join(err, st.Close()) }()
		for run, err := range st.Runs(ctx) {
			if err != nil {
				return side, err
			}
			side.Add(run.Task)
		}
		return side, nil
	}
	return audit.ExportSide(ctx, path)
}

// with gives the data set to the audit.
func (w *auditing) with(d *datasets.Dataset) {
	w.cfg.Data, w.cfg.Fingerprint, w.cfg.Verify = d, d.Manifest().Fingerprint(), d.Verify
}

func (a *app) auditTasks(ctx context.Context, w auditing) (report *audit.Report, err error) {
	if w.data != "" {
		d, err := openData(w.data)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, d.Close()) }()
		w.with(d)
	}
	return audit.Tasks(ctx, w.path, w.cfg)
}

func (a *app) auditRuns(ctx context.Context, w auditing) (report *audit.Report, err error) {
	st, err := openStore(ctx, w.path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	then, err := setupOf(st)
	if err != nil {
		return nil, err
	}
	data, err := then.open(w.data)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, data.Close()) }()
	w.with(data)
	works, err := then.assemble(ctx, data, func(string) (model.Model, error) { return silent, nil })
	if err != nil {
		return nil, err
	}
	defer works.Close()
	if err := works.standAs(ctx, a, st); err != nil {
		return nil, err
	}
	return audit.Runs(ctx, st, works.on, w.cfg)
}

// on answers recorded runs again on the data of another source. Evidence that
// was stored is not taken at its word: the tools answer as of its moment, unless
// a model has written the sentences anew.
func (w *works) on(ctx context.Context, t *trajectories.Trajectory, source tasks.Source, log message.Log, record audit.Record) ([]string, error) {
	there := *w
	there.cfg.Source = source
	if w.stored != nil {
		named := toolbox(w.data.Manifest().Recipe.Format)
		if header := w.stored.Header(); header.Rewritten == "" {
			there.cfg.Tools = stored.Frozen(named, header.AsOf, source)
		} else {
			there.cfg.Tools = stored.Wrap(named, w.stored, source)
		}
	}
	var err error
	if there.Orchestrator, err = orchestrator.New(there.cfg); err != nil {
		return nil, err
	}
	result, err := there.again(ctx, t.Run, log, record)
	return result.Ranking, err
}

func (a *app) auditExport(ctx context.Context, w auditing) (report *audit.Report, err error) {
	if w.runs == "" {
		return audit.Export(ctx, w.path, nil, w.cfg)
	}
	if w.gold == "" {
		return nil, usagef("--gold is missing: with --runs, rows are made again, which takes what the users really took")
	}
	st, err := openStore(ctx, w.runs)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	then, err := setupOf(st)
	if err != nil {
		return nil, err
	}
	source := audit.Source{Store: st, Exporter: func(consumer string, as export.Format, linear trajectories.Linear) (export.Exporter, error) {
		specs, err := linear.Detail.Specs(toolSpecs(then.Team))
		if err != nil {
			return nil, err
		}
		return export.New(consumer, export.Config{Tools: specs, Linear: linear, As: as})
	}}
	return audit.Export(ctx, w.path, &source, w.cfg)
}

func writeAudit(w io.Writer, r *audit.Report) {
	const most = 20
	told := 0
	for _, f := range r.Findings {
		if told++; told > most {
			break
		}
		fmt.Fprintln(w, oneLine(f.String()))
	}
	if left := r.Errors() + r.Warnings() - min(most, len(r.Findings)); left > 0 {
		fmt.Fprintf(w, "… %s more; --json and --page tell more of them\n", thousands(int64(left)))
	}
	for _, c := range r.Checks {
		fmt.Fprintf(w, "  %-11s %-12s %s\n", c.Name, c.Outcome(), oneLine(c.Detail()))
	}
	fmt.Fprintln(w, oneLine(r.Verdict()))
}
