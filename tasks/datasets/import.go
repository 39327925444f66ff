package datasets

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/mars-rec/mars/graph"
	"github.com/mars-rec/mars/tasks/datasets/formats"
)

// ImportConfig is how to import. The zero value names the data set after its
// directory and replaces nothing.
type ImportConfig struct {
	Name    string // of the data set; default: the base name of its directory
	Replace bool   // a data set that is already there
	Tool    string // version of the program, for the manifest

	Columns    map[string]string // see [formats.Options]
	TimeLayout string

	// Progress, if set, is told the stage of the work, and in the first one,
	// "read", the bytes of the source that are done and all of them.
	Progress func(stage string, done, total int64)
}

// Stages of an import, in order, as [ImportConfig.Progress] is told them.
const (
	StageRead    = "read"
	StageGraph   = "graph"
	StageCatalog = "catalog"
	StageSync    = "sync"
)

// Import reads a source and makes the data set directory out of it. The
// directory appears in one step when all of it is on the disk; after an error,
// a cancelled context or the death of the process there is no new directory,
// and the old one, if any, is whole.
//
// An interaction stays unless its reader dropped it, the source describes
// items but not this one ([UnknownItem]), or the pair has an earlier event
// ([DuplicatePair]).
//
// Errors are [*formats.Error] where the source is not what the format promises
// and [ErrExists] where out exists and may not be replaced.
func Import(ctx context.Context, reader formats.Reader, source, out string, cfg ImportConfig) (m Manifest, err error) {
	if cfg.Name == "" {
		abs, err := filepath.Abs(out)
		if err != nil {
			return Manifest{}, fmt.Errorf("import: %w", err)
		}
		cfg.Name = filepath.Base(abs)
	}
	if err := checkName(cfg.Name); err != nil {
		return Manifest{}, fmt.Errorf("import: %w", err)
	}
	if _, err := os.Stat(source); err != nil {
		return Manifest{}, fmt.Errorf("import: %w", err)
	}
	s, err := stage(out, cfg.Replace)
	if err != nil {
		return Manifest{}, fmt.Errorf("import: %w", err)
	}
	defer func() { err = errors.Join(err, s.close(err != nil)) }()
	m, err = assemble(ctx, s, reader, source, cfg)
	if err == nil {
		err = ctx.Err() // the last moment at which it can be given up
	} else if ctx.Err() != nil {
		err = ctx.Err() // whatever it is that noticed
	}
	if err != nil {
		return Manifest{}, fmt.Errorf("import %s: %w", source, err)
	}
	if err := s.commit(); err != nil {
		return Manifest{}, fmt.Errorf("import %s: %w", source, err)
	}
	return m, nil
}

// assemble makes all files of a data set in the staging directory.
func assemble(ctx context.Context, s *staging, reader formats.Reader, source string, cfg ImportConfig) (Manifest, error) {
	tell := func(stage string, done, total int64) {
		if cfg.Progress != nil {
			cfg.Progress(stage, done, total)
		}
	}
	spool, err := newSpool(s.path("items.spool"))
	if err != nil {
		return Manifest{}, err
	}
	defer spool.close()
	catalog, err := newCatalogWriter(ctx, s.path(catalogFile))
	if err != nil {
		return Manifest{}, err
	}
	defer catalog.abandon()
	c := newCollector(spool, catalog)
	opts := formats.Options{Columns: cfg.Columns, TimeLayout: cfg.TimeLayout,
		Progress: func(done, total int64) { tell(StageRead, done, total) }}
	if err := reader.Read(ctx, source, opts, c); err != nil {
		return Manifest{}, err
	}
	later := c.settle()
	if len(c.rows) == 0 {
		return Manifest{}, nothingLeft(c.counts)
	}

	tell(StageGraph, 0, 0)
	if err := saveGraph(ctx, s.path(graphFile), c); err != nil {
		return Manifest{}, err
	}
	tell(StageCatalog, 0, 0)
	if c.counts.Reviews > 0 {
		if err := catalog.dropReviews(ctx, later); err != nil {
			return Manifest{}, err
		}
	}
	if err := c.describe(ctx, reader.Wider); err != nil {
		return Manifest{}, err
	}
	reviews, content, err := catalog.finish(ctx, 0)
	if err != nil {
		return Manifest{}, err
	}
	c.counts.Reviews = reviews // without those of later events
	if err := spool.remove(); err != nil {
		return Manifest{}, err
	}

	tell(StageSync, 0, 0)
	m := Manifest{
		Version: versionImported,
		Name:    cfg.Name,
		Tool:    cfg.Tool,
		Recipe:  Recipe{Format: reader.Name, Columns: maps.Clone(cfg.Columns), TimeLayout: cfg.TimeLayout},
		Source:  c.source,
		Counts:  c.counts,
		Notes:   c.notes(),
	}
	m.First, m.Last = c.times()
	m.Ratings = c.ratings()
	if m.Graph, err = store(ctx, s.path(graphFile)); err != nil {
		return Manifest{}, err
	}
	if m.Catalog, err = store(ctx, s.path(catalogFile)); err != nil {
		return Manifest{}, err
	}
	m.Catalog.Content = content
	b, err := m.encode()
	if err != nil {
		return Manifest{}, err
	}
	if err := os.WriteFile(s.path(manifestFile), b, 0o644); err != nil {
		return Manifest{}, err
	}
	_, err = store(ctx, s.path(manifestFile))
	return m, err
}

