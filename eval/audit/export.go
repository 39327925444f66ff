package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tasks/gold"
	"github.com/mars-rec/mars/trajectories"
	"github.com/mars-rec/mars/trajectories/export"
)

// Source is what an export was made of.
type Source struct {
	Store Store
	// Exporter makes the exporter of a consumer that tells runs as linear says.
	Exporter func(consumer string, as export.Format, linear trajectories.Linear) (export.Exporter, error)
}

// Export audits the directory of an export. Source may be nil: then rows are not
// compared with the runs that they are of. An error is that of reading or of
// ctx; what is wrong with the rows is a finding.
func Export(ctx context.Context, dir string, source *Source, cfg Config) (*Report, error) {
	m, err := readManifest(dir)
	if err != nil {
		return nil, err
	}
	e := &exported{cfg: cfg, dir: dir, m: m, b: cfg.open(dir, "export", checkFiles, checkRows, checkGold, checkMarks, checkText, checkOverlap),
		apart: separate{against: cfg.Against, byTime: cfg.ByTime}, splits: map[string]*Side{}}
	if e.opening, err = newOpening(m.Detail); err != nil {
		return nil, err
	}
	if source != nil {
		if e.remade, err = newRemade(ctx, *source, m, cfg.Gold); err != nil {
			return nil, err
		}
	}
	e.b.fact("consumer", m.For)
	total := 0
	for _, f := range m.Files {
		total += f.Rows
	}
	for _, f := range m.Files {
		if err := e.file(ctx, f, total); err != nil {
			return nil, err
		}
	}
	if err := e.strays(); err != nil {
		return nil, err
	}
	e.close()
	return e.b.close(), nil
}

// ExportSide reads who is in an export: users and tasks, as far as rows tell.
func ExportSide(ctx context.Context, dir string) (Side, error) {
	side := Side{Name: dir}
	m, err := readManifest(dir)
	if err != nil {
		return side, err
	}
	form, err := newOpening(m.Detail)
	if err != nil {
		return side, err
	}
	for _, f := range m.Files {
		for r, err := range readRows(filepath.Join(dir, f.Name), m.As) {
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				return side, err
			}
			id, user, at := form.who(r)
			side.add(id, user, at)
		}
	}
	return side, nil
}

// who tells of which task a row is, of whom, and as of when.
func (o opening) who(r row) (task, user string, at time.Time) {
	run, task := r.ids()
	if task == "" {
		task = run // a run is called like its task, unless there are several of it
	}
	user = r.user()
	for _, t := range r.texts() {
		if named, when, ok := o.read(t.text); ok {
			at = when
			if user == "" {
				user = named
			}
			break
		}
	}
	return task, user, at
}

// exported is an export that is being read.
type exported struct {
	cfg     Config
	dir     string
	m       manifest
	b       *book
	opening opening
	remade  *remade // nil without a source
	apart   separate
	splits  map[string]*Side
	marks   marks
	rows    int
	solved  int
	told    int64
}

// file reads one file of rows.
func (e *exported) file(ctx context.Context, f rowsFile, total int) error {
	path := filepath.Join(e.dir, f.Name)
	hash, err := hashFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		e.b.add(Finding{Check: checkFiles, Severity: Error, Place: Place{File: f.Name}, What: "the manifest names the file, and it is not there"})
		return nil
	}
	if err != nil {
		return err
	}
	if hash != f.SHA256 {
		e.b.add(Finding{Check: checkFiles, Severity: Error, Place: Place{File: f.Name}, Bytes: hash, Want: f.SHA256, What: "the file was changed after it was written: its hash is not that of the manifest"})
	}
	if e.splits[f.Split] == nil {
		e.splits[f.Split] = &Side{Name: "split " + f.Split}
	}
	n := 0
	for r, err := range readRows(path, e.m.As) {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = e.row(ctx, f, r)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		n++
		e.rows++
		e.cfg.tell(e.rows, max(total, e.rows))
	}
	if n != f.Rows {
		e.b.add(Finding{Check: checkFiles, Severity: Error, Place: Place{File: f.Name}, What: fmt.Sprintf("the file has %d rows, the manifest tells of %d", n, f.Rows)})
	}
	return nil
}

