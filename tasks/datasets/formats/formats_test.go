package formats

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/rogpeppe/go-internal/txtar"
	"golang.org/x/text/encoding/charmap"

	"github.com/mars-rec/mars/graph"
	"github.com/mars-rec/mars/tasks"
)

var update = flag.Bool("update", false, "write what the readers read into the fixtures")

// recorder writes down what a reader reads.
type recorder struct {
	bytes.Buffer
	files  []File
	stop   error // returned by the first interaction, if set
	items  map[string]tasks.Item
	pairs  map[[2]string]bool
	events int
}

func newRecorder() *recorder {
	return &recorder{items: make(map[string]tasks.Item), pairs: make(map[[2]string]bool)}
}

func (r *recorder) Item(i tasks.Item) error {
	r.items[i.ID] = i
	fmt.Fprintf(r, "item %s | %s | %d | %s | %s | %s\n", i.ID, i.Title, i.Year, strings.Join(i.Categories, ", "), strings.Join(i.Creators, ", "), i.Text)
	return nil
}

func (r *recorder) User(u tasks.User) error {
	fmt.Fprintf(r, "user %s | %s\n", u.ID, u.Name)
	return nil
}

func (r *recorder) Interaction(in graph.Interaction, review string) error {
	r.events++
	r.pairs[[2]string{in.User, in.Item}] = true
	fmt.Fprintf(r, "%s -> %s | %d | %v | %s\n", in.User, in.Item, in.Time, in.Rating, review)
	return r.stop
}

func (r *recorder) File(f File) {
	r.files = append(r.files, f)
	fmt.Fprintf(r, "file %s: %d rows", f.Name, f.Rows)
	for _, reason := range slices.Sorted(maps.Keys(f.Dropped)) {
		fmt.Fprintf(r, ", %d %s", f.Dropped[reason], reason)
	}
	fmt.Fprintln(r)
	for _, note := range f.Notes {
		fmt.Fprintf(r, "note %s\n", note)
	}
}

// fixture is a txtar file: its comment says how to read the files in it, one
// "key value" a line, and the file called want is what comes out.
type fixture struct {
	archive *txtar.Archive
	format  string
	path    string // of the file to read; "" for the directory
	latin1  map[string]bool
	opts    Options
}

func openFixture(t *testing.T, name string) *fixture {
	t.Helper()
	archive, err := txtar.ParseFile(name)
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{archive: archive, latin1: make(map[string]bool), opts: Options{Columns: make(map[string]string)}}
	for line := range strings.Lines(string(archive.Comment)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch key {
		case "format":
			f.format = value
		case "path":
			f.path = value
		case "latin1":
			f.latin1[value] = true
		case "column":
			role, column, _ := strings.Cut(value, "=")
			f.opts.Columns[role] = column
		case "layout":
			f.opts.TimeLayout = value
		case "":
		default:
			t.Fatalf("%s: unknown key %q", name, key)
		}
	}
	return f
}

// data returns the file called name from the archive.
func (f *fixture) data(name string) string {
	for _, file := range f.archive.Files {
		if file.Name == name {
			return string(file.Data)
		}
	}
	return ""
}

