package formats

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/txtar"
)

// inputOf makes an input of bytes.
func inputOf(data []byte, sink Sink) *input {
	return &input{
		File: File{Name: "x"}, feed: &feed{sink: sink},
		text: bufio.NewReader(bytes.NewReader(data)),
	}
}

// seeds adds the files of all fixtures whose name has one of the endings.
func seeds(f *testing.F, endings ...string) {
	f.Helper()
	for _, pattern := range []string{"readers", "errors"} {
		names, err := filepath.Glob(filepath.Join("testdata", pattern, "*.txtar"))
		if err != nil {
			f.Fatal(err)
		}
		for _, name := range names {
			archive, err := txtar.ParseFile(name)
			if err != nil {
				f.Fatal(err)
			}
			for _, file := range archive.Files {
				if slices.Contains(endings, filepath.Ext(file.Name)) {
					f.Add(file.Data)
				}
			}
		}
	}
}

// checkRead holds what every reading must keep: errors name the file, and every
// row was kept or dropped.
func checkRead(t *testing.T, in *input, got *recorder, err error) {
	t.Helper()
	var format *Error
	if err != nil {
		if !errors.As(err, &format) || format.File != "x" || format.Want == "" || format.Got == "" {
			t.Fatalf("error %v, want a Error", err)
		}
		return
	}
	dropped := 0
	for _, n := range in.Dropped {
		dropped += n
	}
	if kept := got.events + len(got.items); in.Rows < got.events+dropped || len(got.items) == 0 && in.Rows != kept+dropped {
		t.Fatalf("%d rows, %d interactions, %d dropped", in.Rows, got.events, dropped)
	}
	for pair := range got.pairs {
		if !validID(pair[0]) || !validID(pair[1]) {
			t.Fatalf("the pair %q was kept", pair)
		}
	}
	if !utf8.Valid(got.Bytes()) {
		t.Fatal("text that is not UTF-8 was kept")
	}
}

// The scanner of quoted rows agrees with the standard library's, except that
// it also refuses what is no text.
func FuzzQuotedRows(f *testing.F) {
	seeds(f, ".csv")
	f.Add([]byte("a,\"b\"\"c\",\"d\ne\"\r\n\n,,\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if !utf8.Valid(data) || bytes.ContainsAny(data, "\x00") || bytes.Contains(data, []byte("\r")) || foreign(data) != "" || bytes.HasPrefix(data, []byte("\ufeff")) {
			t.Skip("refused or changed before it is split")
		}
		std := csv.NewReader(bytes.NewReader(data))
		std.FieldsPerRecord = -1
		want, wantErr := std.ReadAll()
		rows := inputOf(data, newRecorder()).unquote(",")
		for i := 0; ; i++ {
			got, err := rows()
			if err == io.EOF {
				if wantErr != nil || i != len(want) {
					t.Fatalf("%d rows and no error, want %d and %v", i, len(want), wantErr)
				}
				return
			}
			if err != nil {
				if wantErr == nil {
					t.Fatalf("error %v, want none", err)
				}
				return
			}
			if wantErr == nil && !slices.Equal(got, want[i]) {
				t.Fatalf("row %d is %q, want %q", i, got, want[i])
			}
		}
	})
}

func FuzzMovieLens(f *testing.F) {
	seeds(f, ".csv", ".dat", ".data", ".item")
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, g := range movieLensGenerations() {
			got := newRecorder()
			in := inputOf(data, got)
			checkRead(t, in, got, g.readRatings(t.Context(), in))
			got = newRecorder()
			in = inputOf(data, got)
			checkRead(t, in, got, g.readMovies(t.Context(), in, []string{"A", "B"}))
		}
	})
}

func FuzzJSONLines(f *testing.F) {
	seeds(f, ".json", ".jsonl")
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, read := range []func(context.Context, *input) error{
			jsonEvents[review2018](), jsonEvents[review2023](), jsonEvents[societyReview](), jsonEvents[yelpReview](),
			jsonItems[meta2018](), jsonItems[meta2023](), jsonItems[societyItem](), jsonItems[yelpBusiness](),
			jsonRows(nil, func(in *input, e goodreadsEvent) error { return in.interaction(e.event("read_at")) }),
			jsonRows(nil, func(in *input, b goodreadsBook) error { return in.item(b.item(nil)) }),
		} {
			got := newRecorder()
			in := inputOf(data, got)
			checkRead(t, in, got, read(t.Context(), in))
		}
	})
}

func FuzzTables(f *testing.F) {
	seeds(f, ".csv", ".tsv", ".jsonl", ".inter", ".item")
	f.Fuzz(func(t *testing.T, data []byte) {
		for name, open := range map[string]func(*input) (table, error){
			"csv":     func(in *input) (table, error) { return openText(in, dialect{sep: ",", quoted: true}) },
			"tsv":     func(in *input) (table, error) { return openText(in, dialect{sep: "\t"}) },
			"jsonl":   openJSON,
			"recbole": openRecBole,
		} {
			got := newRecorder()
			in := inputOf(data, got)
			in.feed.opts.Columns = map[string]string{"title": "title"}
			err := tableRows(open, eventTable(true))(t.Context(), in)
			if t.Run(name, func(t *testing.T) { checkRead(t, in, got, err) }); t.Failed() {
				return
			}
		}
	})
}

func FuzzUnpack(f *testing.F) {
	f.Add([]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0})
	f.Add([]byte{0x28, 0xb5, 0x2f, 0xfd, 0, 0})
	f.Add([]byte("plain"))
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "x"), data, 0o600); err != nil {
			t.Fatal(err)
		}
		got := newRecorder()
		err := csvTable().Read(t.Context(), filepath.Join(dir, "x"), Options{}, got)
		var format *Error
		if err != nil && !errors.As(err, &format) {
			t.Fatalf("error %v, want a Error", err)
		}
	})
}