func saveGraph(ctx context.Context, path string, c *collector) error {
	g, err := graph.Build(c.log(ctx))
	if err != nil {
		return err
	}
	return errors.Join(g.Save(path), g.Close())
}

// Unusable says that a source has rows, but none that makes an interaction.
type Unusable struct {
	Rows    int
	Dropped map[formats.Reason]int // by what they were dropped for
}

func (u *Unusable) Error() string {
	var why []string
	for _, reason := range slices.Sorted(maps.Keys(u.Dropped)) {
		if n := u.Dropped[reason]; n > 0 {
			why = append(why, fmt.Sprintf("%s: %d", reason, n))
		}
	}
	return fmt.Sprintf("unusable: none of the %d rows can be used (%s)", u.Rows, strings.Join(why, ", "))
}

// nothingLeft says why a source made no interaction.
func nothingLeft(counts Counts) error {
	if counts.Rows == 0 {
		return errors.New("the source has no interactions")
	}
	return &Unusable{Rows: counts.Rows, Dropped: counts.Dropped}
}

// notes are what the reader noted and what the counts do not tell by
// themselves.
func (c *collector) notes() []string {
	notes := []string{}
	for _, f := range c.source {
		for _, n := range f.Notes {
			notes = append(notes, f.Name+": "+n)
		}
	}
	n := c.counts
	if n.UserRecords > 0 && c.recorded < n.Users {
		notes = append(notes, fmt.Sprintf("%d of %d users have a user record; the others are known by their interactions only", c.recorded, n.Users))
	}
	if n.LeftOut > 0 {
		notes = append(notes, fmt.Sprintf("%d of %d described items have no interaction and are left out: the item file is wider than the collection", n.LeftOut, n.ItemRecords))
	}
	return notes
}

// times returns the first and the last time.
func (c *collector) times() (first, last time.Time) {
	from, to := int64(math.MaxInt64), int64(math.MinInt64)
	for _, e := range c.rows {
		from, to = min(from, e.time), max(to, e.time)
	}
	return time.Unix(from, 0).UTC(), time.Unix(to, 0).UTC()
}

// ratings returns what ratings there are.
func (c *collector) ratings() Ratings {
	return ratingsOf(func(yield func(float32) bool) {
		for _, e := range c.rows {
			if !yield(e.rating) {
				return
			}
		}
	})
}

// ratingsOf sums up the ratings of interactions, of which there are some.
func ratingsOf(all iter.Seq[float32]) (r Ratings) {
	n, rated := 0, 0
	for rating := range all {
		n++
		if rating == 0 {
			continue
		}
		if rated == 0 {
			r.Min, r.Max = rating, rating
		}
		rated++
		r.Min, r.Max = min(r.Min, rating), max(r.Max, rating)
	}
	r.Share = float64(rated) / float64(n)
	return r
}

// checkName reports what is wrong with the name of a data set.
func checkName(name string) error {
	switch {
	case name == "", name == ".", name == string(filepath.Separator):
		return fmt.Errorf("%q is no name for a data set", name)
	case len(name) > 200, !utf8.ValidString(name), strings.ContainsFunc(name, unicode.IsControl):
		return fmt.Errorf("%q is no name for a data set: want at most 200 bytes of UTF-8 without control characters", name)
	}
	return nil
}