// row looks at one row.
func (e *exported) row(ctx context.Context, f rowsFile, r row) error {
	place := Place{File: f.Name, Row: r.n}
	if r.values == nil {
		e.b.add(Finding{Check: checkRows, Severity: Error, Place: place, Bytes: excerpt(r.text, 0), What: "is no JSON object"})
		return nil
	}
	id, user, at := e.opening.who(r)
	task := tasks.Task{ID: id, User: user, AsOf: at, Candidates: r.candidates()}
	if e.remade != nil {
		run, err := e.remade.compare(ctx, e.b, r, place)
		if err != nil {
			return err
		}
		if run != nil {
			task = run.Task
			if order := r.candidates(); len(order) == len(task.Candidates) {
				task.Candidates = order // the row's own, where it is a permutation
			}
			e.filters(place, *run)
		}
	}
	for _, other := range e.m.splitsBut(f.Split) {
		if side := e.splits[other]; side != nil {
			one := separate{against: []Side{*side}, byTime: e.cfg.ByTime, told: e.apart.told}
			one.add(e.b, task.ID, task.User, task.AsOf, place)
			e.apart.told = one.told
		}
	}
	e.splits[f.Split].Add(task)
	e.apart.add(e.b, task.ID, task.User, task.AsOf, place)
	all := r.texts()
	c := gold.Case{Task: task, Gold: e.cfg.Gold[task.ID]}
	for i := range all {
		t := &all[i]
		t.place.File = f.Name
		e.told += int64(len(t.text))
		e.b.tellDamages(checkText, task.ID, t.place, t.text, t.by)
		if t.tool != "" && len(c.Gold.Items) > 0 {
			e.b.tellMention(task.ID, t.place, t.tool, t.text, c)
		}
	}
	e.prompt(c, all)
	e.masks(place, r, task.ID)
	if len(c.Gold.Items) > 0 && len(task.Candidates) > 0 {
		e.solved++
		asked := slices.DeleteFunc(slices.Clone(all), func(t spoken) bool { return t.by != byData })
		e.marks.add(forms(c, task.ID, asked), false)
	}
	return nil
}

// prompt checks that what asks says the task and its candidates, and no more:
// then no column of the row stands in it.
func (e *exported) prompt(c gold.Case, all []spoken) {
	i := slices.IndexFunc(all, func(t spoken) bool { return t.kind == "user" || t.kind == "human" })
	if i < 0 {
		return
	}
	text := all[i].text
	var list []string
	for line := range lines(text) {
		if n := labelLength(line); n > 0 && len(line) > n+3 && line[n:n+3] == " | " {
			list = append(list, line)
		}
	}
	task := c.Task
	switch {
	case e.m.Detail != trajectories.Full && task.Candidates == nil:
		return // how many there are is not known
	case e.m.Detail != trajectories.Full:
		list = task.Candidates // whose texts a brief prompt does not tell
	case task.Candidates == nil:
		task.Candidates = make([]string, len(list))
	}
	want, err := e.m.Detail.Opening(task, list)
	if err != nil {
		e.b.add(Finding{Check: checkGold, Severity: Error, Case: task.ID, Place: all[i].place, Bytes: excerpt(text, 0), What: err.Error()})
		return
	}
	if text != want[1].Content {
		at := parting(text, want[1].Content)
		e.b.add(Finding{Check: checkGold, Severity: Error, Case: task.ID, Place: all[i].place.at(at), Bytes: excerpt(text, at), Want: excerpt(want[1].Content, at),
			What: "the prompt says more than the task and its candidates"})
	}
}

// goldFirst is the filter of the paper, as manifests name it.
const goldFirst = "gold first"

