package export

import (
	"context"
	"fmt"
	"io"
	"iter"
	"path/filepath"
)

// writeRows writes the rows of a split, in one file train.jsonl, or in shards
// train-00000.jsonl and on, of at most so many rows. There is always a first
// file, if only an empty one.
func (w *side) writeRows(ctx context.Context, groups iter.Seq2[Group, error]) error {
	next, stop := iter.Pull2(groups)
	defer stop()
	most := w.cfg.ShardRows
	g, err, more := next()
	for first := true; first || more; first = false {
		name := w.Split + "." + string(w.sheet.as)
		if most > 0 {
			name = fmt.Sprintf("%s-%05d.%s", w.Split, len(w.files), w.sheet.as)
		}
		before := w.sheet.n
		shard := func(yield func(Group, error) bool) {
			for n := 0; more && (most == 0 || n < most); n++ {
				if !yield(g, err) {
					return
				}
				g, err, more = next()
			}
		}
		f, err := replace(filepath.Join(w.dir, name), func(out io.Writer) error {
			if w.sheet.as == JSONL {
				out = &longest{out, &w.longest}
			}
			return w.sheet.Export(ctx, out, shard)
		})
		if err != nil {
			return err
		}
		f.Split, f.Rows = w.Split, w.sheet.n-before
		w.Rows += f.Rows
		w.files = append(w.files, f)
	}
	w.Users = len(w.users)
	return nil
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
