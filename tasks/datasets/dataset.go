// Package datasets keeps an interaction log as one directory that tasks are
// run on. Package formats reads what is published.
//
//	formats.Reader ── rows, streamed
//	     │
//	     ▼ Import         earliest event per pair; drops counted
//	data/ml/ ── graph.bin      who took what, and when
//	         ── catalog.db     items, users, reviews, words (SQLite)
//	         ── manifest.json  source, counts, hashes: the last file written
//	     │                                                         ▲
//	     ▼ Open                                     Append, Compact┘
//	Dataset ── View(task) ──> tools, agents
//
// [Import] makes the directory beside its place and moves it there in one
// step: a data set is whole, or it is not there. The same source makes the
// same bytes.
//
// # What is appended
//
// [Append] reads another source and writes what is new in it beside the rest;
// [Compact] folds it in. Both write files under names that were never used in
// the data set, and then the manifest, which names the files that count:
//
//	                  import      append       append       compact    append
//	manifest names    graph.bin   graph.bin    graph.bin    graph-2.bin ...
//	                  catalog.db  catalog.db   catalog.db   catalog-2.db
//	                              delta-1.bin  delta-2.bin              delta-3.bin
//	                              delta-1.db   delta-2.db               delta-3.db
//
// So an open data set stays as it is, whoever opens it finds the one before or
// the one after, and a process that is killed has changed nothing or all. A
// delta holds all that was appended since the last compaction: it is opened
// together with what it stands beside, and its cost grows with its length.
//
// What was appended at or after a moment changes no answer as of that moment.
// The manifest records the times of all appends, so that tasks, runs and stored
// evidence of the data set as it was are known to hold or not ([Manifest.Holds]).
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
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

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

// Open opens a data set directory. It checks the version, and that all files
// have the size and the first bytes that the manifest tells, and refuses what
// is missing, damaged or newer with an error that says what to do.
// [Dataset.Verify] checks every byte.
//
// What another process appends or compacts meanwhile is there whole or not at
// all, and does not change a data set that is open.
func Open(dir string) (*Dataset, error) {
	const tries = 100 // of a data set that is replaced each time it is looked at
	for try := 1; ; try++ {
		b, err := readManifestFile(dir)
		if err != nil {
			return nil, err
		}
		d, err := openAs(dir, b)
		// The files were those of this manifest if it still stands: each has
		// names of its own, except where a data set is imported in place of one.
		now, e := readManifestFile(dir)
		if e == nil && bytes.Equal(b, now) || try == tries {
			return d, err
		}
		if err == nil {
			if err := d.Close(); err != nil {
				return nil, err
			}
		}
	}
}

// openAs opens a data set of which the manifest was read.
func openAs(dir string, manifest []byte) (*Dataset, error) {
	m, err := decodeManifest(dir, manifest)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(m.Graph.glance(dir, graphFile), m.Catalog.glance(dir, catalogFile)); err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(dir, graphFile+".delta")); err == nil {
		return nil, fmt.Errorf("data set %s: something was appended to its graph past its manifest: remove %s.delta and append by mars import --append", dir, graphFile)
	}
	lateCatalog := ""
	if m.Delta != nil {
		if err := errors.Join(m.Delta.Graph.glance(dir, ""), m.Delta.Catalog.glance(dir, "")); err != nil {
			return nil, err
		}
		lateCatalog = m.Delta.Catalog.path(dir, "")
	}
	late, err := m.late(dir)
	if err != nil {
		return nil, err
	}
	g, err := graph.OpenWith(m.Graph.path(dir, graphFile), late)
	if errors.Is(err, graph.ErrFormat) {
		return nil, fmt.Errorf("data set %s: %w, with --force", dir, err)
	}
	if err != nil {
		return nil, damaged(dir, "%v", err)
	}
	c, err := openCatalog(m.Catalog.path(dir, catalogFile), lateCatalog)
	if err != nil {
		return nil, errors.Join(damaged(dir, "%v", err), g.Close())
	}
	return &Dataset{dir, m, g, c}, nil
}

// late returns the interactions that were appended and are not in the snapshot.
func (m Manifest) late(dir string) ([]graph.Interaction, error) {
	if m.Delta == nil {
		return nil, nil
	}
	log, err := graph.ReadDelta(m.Delta.Graph.path(dir, ""))
	if err != nil {
		return nil, damaged(dir, "%v", err)
	}
	return log, nil
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
// of another data set, its user or a candidate is not in this one, or what was
// known at its moment is not what it was when the task was made. Made is the
// fingerprint that the data set had then, "" if it is not known. The last is
// [ErrOtherData] or [ErrAppended].
func (d *Dataset) CheckTask(ctx context.Context, task tasks.Task, made string) error {
	if err := errors.Join(task.Check(), d.own(task)); err != nil {
		return err
	}
	if made != "" {
		if err := d.manifest.Holds(made, task.AsOf); err != nil {
			return fmt.Errorf("task %s of %s was made of %s as it was before %w", task.ID, task.AsOf.UTC().Format(time.RFC3339), d.manifest.Name, err)
		}
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

// Verify reads all files and compares them with the manifest.
func (d *Dataset) Verify(ctx context.Context) error {
	files := []Stored{d.manifest.Graph, d.manifest.Catalog}
	if delta := d.manifest.Delta; delta != nil {
		files = append(files, delta.Graph, delta.Catalog)
	}
	usual := []string{graphFile, catalogFile, "", ""}
	for k, f := range files {
		if err := f.verify(ctx, d.dir, usual[k]); err != nil {
			return err
		}
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