// write lays the files out in a directory, packed, and returns the path to read.
func (f *fixture) write(t *testing.T, packing string) string {
	t.Helper()
	dir := t.TempDir()
	for _, file := range f.archive.Files {
		if file.Name == "want" || file.Name == "error" {
			continue
		}
		data := file.Data
		if f.latin1[file.Name] {
			data = latin1(t, data)
		}
		name, data := packAs(t, file.Name, data, packing)
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if f.path == "" {
		return dir
	}
	name, _ := packAs(t, f.path, nil, packing)
	return filepath.Join(dir, name)
}

// packAs packs data. A "disguised" file is packed with gzip under a name that
// does not say so.
func packAs(t *testing.T, name string, data []byte, packing string) (string, []byte) {
	t.Helper()
	var b bytes.Buffer
	switch packing {
	case "plain":
		return name, data
	case "gzip", "disguised":
		z := gzip.NewWriter(&b)
		if _, err := z.Write(data); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		if packing == "gzip" {
			name += ".gz"
		}
	case "zstd":
		z, err := zstd.NewWriter(&b)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := z.Write(data); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		name += ".zst"
	default:
		t.Fatalf("no packing %q", packing)
	}
	return name, b.Bytes()
}

func latin1(t *testing.T, data []byte) []byte {
	t.Helper()
	out, err := charmap.ISO8859_1.NewEncoder().Bytes(data)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func fixtures(t *testing.T, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join("testdata", dir, "*.txtar"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no fixtures in %s: %v", dir, err)
	}
	return names
}

// Each format is read as its fixture says, packed in any way, named or
// recognised.
func TestReaders(t *testing.T) {
	for _, name := range fixtures(t, "readers") {
		f := openFixture(t, name)
		for _, packing := range []string{"plain", "gzip", "zstd", "disguised"} {
			t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar")+"/"+packing, func(t *testing.T) {
				path := f.write(t, packing)
				reader, err := Find(f.format)
				if err != nil {
					t.Fatal(err)
				}
				found, why, err := Detect(path)
				if err != nil || found.Name != f.format || why == "" {
					t.Errorf("Detect: format %q because %q, %v; want %q", found.Name, why, err, f.format)
				}
				got := newRecorder()
				if err := reader.Read(t.Context(), path, f.opts, got); err != nil {
					t.Fatal(err)
				}
				checkFiles(t, path, got.files)
				text := strings.NewReplacer(".gz", "", ".zst", "").Replace(got.String())
				if *update && packing == "plain" {
					setFile(f.archive, "want", text)
					if err := os.WriteFile(name, txtar.Format(f.archive), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				if want := f.data("want"); text != want {
					t.Errorf("read:\n%s\nwant:\n%s", text, want)
				}
			})
		}
	}
}

// checkFiles holds hashes and sizes against the disk.
func checkFiles(t *testing.T, path string, files []File) {
	t.Helper()
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		path = filepath.Dir(path)
	}
	for _, f := range files {
		data, err := os.ReadFile(filepath.Join(path, f.Name))
		if err != nil {
			t.Error(err)
			continue
		}
		sum := sha256.Sum256(data)
		if f.Bytes != int64(len(data)) || f.SHA256 != hex.EncodeToString(sum[:]) {
			t.Errorf("%s: %d bytes of hash %s, want %d of %x", f.Name, f.Bytes, f.SHA256, len(data), sum)
		}
	}
}

func setFile(a *txtar.Archive, name, text string) {
	i := slices.IndexFunc(a.Files, func(f txtar.File) bool { return f.Name == name })
	if i < 0 {
		a.Files = append(a.Files, txtar.File{Name: name})
		i = len(a.Files) - 1
	}
	a.Files[i].Data = []byte(text)
}

// What is not as its format promises is an error that says file, line, what was
// expected and what was found.
func TestReaderErrors(t *testing.T) {
	for _, name := range fixtures(t, "errors") {
		f := openFixture(t, name)
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			path := f.write(t, "plain")
			reader, err := Find(f.format)
			if err != nil {
				t.Fatal(err)
			}
			err = reader.Read(t.Context(), path, f.opts, newRecorder())
			if err == nil {
				t.Fatal("no error")
			}
			dir := path
			if f.path != "" {
				dir = filepath.Dir(path)
			}
			text := strings.ReplaceAll(err.Error(), dir, "DIR") + "\n"
			if *update {
				setFile(f.archive, "error", text)
				if err := os.WriteFile(name, txtar.Format(f.archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if want := f.data("error"); text != want {
				t.Errorf("error: %s want:  %s", text, want)
			}
		})
	}
}

// What txtar cannot hold: bytes that are no text, and damaged packing.
func TestBrokenBytes(t *testing.T) {
	const header, row = "userId,movieId,rating,timestamp\n", "1,10,4.5,1500000000\n"
	_, packed := packAs(t, "", []byte(header+strings.Repeat(row, 1000)), "gzip")
	_, zipped := packAs(t, "", []byte(header+strings.Repeat(row, 1000)), "zstd")
	flipped := bytes.Clone(packed)
	flipped[len(flipped)-6] ^= 1
	for name, c := range map[string]struct {
		ratings []byte
		want    string
	}{
		"gzip cut":      {packed[:len(packed)-9], "expected a whole gzip stream"},
		"gzip head cut": {packed[:5], "expected a whole gzip stream"},
		"gzip checksum": {flipped, "expected a sound gzip stream"},
		"gzip and more": {append(bytes.Clone(packed), "more"...), "gzip stream"},
		"zstd cut":      {zipped[:len(zipped)-9], "expected a whole zstd stream"},
		"NUL":           {[]byte(header + row + "1,\x0010,4,1\n"), "ratings.csv:3: expected text, found a NUL byte in column 3"},
		"Latin-1":       {[]byte(header + row + "1,\xe910,4,1\n"), "ratings.csv:3: expected UTF-8, found byte 0xe9 in column 3"},
		"UTF-16":        {[]byte("\xff\xfeu\x00s\x00"), "ratings.csv:1: expected the data, found UTF-16 text"},
		"zip":           {[]byte("PK\x03\x04...."), "found a zip archive (unpack it first)"},
		"empty":         {nil, "ratings.csv: expected a header, found an empty file"},
		"only a header": {[]byte(header), "ratings.csv: expected rows, found none"},
		"long line":     {append([]byte(header+row), bytes.Repeat([]byte("1"), maxLine+1)...), "ratings.csv:3: expected lines of at most"},
		"long row":      {[]byte(header + row + `"` + strings.Repeat("1\n", maxLine/2+10)), "ratings.csv:3: expected rows of at most"},
		"cut time":      {[]byte(header + row + "2,10,3.5,15"), "ratings.csv:3: expected a whole last line, found the time \"15\" at its end, far before all others, and no line end: the file was cut off"},
		"open quote":    {[]byte(header + row + `"1,2,3,4`), "ratings.csv:3: expected a closing quote, found the end of the file"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			writeFile(t, dir, "movies.csv", "movieId,title,genres\n10,A (1999),X\n")
			writeFile(t, dir, "ratings.csv", string(c.ratings))
			got := newRecorder()
			err := movieLens().Read(t.Context(), dir, Options{}, got)
			var format *Error
			if !errors.As(err, &format) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want a Error with %q", err, c.want)
			}
			for _, f := range got.files {
				if f.Name == "ratings.csv" {
					t.Error("the file was reported as read to its end")
				}
			}
		})
	}
}

