package datasets

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/mars-rec/mars/graph"
	"github.com/mars-rec/mars/tasks"
)

// CompactConfig is how to compact. The zero value works.
type CompactConfig struct {
	Workers int // at work at once; 0: as many as there are processors

	// Progress, if set, is told the stage of the work: graph, catalog, sync.
	Progress func(stage string, done, total int64)
}

// Compact folds into a data set what was appended to it, so that opening it and
// asking it cost what they cost after an import. No answer changes, and neither
// does the fingerprint. Whoever opens the data set at any moment finds it as it
// was or compacted; who has it open goes on with it. It returns false where
// nothing was appended since the last time.
//
// It takes 32 bytes of memory an interaction, and room on the disk for the graph
// and the catalog once more. While another process appends or compacts, the
// error is [ErrBusy].
func Compact(ctx context.Context, dir string, cfg CompactConfig) (m Manifest, done bool, err error) {
	w, err := openWriter(dir)
	if err != nil {
		return m, false, fmt.Errorf("compact: %w", err)
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	if m = w.data.manifest; m.Delta == nil {
		return m, false, nil
	}
	if m, err = w.compact(ctx, cfg); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return Manifest{}, false, fmt.Errorf("compact %s: %w", dir, err)
	}
	return m, true, nil
}

func (w *writer) compact(ctx context.Context, cfg CompactConfig) (Manifest, error) {
	tell := func(stage string, done, total int64) {
		if cfg.Progress != nil {
			cfg.Progress(stage, done, total)
		}
	}
	m := w.data.manifest
	m.Delta = nil
	tell(StageGraph, 0, 0)
	folded, err := w.data.graph.Folded(graph.BuildConfig{Workers: cfg.Workers})
	if err != nil {
		return m, err
	}
	if err := errors.Join(folded.Save(w.path(graphFile)), folded.Close()); err != nil {
		return m, err
	}
	if m.Graph, err = store(ctx, w.path(graphFile)); err != nil {
		return m, err
	}
	tell(StageCatalog, 0, 0)
	content, err := w.data.catalog.fold(ctx, w.path(catalogFile))
	if err != nil {
		return m, err
	}
	if m.Catalog, err = store(ctx, w.path(catalogFile)); err != nil {
		return m, err
	}
	m.Catalog.Content = content
	n := len(m.Appends)
	m.Graph.File, m.Catalog.File = fmt.Sprintf("graph-%d.bin", n), fmt.Sprintf("catalog-%d.db", n)
	return m, w.commit(ctx, m, tell)
}

// fold writes a catalog with all that this one and what was appended to it say.
// It returns the hash of its content.
func (c *catalog) fold(ctx context.Context, path string) (content string, err error) {
	w, err := newCatalogWriter(ctx, path)
	if err != nil {
		return "", err
	}
	defer w.abandon()
	text := queries(c.late)
	err = c.each(ctx, text.allItems, func(scan func(...any) error) error {
		var item tasks.Item
		var categories, creators []byte
		if err := scan(&item.ID, &item.Title, &categories, &creators, &item.Year, &item.Text); err != nil {
			return err
		}
		if err := errors.Join(json.Unmarshal(categories, &item.Categories), json.Unmarshal(creators, &item.Creators)); err != nil {
			return fmt.Errorf("item %s: %w", item.ID, err)
		}
		return w.item(item)
	})
	if err != nil {
		return "", err
	}
	err = c.each(ctx, text.allUsers, func(scan func(...any) error) error {
		var user tasks.User
		if err := scan(&user.ID, &user.Name); err != nil {
			return err
		}
		return w.user(user)
	})
	if err != nil {
		return "", err
	}
	err = c.each(ctx, text.allReviews, func(scan func(...any) error) error {
		var row int
		var in graph.Interaction
		var text string
		if err := scan(&row, &in.User, &in.Item, &in.Time, &in.Rating, &text); err != nil {
			return err
		}
		return w.review(row, in, text)
	})
	if err != nil {
		return "", err
	}
	_, content, err = w.finish(ctx, 0)
	return content, err
}

// each calls do for each row that a query finds.
func (c *catalog) each(ctx context.Context, query string, do func(scan func(...any) error) error) error {
	rows, err := c.db.QueryContext(ctx, query)
	if err != nil {
		return fmt.Errorf("catalog: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := do(rows.Scan); err != nil {
			return fmt.Errorf("catalog: %w", err)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("catalog: %w", err)
	}
	return nil
}
