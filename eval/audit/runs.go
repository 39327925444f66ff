package audit

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tasks/gold"
	"github.com/mars-rec/mars/trajectories"
	"github.com/mars-rec/mars/trajectories/store"
)

// Store is where recorded runs are; a [store.Store] is one.
type Store interface {
	Path() string
	Manifest() trajectories.Manifest
	Runs(ctx context.Context) iter.Seq2[store.Summary, error]
	Trajectory(ctx context.Context, id string) (*trajectories.Trajectory, error)
}

// Runs audits the runs of a store that are done. Team makes them again; nil:
// nothing is derived again. An error is that of the store, of the data or of
// ctx; what is wrong with the runs is a finding.
func Runs(ctx context.Context, st Store, team Team, cfg Config) (*Report, error) {
	b := cfg.open(st.Path(), "runs", checkData, checkPast, checkGold, checkMarks, checkCandidates, checkTwins, checkOrder, checkBias, checkText, checkOverlap)
	used, _, _ := strings.Cut(st.Manifest().Data, " ") // stored evidence is named behind it
	if err := cfg.checkData(ctx, b, used); err != nil {
		return nil, err
	}
	jobs, others, err := pending(ctx, st, cfg, team)
	if err != nil {
		return nil, err
	}
	w := &walk{cfg: cfg, b: b, store: st, team: team, cases: cfg.cases(b, nil)}
	if cfg.Data != nil && team != nil {
		w.line = newTimeline(cfg.Data)
	}
	w.prepare(jobs)
	done := 0
	err = ordered(ctx, cfg.concurrency(), jobs, w.look, func(j *job, s seen) error {
		done++
		cfg.tell(done, len(jobs))
		return w.take(ctx, s)
	})
	if err != nil {
		return nil, err
	}
	b.fact("runs", fmt.Sprintf("%d done, %d others", len(jobs), others))
	w.close(st.Manifest())
	return b.close(), nil
}

// job is a run to be looked at.
type job struct {
	id     string
	at     time.Time
	derive bool
	past   *past // shared by the runs of one moment
}

// pending lists the runs that are done by their moments, so that those of one
// moment share its past.
func pending(ctx context.Context, st Store, cfg Config, team Team) (jobs []*job, others int, err error) {
	for sum, err := range st.Runs(ctx) {
		if err != nil {
			return nil, 0, err
		}
		if sum.Status != trajectories.Done {
			others++
			continue
		}
		jobs = append(jobs, &job{id: sum.ID, at: sum.Task.AsOf})
	}
	slices.SortStableFunc(jobs, func(a, b *job) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.id, b.id)) })
	if cfg.Data == nil || team == nil {
		return jobs, others, nil
	}
	n := len(jobs)
	if cfg.Derive > 0 {
		n = min(n, cfg.Derive)
	}
	for k := range n { // evenly, the last one among them
		jobs[(k+1)*len(jobs)/n-1].derive = true
	}
	return jobs, others, nil
}

// walk looks at one run after another.
type walk struct {
	cfg      Config
	b        *book
	store    Store
	team     Team
	cases    *cases
	line     *timeline // nil: nothing is derived again
	marks    marks
	bias     positions
	derived  int
	messages int
	bytes    int64
	solved   int
	told     int64 // bytes of texts
}

// prepare gives runs of the same moment one past.
func (w *walk) prepare(jobs []*job) {
	if w.line == nil {
		return
	}
	var last *past
	for _, j := range jobs {
		if !j.derive {
			continue
		}
		if last == nil || last.at.Unix() != j.at.Unix() {
			last = w.line.past(j.at)
		}
		j.past = last
	}
}

// seen is what a look at one run found, before it is counted.
type seen struct {
	run      trajectories.Run
	derived  bool
	messages int
	bytes    int64
	texts    []spoken
	forms    spotted
	findings []Finding
}

// look reads a run and makes it again. It is called for several at once.
func (w *walk) look(ctx context.Context, j *job) (seen, error) {
	t, err := w.store.Trajectory(ctx, j.id)
	if err != nil {
		return seen{}, err
	}
	s := seen{run: t.Run, messages: len(t.Log)}
	for _, e := range t.Log {
		s.bytes += int64(len(e.Body))
	}
	if s.texts, err = texts(t); err != nil {
		return s, fmt.Errorf("run %s: %w", j.id, err)
	}
	if j.past != nil {
		if s.findings, err = rederive(ctx, w.team, t, j.past, w.cfg.Data); err != nil {
			return s, fmt.Errorf("run %s: %w", j.id, err)
		}
		s.derived, j.past = true, nil // the last one of a moment lets its graph go
	}
	if c := w.cfg.solution(t.Run.Task); len(c.Gold.Items) > 0 {
		s.forms = forms(c, t.Run.ID, s.texts)
	}
	return s, nil
}

