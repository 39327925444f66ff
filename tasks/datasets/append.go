package datasets

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"slices"
	"time"

	"github.com/mars-rec/mars/graph"
	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tasks/datasets/formats"
)

// AppendConfig is how to append. The zero value works.
type AppendConfig struct {
	Tool string // version of the program, for the manifest

	// Columns and TimeLayout are as in [formats.Options]; where neither is given
	// and the format is that of the import, they are the import's.
	Columns    map[string]string
	TimeLayout string

	// Early, if set, is called before anything is changed where interactions are
	// to be appended from before the data set's last: how many, and the time of
	// the first. What was made for later moments will be refused.
	Early func(interactions int, first time.Time)

	// Progress, if set, is told as [ImportConfig.Progress] is.
	Progress func(stage string, done, total int64)
}

// Append reads a source and adds to a data set what is new in it: interactions,
// with their reviews, and the items and users that the data set did not have.
// Of each pair the earliest event stays, whichever of the two has it; what the
// catalog says of an item or a user already stays too, so that answers as of
// earlier moments do not change. It returns the manifest, and what of it is of
// this append. Where nothing is new the data set stays as it was.
//
// Rows are dropped as by [Import]; an item is unknown if the source describes
// items, and neither it nor the data set has this one. Of new items of a source
// that describes none, the data set knows the ids alone: a note counts them. When Append returns, all is on the disk; after an
// error, a cancelled context or the death of the process the data set is as it
// was. While another process appends or compacts, the error is [ErrBusy].
//
// Beside the ids and numbers of the source it holds those of all that was
// appended since the last [Compact], and writes them again: many small appends
// want a compaction now and then.
func Append(ctx context.Context, reader formats.Reader, source, dir string, cfg AppendConfig) (m Manifest, a Appended, err error) {
	w, err := openWriter(dir)
	if err != nil {
		return m, a, fmt.Errorf("append: %w", err)
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	p := &appending{writer: w, reader: reader, cfg: cfg}
	if cfg.Columns == nil && cfg.TimeLayout == "" && w.data.manifest.Recipe.Format == reader.Name {
		p.cfg.Columns, p.cfg.TimeLayout = w.data.manifest.Recipe.Columns, w.data.manifest.Recipe.TimeLayout
	}
	if m, a, err = p.run(ctx, source); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err() // whatever it is that noticed
		}
		return Manifest{}, Appended{}, fmt.Errorf("append %s: %w", source, err)
	}
	return m, a, nil
}

// appending is an append at work.
type appending struct {
	*writer
	reader formats.Reader
	cfg    AppendConfig
}

func (p *appending) tell(stage string, done, total int64) {
	if p.cfg.Progress != nil {
		p.cfg.Progress(stage, done, total)
	}
}

