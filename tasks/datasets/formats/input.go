package formats

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// maxLine bounds a line, and a quoted row that spans lines.
const maxLine = 16 << 20

// feed is one call of a reader: what it was asked, and whom it tells.
type feed struct {
	folder folder
	opts   Options
	sink   Sink
	done   int64 // bytes on disk, of all files
	total  int64
}

// read opens a part's file, unpacked where it is compressed, reads its rows,
// and tells the sink when that went well. The rest of the file is read too, so
// that the hash is of all of it.
func (f *feed) read(ctx context.Context, p part) error {
	name := f.folder.files[p.name]
	disk, err := os.Open(filepath.Join(f.folder.path, name))
	if err != nil {
		return err
	}
	defer disk.Close()
	in := &input{File: File{Name: name, Notes: slices.Clone(p.notes)}, feed: f, clock: p.clock, latin1: p.latin1, disk: disk}
	for _, twin := range f.folder.twins[name] {
		in.note("%s was left unread: the same name, packed in another way", twin)
	}
	hash := sha256.New()
	raw := bufio.NewReaderSize(readerFunc(func(b []byte) (int, error) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		n, err := disk.Read(b)
		hash.Write(b[:n])
		in.Bytes += int64(n)
		f.done += int64(n)
		if f.opts.Progress != nil && n > 0 {
			f.opts.Progress(f.done, f.total)
		}
		return n, err
	}), 1<<18)
	if err := in.readAll(ctx, raw, p); err != nil {
		if ctx.Err() != nil {
			return ctx.Err() // whatever it is that noticed
		}
		return err
	}
	in.SHA256 = hex.EncodeToString(hash.Sum(nil))
	f.sink.File(in.File)
	return nil
}

// readAll reads a part from what is on disk, to its end.
func (in *input) readAll(ctx context.Context, raw *bufio.Reader, p part) error {
	unpacked, err := unpack(raw)
	if err != nil {
		return in.broken(err)
	}
	defer unpacked.Close()
	in.text = bufio.NewReaderSize(unpacked, 1<<16)
	if err := p.read(ctx, in); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, raw); err != nil {
		return in.broken(err)
	}
	if in.Rows == 0 {
		return in.fail(0, "rows", "none")
	}
	return nil
}

// readerFunc is a function that reads.
type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

// input is one file while it is read.
type input struct {
	File
	feed   *feed
	clock  clock
	latin1 bool  // see [part]
	line   int   // the line that was read last, from 1
	row    int   // the line on which the row that was read last begins
	open   bool  // the line that was read last has no end: the file's last
	cut    bool  // so has the row, so that the end of its last field may be missing
	first  int64 // the earliest time of the rows before it, in Unix seconds; 0: none

	disk *os.File
	text *bufio.Reader
	long []byte // a line that is longer than the reader's buffer
}

// next returns the next line without its end, as UTF-8, or io.EOF. It is valid
// until the next call.
func (in *input) next() ([]byte, error) {
	in.line++
	line, err := in.readLine()
	if err != nil {
		return nil, err
	}
	if in.line == 1 {
		if line, err = in.firstLine(line); err != nil {
			return nil, err
		}
	}
	if i := bytes.IndexByte(line, 0); i >= 0 {
		return nil, in.fail(in.line, "text", fmt.Sprintf("a NUL byte in column %d", i+1))
	}
	if utf8.Valid(line) {
		return line, nil
	}
	if in.latin1 {
		in.note("read as ISO-8859-1")
		return charmap.ISO8859_1.NewDecoder().Bytes(line)
	}
	i := invalid(line)
	return nil, in.fail(in.line, "UTF-8", fmt.Sprintf("byte 0x%02x in column %d", line[i], i+1))
}

// rowLine returns the next line that is not blank, as next does: a row.
func (in *input) rowLine() ([]byte, error) {
	line, err := in.next()
	for err == nil && len(bytes.TrimLeft(line, " ")) == 0 {
		line, err = in.next()
	}
	in.row = in.line
	return line, err
}

