package export

import (
	"context"
	"fmt"
	"io"
	"iter"
	"sync"

	"github.com/parquet-go/parquet-go"

	"github.com/mars-rec/mars/internal/inorder"
	"github.com/mars-rec/mars/message"
	"github.com/mars-rec/mars/message/rawjson"
	"github.com/mars-rec/mars/model"
	"github.com/mars-rec/mars/tasks/gold"
	"github.com/mars-rec/mars/trajectories/filter"
)

// Format is how rows are written to a file.
type Format string

// The formats. Parquet is compressed with Snappy, which all readers know.
const (
	JSONL   Format = "jsonl"
	Parquet Format = "parquet"
)

// bench is what the rows of all consumers are made with.
type bench struct {
	cfg   Config
	name  string
	tools string          // as chat templates print them
	names map[string]bool // of the tools
}

// conversation tells a run and holds it against the promises of the package.
func (b *bench) conversation(t *filter.Sample, g gold.Gold) ([]model.Message, error) {
	messages, err := t.Conversation(b.cfg.Linear)
	if err != nil {
		return nil, err
	}
	return messages, lint(t, messages, g, b.names, b.cfg.Linear.Detail)
}

// sheet writes rows of one type: what a consumer's file says is only how a row
// is made.
type sheet struct {
	*bench
	as     Format
	schema *parquet.Schema
	// task: one row for each task, not for each run.
	task  bool
	split string // that the rows are of
	// row makes a row of a run; n counts the rows before it.
	row func(t *filter.Sample, g gold.Gold, n int) (any, error)
	n   int
}

// numbered is a run that a row is to be made of, and how many rows come before.
type numbered struct {
	run  *filter.Sample
	gold gold.Gold
	n    int
}

// runs yields the runs that rows are to be made of.
func (s *sheet) runs(groups iter.Seq2[Group, error]) iter.Seq2[numbered, error] {
	return func(yield func(numbered, error) bool) {
		n := s.n
		for g, err := range groups {
			if err != nil {
				yield(numbered{}, err)
				return
			}
			for i, t := range g.Runs {
				if s.task && i > 0 {
					break
				}
				if !yield(numbered{t, g.Gold, n}, nil) {
					return
				}
				n++
			}
		}
	}
}

// Export implements [Exporter]. Rows are made several at a time, and written in
// order. They are numbered on from call to call.
func (s *sheet) Export(ctx context.Context, w io.Writer, groups iter.Seq2[Group, error]) error {
	out := s.writer(w)
	for row, err := range inorder.Map(ctx, s.cfg.atOnce(), s.runs(groups), func(ctx context.Context, r numbered) (any, error) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		row, err := s.row(r.run, r.gold, r.n)
		if err == nil {
			row, err = out.encode(row)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: run %s: %w", s.name, r.run.Run.ID, err)
		}
		return row, nil
	}) {
		if err != nil {
			return err
		}
		if err := out.write(row); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		s.n++
	}
	if err := out.close(); err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	return nil
}

// rows writes one row after another. After close the file is whole.
type rows interface {
	// encode does of the writing what needs no other row; it may be called for
	// several rows at once. What it returns is for write.
	encode(row any) (any, error)
	write(encoded any) error
	close() error
}

func (s *sheet) writer(w io.Writer) rows {
	if s.as == Parquet {
		return &parquetRows{w: parquet.NewWriter(w, s.schema,
			parquet.Compression(&parquet.Snappy), parquet.CreatedBy("mars", "", ""))}
	}
	return &lines{w: w}
}

// lines writes JSON, one row a line, each in one write.
type lines struct {
	w    io.Writer
	free sync.Pool // of lines that were written, for others
}

func (l *lines) encode(row any) (any, error) {
	line, ok := l.free.Get().(*[]byte)
	if !ok {
		line = new([]byte)
	}
	w := rawjson.NewWriter((*line)[:0])
	writeRow(w, row)
	text, ok := w.Done()
	if !ok {
		var err error
		if text, err = message.Marshal(row); err != nil {
			return nil, err
		}
	}
	*line = append(text, '\n')
	return line, nil
}

func (l *lines) write(encoded any) error {
	line := encoded.(*[]byte)
	_, err := l.w.Write(*line)
	l.free.Put(line)
	return err
}

func (l *lines) close() error { return nil }

// rowGroup is how many bytes a row group of a parquet file has before it is
// compressed: writer and readers keep one in memory, and the writer an index of
// each that is written.
const rowGroup = 16 << 20

type parquetRows struct {
	w    *parquet.Writer
	size int // of the row group so far, in bytes
}

// encode takes a row apart into the values of its columns.
func (p *parquetRows) encode(row any) (any, error) {
	return p.w.Schema().Deconstruct(nil, row), nil
}

func (p *parquetRows) write(encoded any) error {
	row := encoded.(parquet.Row)
	if _, err := p.w.WriteRows([]parquet.Row{row}); err != nil {
		return err
	}
	for _, value := range row {
		const number = 8 // and more than a null takes
		p.size += number
		if value.Kind() == parquet.ByteArray {
			p.size += len(value.ByteArray())
		}
	}
	if p.size < rowGroup {
		return nil
	}
	p.size = 0
	return p.w.Flush()
}

func (p *parquetRows) close() error { return p.w.Close() }