func (p *appending) run(ctx context.Context, source string) (m Manifest, a Appended, err error) {
	old := p.data.manifest
	c, err := p.read(ctx, source)
	if err != nil {
		return m, a, err
	}
	defer c.catalog.abandon()
	defer c.items.close()
	later := c.settle()
	if len(c.rows) == 0 {
		return m, a, nothingLeft(c.counts)
	}
	late, superseded := c.against(p.data.graph)
	c.counts.Dropped[DuplicatePair] += len(late)
	if err := c.catalog.dropReviews(ctx, append(later, late...)); err != nil {
		return m, a, err
	}
	lost, err := p.supersede(ctx, c, superseded)
	if err != nil {
		return m, a, err
	}

	if early, first := c.before(p.data.graph.End()); early > 0 && p.cfg.Early != nil {
		p.cfg.Early(early, first)
	}
	p.tell(StageCatalog, 0, 0)
	fresh := slices.Collect(c.interactions())
	for _, in := range fresh {
		if err := c.catalog.hashed("interaction", in); err != nil {
			return m, a, err
		}
	}
	if err := c.describe(ctx, p.reader.Wider); err != nil {
		return m, a, err
	}
	reviews, content, err := c.catalog.finish(ctx, old.Counts.Rows+1)
	if err != nil {
		return m, a, err
	}

	p.tell(StageGraph, 0, 0)
	log, err := old.late(p.data.dir)
	if err != nil {
		return m, a, err
	}
	log = append(log, fresh...)
	g, err := graph.OpenWith(old.Graph.path(p.data.dir, graphFile), log)
	if err != nil {
		return m, a, err
	}
	defer func() { err = errors.Join(err, g.Close()) }()

	a = Appended{
		Tool:   p.cfg.Tool,
		Recipe: Recipe{Format: p.reader.Name, Columns: maps.Clone(p.cfg.Columns), TimeLayout: p.cfg.TimeLayout},
		Source: c.source,
		Counts: AppendedCounts{
			Rows: c.counts.Rows, Interactions: len(fresh) - len(superseded), Earlier: len(superseded), Dropped: c.counts.Dropped,
			Users: g.Users() - p.data.graph.Users(), Items: c.counts.Items, KnownItems: c.knownItems, KnownUsers: c.knownUsers,
			LeftOut: c.counts.LeftOut, Reviews: reviews,
		},
		Notes:  append(c.notes(), c.bare(old)...),
		Before: old.Fingerprint(),
		SHA256: content,
	}
	if len(fresh) > 0 {
		a.First, a.Last = c.times()
	}
	if a.Counts.nothing() {
		return old, a, nil
	}
	m = old
	m.Version = Version
	m.Appends = append(slices.Clip(old.Appends), a)
	m.Counts = old.Counts.with(a.Counts, g)
	m.Counts.ItemRecords += c.counts.ItemRecords - c.counts.LeftOut
	m.Counts.UserRecords += c.counts.UserRecords
	m.Counts.Reviews -= lost
	if len(fresh) > 0 {
		m.First, m.Last = earlier(m.First, a.First), g.End().Add(-time.Second)
		m.Ratings = ratingsWith(old, c, g, len(superseded) > 0)
	}
	m.Delta, err = p.store(ctx, len(m.Appends), log)
	if err != nil {
		return m, a, err
	}
	return m, a, p.commit(ctx, m, p.tell)
}

// before counts the interactions from before a moment, and tells the first.
func (c *collector) before(end time.Time) (n int, first time.Time) {
	least := int64(math.MaxInt64)
	for _, e := range c.rows {
		if least = min(least, e.time); e.time < end.Unix()-1 {
			n++
		}
	}
	return n, time.Unix(least, 0).UTC()
}

// bare notes how many items come without a word on them to a data set that
// describes those it has.
func (c *collector) bare(old Manifest) []string {
	if c.counts.Items == 0 || len(c.records) > 0 || old.Counts.ItemRecords == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%d new items are known by their ids only: the source does not describe items", c.counts.Items)}
}

// read reads the source into a collector that knows the data set.
func (p *appending) read(ctx context.Context, source string) (_ *collector, err error) {
	if _, err := os.Stat(source); err != nil {
		return nil, err
	}
	tables := schema + schemaDelta
	if delta := p.data.manifest.Delta; delta != nil {
		if err := copyFile(delta.Catalog.path(p.data.dir, ""), p.path(catalogFile)); err != nil {
			return nil, err
		}
		tables = ""
	}
	catalog, err := openCatalogWriter(ctx, p.path(catalogFile), tables)
	if err != nil {
		return nil, err
	}
	spool, err := newSpool(p.path("items.spool"))
	if err != nil {
		catalog.abandon()
		return nil, err
	}
	c := newCollector(spool, catalog)
	c.stock = p.data.stock(ctx)
	opts := formats.Options{Columns: p.cfg.Columns, TimeLayout: p.cfg.TimeLayout,
		Progress: func(done, total int64) { p.tell(StageRead, done, total) }}
	if err := p.reader.Read(ctx, source, opts, c); err != nil {
		catalog.abandon()
		spool.close()
		return nil, err
	}
	return c, nil
}

