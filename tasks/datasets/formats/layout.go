package formats

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// layout is a format as this package writes it down: how its files are known,
// and in which order they are read.
type layout struct {
	name, about string
	wider       bool     // see [Reader]
	plain       bool     // tables whose columns may have any name
	mapped      []string // of a format that is not plain: roles whose column may be mapped

	// detect says by what a folder is known as this format; "" if it is not.
	detect func(folder) string

	// parts returns the files to read, what is said of items and users before
	// the first interaction.
	parts func(folder, Options) ([]part, error)
}

// part is one file of a layout, and how it is read.
type part struct {
	name   string // plain; a part that the folder lacks is passed over
	read   func(context.Context, *input) error
	clock  clock
	latin1 bool // it may be in ISO-8859-1, as the older MovieLens files are
	notes  []string
}

func (l layout) reader() Reader {
	return Reader{
		Name: l.name, About: l.about, Wider: l.wider, Read: l.read,
		Detect: func(path string) string {
			d, err := openFolder(path)
			if err != nil {
				return ""
			}
			return l.detect(d)
		},
	}
}

func (l layout) read(ctx context.Context, path string, opts Options, sink Sink) error {
	if err := l.check(opts); err != nil {
		return err
	}
	d, err := openFolder(path)
	if err != nil {
		return err
	}
	parts, err := l.parts(d, opts)
	if err != nil {
		return err
	}
	parts = slices.DeleteFunc(parts, func(p part) bool { return !d.has(p.name) })
	f := &feed{folder: d, opts: opts, sink: sink}
	for _, p := range parts {
		info, err := os.Stat(filepath.Join(d.path, d.files[p.name]))
		if err != nil {
			return err
		}
		f.total += info.Size()
	}
	for _, p := range parts {
		if err := f.read(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// check refuses the options that the format has no use for: an option that is
// silently ignored would be taken for one that works.
func (l layout) check(o Options) error {
	if o.TimeLayout != "" && !l.plain {
		return fmt.Errorf("%w: %s: how times are written is fixed: a time layout is for plain tables", ErrOptions, l.name)
	}
	if day := time.Date(2017, 11, 23, 21, 34, 56, 0, time.UTC); o.TimeLayout != "" && day.Format(o.TimeLayout) == o.TimeLayout {
		return fmt.Errorf("%w: the time layout %q has none of the parts 2006, 01, 02, 15, 04, 05", ErrOptions, o.TimeLayout)
	}
	for _, role := range slices.Sorted(maps.Keys(o.Columns)) {
		_, known := aliases[role]
		switch {
		case !l.plain && !slices.Contains(l.mapped, role):
			return fmt.Errorf("%w: %s: the column of %q is fixed: a column mapping is for plain tables", ErrOptions, l.name, role)
		case !known:
			return fmt.Errorf("%w: no column plays the role %q: want one of %s", ErrOptions, role, strings.Join(slices.Sorted(maps.Keys(aliases)), ", "))
		}
	}
	return nil
}
