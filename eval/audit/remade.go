package audit

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/mars-rec/mars/tasks/gold"
	"github.com/mars-rec/mars/trajectories"
	"github.com/mars-rec/mars/trajectories/export"
	"github.com/mars-rec/mars/trajectories/filter"
	"github.com/mars-rec/mars/trajectories/store"
)

// remade makes rows anew of the runs that they are of.
type remade struct {
	source Source
	m      manifest
	golds  map[string]gold.Gold
	// makers make rows with what a reflector sent back, and without: the one that
	// made the row before is tried first.
	makers []export.Exporter
	byTask map[string][]string // ids of runs
	known  map[string]bool     // ids of runs
	byRow  map[[sha256.Size]byte]string
	rows   int
	bytes  int64
}

func newRemade(ctx context.Context, source Source, m manifest, golds map[string]gold.Gold) (*remade, error) {
	d := &remade{source: source, m: m, golds: golds, byTask: map[string][]string{}, known: map[string]bool{}}
	for _, final := range []bool{false, true} { // which one it was no manifest tells
		maker, err := source.Exporter(m.For, m.As, trajectories.Linear{SkipRevised: final, Parallel: m.Parallel, Detail: m.Detail})
		if err != nil {
			return nil, err
		}
		d.makers = append(d.makers, maker)
	}
	for sum, err := range source.Store.Runs(ctx) {
		if err != nil {
			return nil, err
		}
		if sum.Status == trajectories.Done {
			d.known[sum.ID] = true
			d.byTask[sum.Task.ID] = append(d.byTask[sum.Task.ID], sum.ID)
		}
	}
	return d, nil
}

// compare makes a row again and adds where it differs. It returns the run that
// the row is of, with the candidates in the order in which it is told; nil if
// there is none.
func (d *remade) compare(ctx context.Context, b *book, r row, place Place) (*trajectories.Run, error) {
	d.rows++
	d.bytes += int64(len(r.text))
	runs, err := d.runs(ctx, r)
	if err != nil {
		return nil, err
	}
	wrong := Finding{Check: checkRows, Severity: Error, Place: place, Bytes: excerpt(r.text, 0)}
	if len(runs) == 0 {
		wrong.What = "the run store has no run that the row is of"
		b.add(wrong)
		return nil, nil
	}
	var run *trajectories.Run
	nearest, why := "", error(nil)
	for _, id := range runs {
		t, err := d.source.Store.Trajectory(ctx, id)
		if err != nil {
			return nil, err
		}
		if run == nil {
			run = &t.Run
		}
		for _, told := range d.orders(t, r.candidates()) {
			for i, maker := range d.makers {
				text, err := d.make(ctx, maker, told)
				if err != nil {
					why = err
					continue
				}
				if text == r.text {
					d.makers[0], d.makers[i] = d.makers[i], d.makers[0]
					return &told.Run, nil
				}
				if nearest == "" || parting(text, r.text) > parting(nearest, r.text) {
					nearest = text
				}
			}
		}
	}
	wrong.Case = run.Task.ID
	if nearest == "" {
		wrong.What = fmt.Sprintf("the run gives no row: %v", why)
	} else {
		at := parting(r.text, nearest)
		wrong.Place = place.at(at)
		wrong.Bytes, wrong.Want, wrong.What = excerpt(r.text, at), excerpt(nearest, at), "the row is not what its run gives"
	}
	b.add(wrong)
	return run, nil
}

// orders returns a run as rows tell it: in its own order, or in each that the
// export's seed draws, and then in those alone that have a row's candidates, if
// there are any.
func (d *remade) orders(t *trajectories.Trajectory, candidates []string) []*filter.Sample {
	own := filter.NewSample(t, "")
	if d.m.Permutations == 0 {
		return []*filter.Sample{own}
	}
	var all, alike []*filter.Sample
	for n := range d.m.Permutations {
		told := own.Relabelled(export.Order(d.m.Seed, own, n))
		all = append(all, told)
		if slices.Equal(told.Run.Task.Candidates, candidates) {
			alike = append(alike, told)
		}
	}
	if alike != nil {
		return alike
	}
	return all
}

// make makes the row of a run.
func (d *remade) make(ctx context.Context, maker export.Exporter, t *filter.Sample) (string, error) {
	var out bytes.Buffer
	g, ok := d.golds[t.Run.Task.ID]
	if !ok {
		return "", errors.New("there is no gold for its task")
	}
	var one iter.Seq2[export.Group, error] = func(yield func(export.Group, error) bool) {
		yield(export.Group{Task: t.Run.Task, Gold: g, Runs: []*filter.Sample{t}}, nil)
	}
	if err := maker.Export(ctx, &out, one); err != nil {
		return "", err
	}
	return only(out.Bytes(), d.m.As)
}

// runs returns the ids of the runs that a row may be of.
func (d *remade) runs(ctx context.Context, r row) ([]string, error) {
	run, task := r.ids()
	switch {
	case run != "" && d.known[run]:
		return []string{run}, nil
	case run != "":
		return nil, nil
	case task != "":
		return d.byTask[task], nil
	}
	if d.byRow == nil {
		if err := d.learn(ctx); err != nil {
			return nil, err
		}
	}
	if id, ok := d.byRow[sha256.Sum256([]byte(r.text))]; ok {
		return []string{id}, nil
	}
	return nil, nil
}

// learn makes the rows of all runs, for a consumer whose rows do not tell which
// run they are of, and keeps their hashes.
func (d *remade) learn(ctx context.Context) error {
	d.byRow = map[[sha256.Size]byte]string{}
	for sum, err := range d.source.Store.Runs(ctx) {
		if err != nil {
			return err
		}
		if sum.Status != trajectories.Done {
			continue
		}
		t, err := d.source.Store.Trajectory(ctx, sum.ID)
		if err != nil {
			return err
		}
		for _, told := range d.orders(t, nil) {
			for _, maker := range d.makers {
				text, err := d.make(ctx, maker, told)
				if err != nil {
					continue // it gave no row then either
				}
				d.byRow[sha256.Sum256([]byte(text))] = sum.ID
			}
		}
	}
	return nil
}

var _ Store = (*store.Store)(nil)