// stock is what the data set has.
func (d *Dataset) stock(ctx context.Context) stock {
	all := d.graph.At(d.graph.End())
	return stock{
		item: func(id string) (bool, error) {
			if _, ok := all.Item(id); ok {
				return true, nil
			}
			_, ok, err := d.catalog.Item(ctx, id)
			return ok, err
		},
		user: func(id string) (bool, error) {
			if _, ok := all.User(id); ok {
				return true, nil
			}
			_, ok, err := d.catalog.User(ctx, id)
			return ok, err
		},
		rows: d.manifest.Counts.Rows,
	}
}

// supersede drops the reviews that are of later events than those appended, and
// returns how many there were.
func (p *appending) supersede(ctx context.Context, c *collector, rows []entry) (lost int, err error) {
	for _, e := range rows {
		user, item := c.userIDs.ids[e.user], c.itemIDs.ids[e.item]
		had, err := p.data.catalog.Reviews(ctx, tasks.ReviewQuery{User: user, Item: item, Before: p.data.graph.End(), Limit: 1})
		if err != nil {
			return 0, err
		}
		lost += len(had)
		if err := c.catalog.supersede(ctx, user, item, c.stock.rows+1); err != nil {
			return 0, err
		}
	}
	return lost, nil
}

// against drops the rows of whose pair the graph has an event that is as early.
// It returns their numbers, and the rows of whose pair it has a later one. The
// rows are settled.
func (c *collector) against(g *graph.Graph) (late []int, superseded []entry) {
	all := g.At(g.End())
	var user uint32
	var known bool
	had := map[graph.Item]graph.Event{}
	kept := c.rows[:0]
	for k, e := range c.rows {
		if k == 0 || e.user != user {
			clear(had)
			var u graph.User
			if u, known = all.User(c.userIDs.ids[e.user]); known {
				for _, event := range all.History(u) {
					had[event.Item] = event
				}
			}
			user = e.user
		}
		if known {
			if i, ok := all.Item(c.itemIDs.ids[e.item]); ok {
				if event, ok := had[i]; ok {
					if then := event.Time.Unix(); then < e.time || then == e.time && event.Rating >= e.rating {
						late = append(late, int(e.row))
						continue
					}
					superseded = append(superseded, e)
				}
			}
		}
		kept = append(kept, e)
	}
	c.rows = kept
	return late, superseded
}

// with are the counts after an append that made the graph.
func (n Counts) with(a AppendedCounts, g *graph.Graph) Counts {
	n.Rows += a.Rows
	n.Dropped = maps.Clone(n.Dropped)
	for reason, k := range a.Dropped {
		n.Dropped[reason] += k
	}
	n.Dropped[DuplicatePair] += a.Earlier // the events that were there
	n.Interactions, n.Users = g.Interactions(), g.Users()
	n.Items += a.Items
	n.IdleItems = n.Items - g.Items()
	n.Reviews += a.Reviews
	return n
}

// earlier returns the earlier of two times.
func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// ratingsWith returns the ratings of a data set and of what is appended to it.
// Where ratings went, all are looked at again: those that went may have been the
// least or the most.
func ratingsWith(old Manifest, c *collector, g *graph.Graph, gone bool) Ratings {
	if !gone {
		a, b, n := old.Ratings, c.ratings(), float64(old.Counts.Interactions)
		rated := math.Round(a.Share*n) + math.Round(b.Share*float64(len(c.rows)))
		switch {
		case a.Share == 0:
			a.Min, a.Max = b.Min, b.Max
		case b.Share > 0:
			a.Min, a.Max = min(a.Min, b.Min), max(a.Max, b.Max)
		}
		a.Share = rated / (n + float64(len(c.rows)))
		return a
	}
	all := g.At(g.End())
	return ratingsOf(func(yield func(float32) bool) {
		for u := range all.AllUsers() {
			for _, e := range all.History(u) {
				if !yield(e.Rating) {
					return
				}
			}
		}
	})
}

// copyFile copies a file to where there is none.
func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
