package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mars-rec/mars/graph/ego"
	"github.com/mars-rec/mars/internal/atomicfile"
	"github.com/mars-rec/mars/tasks/datasets"
	"github.com/mars-rec/mars/tools/translate"
)

// drawing is what `mars graph draw` is asked for.
type drawing struct {
	seen       toolFlags // data, moment, user
	item, out  string
	k, support int
	neighbours int
}

func graphDrawCommand(a *app) *cobra.Command {
	var d drawing
	c := &cobra.Command{
		Use:   "draw",
		Short: "Show why an item is recommended, or what is around an item or a user",
		Long: strings.TrimSpace(`
Show the strongest paths from a user to an item: through what the user has
(Item-CF) and through the nearest users who have the item (User-CF), with the
numbers behind each, as of a moment. With --item alone: who had it last, and the
items nearest to it. With --user alone: what the user had last, and the nearest
users.

The paths are told as text. --out FILE.svg draws them too: a picture for any
browser, light or dark. --out FILE.dot writes them for Graphviz.`),
		Example: `  mars graph draw --data data/ml --user 42 --item 318 --out why.svg
  mars graph draw --data data/ml --user 42 --item 318 --as-of 2018-01-31 --json
  mars graph draw --data data/ml --item 318 --out around.dot
  mars graph draw --data data/ml --user 42`,
		Args: exactly(),
		RunE: func(c *cobra.Command, _ []string) error { return a.draw(c.Context(), d) },
	}
	f := c.Flags()
	f.StringVar(&d.seen.data, "data", "", "data set directory")
	f.StringVar(&d.seen.asOf, "as-of", "", "moment: 2018-01-31, a time in RFC 3339, or a quantile of the log as q80 (default: after the last interaction)")
	f.StringVar(&d.seen.user, "user", "", "user id")
	f.StringVar(&d.item, "item", "", "item id")
	f.StringVar(&d.out, "out", "", "file to draw to: .svg or .dot")
	f.IntVar(&d.k, "k", ego.DefaultK, "paths of each kind, or neighbours")
	f.IntVar(&d.neighbours, "neighbours", 50, "nearest users that User-CF asks")
	f.IntVar(&d.support, "support", 2, "least number of users or items in common")
	return c
}

// check refuses flags that mean nothing, and returns how the file is written.
func (d drawing) check() (func(*ego.Ego, io.Writer) error, error) {
	switch {
	case d.seen.data == "":
		return nil, &fault{err: errors.New("graph draw needs --data DIR"), kind: "usage", hint: "mars import makes a data set directory"}
	case d.seen.user == "" && d.item == "":
		return nil, usagef("graph draw needs --user U, --item I, or both: both tell why the item is recommended to the user")
	case d.k < 1 || d.k > ego.MaxK:
		return nil, usagef("--k %d: want 1 to %d", d.k, ego.MaxK)
	case d.neighbours < 1 || d.support < 1:
		return nil, usagef("--neighbours and --support are at least 1")
	}
	switch ext := strings.ToLower(filepath.Ext(d.out)); {
	case d.out == "":
		return nil, nil
	case ext == ".svg":
		return (*ego.Ego).SVG, nil
	case ext == ".dot" || ext == ".gv":
		return (*ego.Ego).DOT, nil
	}
	return nil, usagef("--out %s: want a name that ends in .svg (a picture) or .dot (for Graphviz)", d.out)
}

func (a *app) draw(ctx context.Context, d drawing) (err error) {
	write, err := d.check()
	if err != nil {
		return err
	}
	set, err := datasets.Open(d.seen.data)
	if err != nil {
		return hinted(err, "mars import makes a data set directory")
	}
	defer func() { err = errors.Join(err, set.Close()) }()
	words := translate.For(set.Manifest().Recipe.Format)
	e, err := d.ego(ctx, set, words)
	if unknown := (*ego.Unknown)(nil); errors.As(err, &unknown) {
		return &fault{err: err, kind: "usage", hint: fmt.Sprintf("--%s takes an id as the log has it; a later --as-of may know it", unknown.Kind)}
	}
	if err != nil {
		return err
	}
	if write != nil {
		var picture bytes.Buffer
		if err := write(e, &picture); err != nil {
			return err
		}
		if err := atomicfile.Write(d.out, func(w io.Writer) error { _, err := picture.WriteTo(w); return err }); err != nil {
			return err
		}
	}
	if err := a.print(e, func(w io.Writer) { writePaths(w, words, e) }); err != nil {
		return err
	}
	switch {
	case a.json:
	case write != nil:
		a.notef("%s: %d nodes, %d edges", d.out, len(e.Nodes), len(e.Edges))
	default:
		a.notef("next: the same with --out why.svg draws it")
	}
	return nil
}

// ego asks the graph as of the moment; titles come from the catalog.
func (d drawing) ego(ctx context.Context, set *datasets.Dataset, words translate.Words) (*ego.Ego, error) {
	task, err := d.seen.view(ctx, set)
	if err != nil {
		return nil, err
	}
	view, err := set.View(task)
	if err != nil {
		return nil, err
	}
	cfg := ego.Config{K: d.k, Neighbours: d.neighbours, Support: d.support, Verb: words.Did(), Title: func(item string) (string, error) {
		name, err := translate.Name(ctx, view, item)
		return name.Title, err
	}}
	switch {
	case d.item == "":
		return ego.AroundUser(view.Cut(), d.seen.user, cfg)
	case d.seen.user == "":
		return ego.AroundItem(view.Cut(), d.item, cfg)
	}
	return ego.Why(view.Cut(), d.seen.user, d.item, cfg)
}
