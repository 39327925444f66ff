package audit

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"

	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tasks/gold"
)

// Tasks audits a task file, with the recipe that lies beside it. An error is
// that of reading files or of ctx; what is wrong with the tasks is a finding.
func Tasks(ctx context.Context, path string, cfg Config) (*Report, error) {
	b := cfg.open(path, "tasks", checkRecipe, checkForm, checkData, checkCandidates, checkTwins, checkOrder, checkText, checkOverlap)
	total, err := countLines(path)
	if err != nil {
		return nil, err
	}
	recipe := readRecipe(b, path)
	if err := cfg.checkData(ctx, b, recipeData(recipe)); err != nil {
		return nil, err
	}
	if err := cfg.checkRecipe(ctx, b, path, recipe); err != nil {
		return nil, err
	}
	a := cfg.cases(b, recipe)
	seen := map[string]int{} // line, by id
	name := filepath.Base(path)
	for line, err := range readLines(path) {
		if err != nil {
			return nil, err
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		place := Place{File: name, Line: line.n}
		b.tellDamages(checkText, "", place, string(line.text), byData)
		task, ok := a.form(place, line.text, seen)
		if ok {
			if err := a.add(ctx, task, place); err != nil {
				return nil, fmt.Errorf("%s: line %d: %w", path, line.n, err)
			}
			if err := a.shown(ctx, task, place); err != nil {
				return nil, fmt.Errorf("%s: line %d: %w", path, line.n, err)
			}
		}
		cfg.tell(line.n, total)
	}
	b.fact("tasks", fmt.Sprint(a.n))
	b.examined(checkForm, fmt.Sprintf("%d lines", total))
	b.examined(checkText, fmt.Sprintf("%d lines", total))
	a.close()
	return b.close(), nil
}

// cases is what is asked of every task, be it from a file or of a run.
type cases struct {
	cfg      Config
	b        *book
	judge    *judge // nil without data
	order    shuffling
	apart    separate
	n        int
	unsolved int // tasks without gold
}

func (c Config) cases(b *book, recipe *gold.Recipe) *cases {
	a := &cases{cfg: c, b: b, order: shuffling{data: c.Data}, apart: separate{against: c.Against, byTime: c.ByTime}}
	if c.Data != nil {
		a.judge = newJudge(c.Data, recipe)
	}
	return a
}

// form reads a line, and reports whether it is a task that can be looked at.
func (a *cases) form(place Place, line []byte, seen map[string]int) (tasks.Task, bool) {
	wrong := func(id, part, text string, what string, args ...any) {
		p := place
		p.Part = part
		at := 0
		if text != "" {
			at = max(0, bytes.LastIndex(line, []byte(text)))
		}
		a.b.add(Finding{Check: checkForm, Severity: Error, Case: id, Place: p.at(at), Bytes: excerpt(string(line), at), What: fmt.Sprintf(what, args...)})
	}
	var t tasks.Task
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&t); err != nil {
		wrong("", "", "", "is no task: %v", err)
		return t, false
	}
	t.AsOf = t.AsOf.UTC()
	ok := true
	if had := seen[t.ID]; had > 0 {
		wrong(t.ID, "id", quoted(t.ID), "the task is on line %d already", had)
		ok = false
	}
	seen[t.ID] = place.Line
	listed := map[string]int{}
	for i, c := range t.Candidates {
		if had, double := listed[c]; double {
			wrong(t.ID, "candidates", quoted(c), "%s is the item %s, which %s is already", tasks.Label(i), c, tasks.Label(had))
			ok = false
		}
		listed[c] = i
	}
	if err := t.Check(); err != nil && ok {
		wrong(t.ID, "", "", "%v", err)
		ok = false
	}
	if a.cfg.Gold == nil {
		return t, ok
	}
	g, there := a.cfg.Gold[t.ID]
	if !there {
		wrong(t.ID, "id", quoted(t.ID), "there is no gold for the task")
		return t, ok
	}
	for _, item := range g.Items {
		if !slices.Contains(t.Candidates, item) {
			wrong(t.ID, "candidates", "", "the right item %s is not among the candidates", item)
		}
	}
	return t, ok
}

// add looks at a task.
func (a *cases) add(ctx context.Context, task tasks.Task, place Place) error {
	a.n++
	golds := a.cfg.Gold[task.ID].Items
	if len(golds) == 0 {
		a.unsolved++
	}
	if a.judge != nil {
		if err := errors.Join(a.judge.judge(ctx, a.b, task, golds, place), a.judge.twins(ctx, a.b, task, golds, place)); err != nil {
			return err
		}
	}
	a.apart.add(a.b, task.ID, task.User, task.AsOf, place)
	return a.order.add(ctx, task, golds, place)
}

// shown looks at the lines in which the candidates are shown.
func (a *cases) shown(ctx context.Context, task tasks.Task, place Place) error {
	if a.judge == nil {
		return nil
	}
	view, err := tasks.NewView(task, a.cfg.Data.Graph().At(task.AsOf), a.cfg.Data.Catalog())
	if err != nil {
		return err
	}
	list, err := view.Lines(ctx)
	for i, line := range list {
		p := place
		p.Part = "as shown, " + tasks.Label(i)
		a.b.tellDamages(checkText, task.ID, p, line, byData)
	}
	return err
}

// close tells what all tasks show together.
func (a *cases) close() {
	const noData = "the data set is not given"
	if a.judge == nil {
		for _, name := range []string{checkCandidates, checkTwins} {
			a.b.skip(name, noData)
		}
	} else {
		for _, name := range []string{checkCandidates, checkTwins} {
			a.b.examined(name, fmt.Sprintf("%d lists", a.n))
		}
	}
	a.order.tell(a.b)
	if a.unsolved > 0 {
		a.b.fact("tasks without gold", fmt.Sprint(a.unsolved))
	}
	a.apart.close(a.b)
}

// numbered is a line of a file, without its end.
type numbered struct {
	n    int
	text []byte
}

// maxLine bounds a line, in bytes.
const maxLine = 64 << 20

// readLines yields the lines of a file. What is yielded is valid until the next.
func readLines(path string) iter.Seq2[numbered, error] {
	return func(yield func(numbered, error) bool) {
		f, err := os.Open(path)
		if err != nil {
			yield(numbered{}, err)
			return
		}
		defer f.Close()
		in := bufio.NewScanner(f)
		in.Buffer(make([]byte, 64<<10), maxLine)
		n := 0
		for in.Scan() {
			n++
			if !yield(numbered{n, in.Bytes()}, nil) {
				return
			}
		}
		if err := in.Err(); err != nil {
			yield(numbered{}, fmt.Errorf("%s: line %d: %w", path, n+1, err))
		}
	}
}

func countLines(path string) (int, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	n, last := 0, byte('\n')
	buf := make([]byte, 1<<20)
	for {
		k, err := f.Read(buf)
		n += bytes.Count(buf[:k], []byte("\n"))
		if k > 0 {
			last = buf[k-1]
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return 0, err
		}
	}
	if last != '\n' {
		n++
	}
	return n, nil
}
