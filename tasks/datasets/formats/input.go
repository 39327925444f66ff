package formats

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
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

// feed prepares the reading of some of the folder's files.
func (d folder) feed(opts Options, sink Sink, names ...string) (*feed, error) {
	f := &feed{folder: d, opts: opts, sink: sink}
	for _, name := range names {
		info, err := os.Stat(filepath.Join(d.path, name))
		if err != nil {
			return nil, err
		}
		f.total += info.Size()
	}
	return f, nil
}

// read opens a file, unpacked where it is compressed, lets do read its rows,
// and tells the sink when that went well. The rest of the file is read too, so
// that the hash is of all of it.
func (f *feed) read(ctx context.Context, name string, do func(*input) error) error {
	file, err := os.Open(filepath.Join(f.folder.path, name))
	if err != nil {
		return err
	}
	defer file.Close()

	in := &input{feed: f, disk: file, hash: sha256.New()}
	in.Name = name
	defer func() {
		for _, c := range in.closers {
			c.Close()
		}
	}()
	for _, twin := range f.folder.twins[name] {
		in.note("%s was left unread: the same name, packed in another way", twin)
	}
	raw := bufio.NewReaderSize(diskReader{in}, 1<<18)
	unpacked, err := unpack(raw)
	if err != nil {
		return in.broken(err)
	}
	defer unpacked.Close()
	in.text = bufio.NewReaderSize(unpacked, 1<<16)

	if err := do(in); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, raw); err != nil {
		return in.broken(err)
	}
	if in.Rows == 0 {
		return &Error{File: name, Want: "rows", Got: "none"}
	}
	in.tell()
	return nil
}

// input is one file while it is read.
type input struct {
	File
	feed *feed
	line int  // the line that was read last, from 1
	row  int  // the line on which the row that was read last begins
	old  bool // the file may be in ISO-8859-1, as the older MovieLens files are

	disk io.Reader
	hash hash.Hash
	text *bufio.Reader
	long []byte // a line that is longer than the reader's buffer

	closers []io.Closer // opened beside disk
}

// diskReader counts and hashes what is read from disk.
type diskReader struct{ in *input }

func (r diskReader) Read(p []byte) (int, error) {
	n, err := r.in.disk.Read(p)
	r.in.hash.Write(p[:n])
	r.in.Bytes += int64(n)
	r.in.feed.done += int64(n)
	if f := r.in.feed; f.opts.Progress != nil && n > 0 {
		f.opts.Progress(f.done, f.total)
	}
	return n, err
}

// tell reports the file to the sink.
func (in *input) tell() {
	in.SHA256 = hex.EncodeToString(in.hash.Sum(nil))
	in.feed.sink.File(in.File)
}

// next returns the next line without its end, as UTF-8, or io.EOF. It is valid
// until the next call.
func (in *input) next(ctx context.Context) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	in.line++
	line, err := in.readLine()
	if err == io.EOF {
		return nil, io.EOF
	}
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
	if in.old {
		in.note("read as ISO-8859-1")
		return charmap.ISO8859_1.NewDecoder().Bytes(line)
	}
	i := invalid(line)
	return nil, in.fail(in.line, "UTF-8", fmt.Sprintf("byte 0x%02x in column %d", line[i], i+1))
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