// solution returns the task with its gold, if that is known.
func (c Config) solution(t tasks.Task) gold.Case { return gold.Case{Task: t, Gold: c.Gold[t.ID]} }

// forms spots the candidates in what was shown and in what was found; a reply
// comes after the judgement, and is left out.
func forms(c gold.Case, run string, all []spoken) spotted {
	labels := map[string]bool{}
	for i, item := range c.Task.Candidates {
		labels[tasks.Label(i)] = c.Gold.Has(item)
	}
	s := spotted{}
	for _, t := range all {
		if t.kind != "reply" {
			s.spot(labels, run, t.kind, t.place, t.text)
		}
	}
	return s
}

// take counts what was seen of a run, and looks at its task.
func (w *walk) take(ctx context.Context, s seen) error {
	task := s.run.Task
	c := w.cfg.solution(task)
	w.messages, w.bytes = w.messages+s.messages, w.bytes+s.bytes
	if s.derived {
		w.derived++
	}
	for _, f := range s.findings {
		w.b.add(f)
	}
	had, title, err := w.titleOf(ctx, c)
	if err != nil {
		return err
	}
	for _, t := range s.texts {
		w.told += int64(len(t.text))
		w.b.tellDamages(checkText, s.run.ID, t.place, t.text, t.by)
		if len(c.Gold.Items) == 0 {
			continue
		}
		if t.tool != "" {
			w.b.tellMention(s.run.ID, t.place, t.tool, t.text, c)
		}
		if t.by == byData {
			w.b.tellHistory(s.run.ID, t.place, t.text, title, had)
		}
	}
	if len(c.Gold.Items) > 0 {
		w.solved++
		w.marks.add(s.forms, len(s.run.Ranking) > 0 && c.Gold.Has(s.run.Ranking[0]))
	}
	if len(s.run.Ranking) > 0 {
		if i := slices.Index(task.Candidates, s.run.Ranking[0]); i >= 0 {
			w.bias.add(i, len(task.Candidates))
		}
	}
	return w.cases.add(ctx, task, Place{File: filepath.Base(w.store.Path())})
}

// titleOf returns the title of the right item, as it is shown, and whether the
// user had an item of that title before.
func (w *walk) titleOf(ctx context.Context, c gold.Case) (had bool, title string, err error) {
	if len(c.Gold.Items) == 0 || w.cfg.Data == nil {
		return false, "", nil
	}
	view, err := tasks.NewView(c.Task, w.cfg.Data.Graph().At(c.Task.AsOf), w.cfg.Data.Catalog())
	if err != nil {
		return false, "", err
	}
	item, err := view.Item(ctx, c.Gold.Items[0])
	if err != nil {
		return false, "", err
	}
	had, err = w.cases.judge.had(ctx, c.Task, item.Title)
	return had, item.Title, err
}

// close tells what all runs show together.
func (w *walk) close(m trajectories.Manifest) {
	b := w.b
	for _, role := range slices.Sorted(maps.Keys(m.Models)) {
		b.fact("model of "+role, m.Models[role])
	}
	b.fact("seed", fmt.Sprint(m.Seed))
	switch {
	case w.line == nil:
		b.skip(checkPast, "the data set is not given")
	case w.derived < w.cases.n:
		b.examined(checkPast, fmt.Sprintf("%d of %d runs made again", w.derived, w.cases.n))
	default:
		b.examined(checkPast, fmt.Sprintf("%d runs made again: %d messages, %d bytes", w.derived, w.messages, w.bytes))
	}
	if w.solved == 0 {
		const why = "the gold is not given"
		b.skip(checkGold, why)
		b.skip(checkMarks, why)
	} else {
		b.examined(checkGold, fmt.Sprintf("%d runs", w.solved))
		b.examined(checkMarks, fmt.Sprintf("%d forms in %d runs", len(w.marks.forms), w.solved))
		for _, f := range w.marks.findings() {
			b.add(f)
		}
	}
	b.examined(checkText, fmt.Sprintf("%d bytes of text", w.told))
	w.cases.close()
	if w.bias.n == 0 {
		b.skip(checkBias, "no run has a ranking")
		return
	}
	p, what := w.bias.chance()
	b.of(checkBias).P = &p
	b.examined(checkBias, fmt.Sprintf("%d rankings", w.bias.n))
	if p < certain {
		b.add(Finding{Check: checkBias, Severity: Warning, What: fmt.Sprintf("what is ranked first stands %s (p %s)", what, chance(p))})
	}
}