// filters checks what the manifest says was filtered by.
func (e *exported) filters(place Place, run trajectories.Run) {
	g, ok := e.cfg.Gold[run.Task.ID]
	first := false
	for _, f := range e.m.Filters {
		first = first || f.Filter == goldFirst
	}
	if first && ok && (len(run.Ranking) == 0 || !g.Has(run.Ranking[0])) {
		e.b.add(Finding{Check: checkFiles, Severity: Error, Case: run.Task.ID, Place: place, What: "the run does not rank the right item first, and the manifest says that only those were kept"})
	}
}

// masks checks the stretches that are trained, where a row has them: in order,
// within the text, and nothing that a tool said among them.
func (e *exported) masks(place Place, r row, id string) {
	text, ok := r.values["text"].(string)
	spans, has := r.values["trained"].([]any)
	if !ok || !has {
		return
	}
	runes, end := []rune(text), 0
	for _, v := range spans {
		span, _ := v.([]any)
		p := place
		p.Part = "trained"
		bad := func(what string) {
			e.b.add(Finding{Check: checkRows, Severity: Error, Case: id, Place: p, Bytes: fmt.Sprint(v), What: what})
		}
		if len(span) != 2 {
			bad("is no stretch of the text")
			return
		}
		from, _ := span[0].(float64)
		to, _ := span[1].(float64)
		if int(from) < end || int(to) < int(from) || int(to) > len(runes) {
			bad("the stretch is not in the text, or not after the one before it")
			return
		}
		end = int(to)
		if part := string(runes[int(from):end]); bytes.Contains([]byte(part), []byte("<tool_response>")) {
			bad("what a tool said is trained on")
		}
	}
}

// splitsBut returns the splits other than one.
func (m manifest) splitsBut(split string) []string {
	var names []string
	for _, f := range m.Files {
		if f.Split != split && !slices.Contains(names, f.Split) {
			names = append(names, f.Split)
		}
	}
	return names
}

var strayRows = regexp.MustCompile(`\.(jsonl|parquet)$`)

// strays tells of rows that the manifest does not name, which a trainer that
// reads all of a folder takes.
func (e *exported) strays() error {
	files, err := os.ReadDir(e.dir)
	if err != nil {
		return err
	}
	for _, f := range files {
		named := slices.ContainsFunc(e.m.Files, func(r rowsFile) bool { return r.Name == f.Name() })
		if strayRows.MatchString(f.Name()) && !named {
			e.b.add(Finding{Check: checkFiles, Severity: Error, Place: Place{File: f.Name()}, What: "the manifest does not name these rows, and a trainer that reads the folder takes them"})
		}
	}
	return nil
}

// close tells what all rows show together.
func (e *exported) close() {
	b := e.b
	b.fact("rows", fmt.Sprint(e.rows))
	b.examined(checkFiles, fmt.Sprintf("%d files of rows", len(e.m.Files)))
	switch {
	case e.remade == nil:
		b.skip(checkRows, "the run store is not given")
	default:
		b.examined(checkRows, fmt.Sprintf("%d rows made again: %d bytes", e.remade.rows, e.remade.bytes))
	}
	b.examined(checkText, fmt.Sprintf("%d bytes of text", e.told))
	b.examined(checkGold, fmt.Sprintf("%d prompts, the tools' answers in %d rows", e.rows, e.solved))
	if e.solved == 0 {
		b.skip(checkMarks, "the gold is not given")
	} else {
		b.examined(checkMarks, fmt.Sprintf("%d forms in %d rows", len(e.marks.forms), e.solved))
		for _, f := range e.marks.findings() {
			b.add(f)
		}
	}
	if len(e.splits) > 1 && len(e.apart.against) == 0 {
		b.examined(checkOverlap, fmt.Sprintf("%d rows of %d splits", e.rows, len(e.splits)))
		return
	}
	e.apart.close(b)
}