// readLine reads up to a line end, which it cuts off, or the end of the file.
func (in *input) readLine() ([]byte, error) {
	in.long = in.long[:0]
	for {
		part, err := in.text.ReadSlice('\n')
		if len(in.long)+len(part) > maxLine {
			return nil, in.fail(in.line, fmt.Sprintf("lines of at most %d bytes", maxLine), "a longer one")
		}
		switch {
		case err == nil && len(in.long) == 0:
			return trimEnd(part), nil
		case err == bufio.ErrBufferFull:
			in.long = append(in.long, part...)
		case err == nil, err == io.EOF && len(in.long)+len(part) > 0:
			in.open = err == io.EOF
			in.long = append(in.long, part...)
			return trimEnd(in.long), nil
		case err == io.EOF:
			return nil, io.EOF
		default:
			return nil, in.broken(err)
		}
	}
}

// firstLine takes off a byte order mark, and names the usual ways in which a
// file is not text at all.
func (in *input) firstLine(line []byte) ([]byte, error) {
	line = bytes.TrimPrefix(line, []byte("\xef\xbb\xbf"))
	if what := foreign(line); what != "" {
		return nil, in.fail(1, "the data", what)
	}
	return line, nil
}

// foreign names what kind of file begins with these bytes, if it is not text.
func foreign(head []byte) string {
	for _, kind := range []struct{ magic, name string }{
		{"\xff\xfe", "UTF-16 text"}, {"\xfe\xff", "UTF-16 text"},
		{"PK\x03\x04", "a zip archive (unpack it first)"}, {"BZh", "a bzip2 file (unpack it first)"},
		{"\xfd7zXZ", "an xz file (unpack it first)"}, {"PAR1", "a parquet file"}, {"SQLite format 3", "an SQLite database"},
		{"%PDF", "a PDF"}, {"version https://git-lfs", "a Git LFS pointer"},
	} {
		if bytes.HasPrefix(head, []byte(kind.magic)) {
			return kind.name
		}
	}
	head = bytes.ToLower(bytes.TrimSpace(head))
	if bytes.HasPrefix(head, []byte("<!doctype")) || bytes.HasPrefix(head, []byte("<html")) {
		return "an HTML page"
	}
	return ""
}

// broken turns an error of the packing into one that says so.
func (in *input) broken(err error) error {
	var p packError
	switch {
	case errors.As(err, &p) && errors.Is(err, io.ErrUnexpectedEOF):
		return in.fail(in.line, "a whole "+p.kind+" stream", fmt.Sprintf("its end cut off, after %d bytes", in.Bytes))
	case errors.As(err, &p):
		return in.fail(in.line, "a sound "+p.kind+" stream", p.err.Error())
	}
	return fmt.Errorf("%s: %w", in.Name, err)
}

// fail makes the error of a line.
func (in *input) fail(line int, want, got string) error {
	return &Error{File: in.Name, Line: line, Want: want, Got: got}
}

// failRow makes the error of the row that was read last.
func (in *input) failRow(want, got string) error { return in.fail(in.row, want, got) }

// note says once how the file was read.
func (in *input) note(format string, args ...any) {
	if s := fmt.Sprintf(format, args...); !slices.Contains(in.Notes, s) {
		in.Notes = append(in.Notes, s)
	}
}

// drop counts the row that was read last as not usable.
func (in *input) drop(reason Reason) {
	if in.Dropped == nil {
		in.Dropped = make(map[Reason]int)
	}
	in.Dropped[reason]++
}

func trimEnd(line []byte) []byte {
	return bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
}

// invalid returns where the first byte stands that is not UTF-8.
func invalid(line []byte) int {
	for i := 0; i < len(line); {
		r, n := utf8.DecodeRune(line[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return len(line)
}
