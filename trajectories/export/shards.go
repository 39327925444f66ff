package export

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"regexp"

	"github.com/mars-rec/mars/trajectories"
)

// writeRows writes the rows, in one file train.jsonl, or in shards
// train-00000.jsonl and on, of at most so many rows. There is always a first
// file, if only an empty one.
func (m *Manifest) writeRows(ctx context.Context, dir string, s *sheet, most int, groups iter.Seq2[Group, error]) error {
	next, stop := iter.Pull2(s.each(groups))
	defer stop()
	g, err, more := next()
	for first := true; first || more; first = false {
		name := "train." + string(s.as)
		if most > 0 {
			name = fmt.Sprintf("train-%05d.%s", len(m.Files), s.as)
		}
		before := s.n
		shard := func(yield func(Group, error) bool) {
			for n := 0; more && (most == 0 || n < most); n++ {
				if !yield(g, err) {
					return
				}
				g, err, more = next()
			}
		}
		f, err := replace(filepath.Join(dir, name), func(w io.Writer) error {
			if s.as == JSONL {
				w = &longest{w, &m.Longest}
			}
			return s.Export(ctx, w, shard)
		})
		if err != nil {
			return err
		}
		f.Rows = s.n - before
		m.Rows += f.Rows
		m.Files = append(m.Files, f)
	}
	return nil
}

// each parts groups so that one group makes one row.
func (s *sheet) each(groups iter.Seq2[Group, error]) iter.Seq2[Group, error] {
	if s.task {
		return groups
	}
	return func(yield func(Group, error) bool) {
		for g, err := range groups {
			if err != nil {
				yield(g, err)
				return
			}
			for _, t := range g.Runs {
				if !yield(Group{g.Gold, []*trajectories.Trajectory{t}}, nil) {
					return
				}
			}
		}
	}
}

// longest notes the longest row: rows are written one by one.
type longest struct {
	w io.Writer
	n *int
}

func (l *longest) Write(b []byte) (int, error) {
	*l.n = max(*l.n, len(b)-1) // without the line's end
	return l.w.Write(b)
}

var rowFile = regexp.MustCompile(`^train(-\d{5,})?\.(jsonl|parquet)$`)

// removeOther removes rows of an earlier export, which a trainer that reads all
// of a directory would take too.
func removeOther(dir string, keep []File) error {
	kept := map[string]bool{}
	for _, f := range keep {
		kept[f.Name] = true
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	for _, f := range files {
		if rowFile.MatchString(f.Name()) && !kept[f.Name()] {
			err = errors.Join(err, os.Remove(filepath.Join(dir, f.Name())))
		}
	}
	return err
}