func writeFile(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A last line without an end is legal, and is how a file ends that was cut off:
// that is noted, wherever the cut does not show by itself.
func TestLastLineWithoutAnEnd(t *testing.T) {
	const note = "line 3, the last, has no line end, as if the file were cut off: see that it is whole"
	for _, c := range []struct {
		last string
		want []string
	}{
		{"2,10,3.5,1500000001\n", nil},
		{"2,10,3.5,1500000001", []string{note}},
		{"2,10,3.5,999999999", []string{note}}, // of 2001, not what is left of a later time
		{"2,10,3.5,", []string{note}},
	} {
		dir := t.TempDir()
		writeFile(t, dir, "movies.csv", "movieId,title,genres\n10,A (1999),X\n")
		writeFile(t, dir, "ratings.csv", ratingsHeader+"1,10,4.5,1500000000\n"+c.last)
		got := newRecorder()
		if err := movieLens().Read(t.Context(), dir, Options{}, got); err != nil {
			t.Errorf("%q: %v", c.last, err)
			continue
		}
		if notes := got.files[len(got.files)-1].Notes; !slices.Equal(notes, c.want) {
			t.Errorf("%q: notes %q, want %q", c.last, notes, c.want)
		}
	}
	// Times that are no dates are no sign of anything.
	dir := t.TempDir()
	writeFile(t, dir, "log.csv", "user,item,time\nu,i,100\nu,j,1")
	if err := csvTable().Read(t.Context(), filepath.Join(dir, "log.csv"), Options{}, newRecorder()); err != nil {
		t.Error(err)
	}
}
