// Package datasets keeps an interaction log as one directory that tasks are
// run on. Package formats reads what is published.
//
//	formats.Reader ── rows, streamed
//	     │
//	     ▼ Import         earliest event per pair; drops counted
//	data/ml/ ── graph.bin      who took what, and when
//	         ── catalog.db     items, users, reviews, words (SQLite)
//	         ── manifest.json  source, counts, hashes: the last file written
//	     │
//	     ▼ Open
//	Dataset ── View(task) ──> tools, agents
//
// [Import] makes the directory beside its place and moves it there in one
// step: a data set is whole, or it is not there. The same source makes the
// same bytes.
//
// # What is in the catalog
//
// An item file that is the collection's own catalog (a [formats.Reader] without Wider:
// MovieLens, Yelp, Goodreads) stays as it is, with the items that nobody took:
// ml-latest-small has 9,742 items, of which 9,724 have a rating. One that spans
// more than the collection (Amazon's meta files cover a whole category) gives
// only the items that were taken: of 1,547 gift cards, 148. Where a source
// describes no items, they are known by their ids. In every case all items of
// the graph are in the catalog, and the manifest tells the numbers apart.
package datasets

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/mars-rec/mars/graph"
	"github.com/mars-rec/mars/tasks"
)

// Dataset is an imported data set, opened for reading. It implements
// [tasks.Source] and is safe for concurrent use.
type Dataset struct {
	dir      string
	manifest Manifest
	graph    *graph.Graph
	catalog  *catalog
}

// Open opens a data set directory. It checks the version, and that both files
// have the size and the first bytes that the manifest tells, and refuses what
// is missing, damaged or newer with an error that says what to do.
// [Dataset.Verify] checks every byte.
func Open(dir string) (*Dataset, error) {
	m, err := readManifest(dir)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(m.Graph.glance(dir, graphFile), m.Catalog.glance(dir, catalogFile)); err != nil {
		return nil, err
	}
	g, err := graph.Open(filepath.Join(dir, graphFile))
	if err != nil {
		return nil, damaged(dir, "%v", err)
	}
	c, err := openCatalog(filepath.Join(dir, catalogFile))
	if err != nil {
		return nil, errors.Join(damaged(dir, "%v", err), g.Close())
	}
	return &Dataset{dir: dir, manifest: m, graph: g, catalog: c}, nil
}

// Dir returns the data set's directory, as it was given to [Open].
func (d *Dataset) Dir() string { return d.dir }

// Manifest returns what is known of the data set.
func (d *Dataset) Manifest() Manifest { return d.manifest }

// Graph returns the whole graph, which knows the future of every task: for
// making tasks and for measuring, never for answering them.
func (d *Dataset) Graph() *graph.Graph { return d.graph }

// Catalog returns the descriptive side, not cut at any moment.
func (d *Dataset) Catalog() tasks.Catalog { return d.catalog }

// View implements [tasks.Source]: the data strictly before the task's moment.
// The task must be of this data set.
func (d *Dataset) View(task tasks.Task) (tasks.View, error) {
	if err := d.own(task); err != nil {
		return tasks.View{}, err
	}
	return tasks.NewView(task, d.graph.At(task.AsOf), d.catalog)
}

func (d *Dataset) own(task tasks.Task) error {
	if task.Dataset != d.manifest.Name {
		return fmt.Errorf("task %s is of data set %q, not of %q (%s)", task.ID, task.Dataset, d.manifest.Name, d.dir)
	}
	return nil
}

// CheckTask reports why the data set cannot be asked about a task, if so: it is
// of another data set, or its user or a candidate is not in this one.
func (d *Dataset) CheckTask(ctx context.Context, task tasks.Task) error {
	if err := errors.Join(task.Check(), d.own(task)); err != nil {
		return err
	}
	if _, ok := d.graph.At(d.graph.End()).User(task.User); !ok {
		if _, ok, err := d.catalog.User(ctx, task.User); err != nil || !ok {
			return errors.Join(err, fmt.Errorf("task %s: the data set %s has no user %q", task.ID, d.dir, task.User))
		}
	}
	for _, id := range task.Candidates {
		if _, ok, err := d.catalog.Item(ctx, id); err != nil || !ok {
			return errors.Join(err, fmt.Errorf("task %s: the data set %s has no item %q", task.ID, d.dir, id))
		}
	}
	return nil
}

// Verify reads both files and compares them with the manifest.
func (d *Dataset) Verify(ctx context.Context) error {
	if err := d.manifest.Graph.verify(ctx, d.dir, graphFile); err != nil {
		return err
	}
	if err := d.manifest.Catalog.verify(ctx, d.dir, catalogFile); err != nil {
		return err
	}
	n := d.manifest.Counts
	if d.graph.Users() != n.Users || d.graph.Interactions() != n.Interactions {
		return damaged(d.dir, "the graph has %d interactions of %d users, the manifest tells of %d of %d",
			d.graph.Interactions(), d.graph.Users(), n.Interactions, n.Users)
	}
	return nil
}

// Close releases the files. Views must not be used afterwards.
func (d *Dataset) Close() error {
	return errors.Join(d.catalog.close(), d.graph.Close())
}
