package formats

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
)

type parquetEvent struct {
	UserID int64     `parquet:"user_id"`
	ItemID string    `parquet:"item_id,dict"`
	Rating *float64  `parquet:"rating,optional"`
	At     time.Time `parquet:"time,timestamp(microsecond)"`
	Review string    `parquet:"review,optional"`
	Extra  struct {
		A, B int32
	}
}

type parquetItem struct {
	ItemID string   `parquet:"item_id"`
	Title  string   `parquet:"title"`
	Genres []string `parquet:"genres,list"`
	Year   int32    `parquet:"year"`
}

func parquetBytes[T any](t *testing.T, rows []T, options ...parquet.WriterOption) []byte {
	t.Helper()
	var b bytes.Buffer
	w := parquet.NewGenericWriter[T](&b, options...)
	if _, err := w.Write(rows); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func parquetEvents() []parquetEvent {
	four := 4.5
	at := time.Date(2020, 5, 5, 14, 8, 48, 923456000, time.UTC)
	return []parquetEvent{
		{UserID: 1, ItemID: "a", Rating: &four, At: at, Review: "Fine."},
		{UserID: 2, ItemID: "b", At: at.Add(time.Second)},
		{UserID: 3, ItemID: "", At: at},
	}
}

func TestParquet(t *testing.T) {
	for name, options := range map[string][]parquet.WriterOption{
		"plain":      nil,
		"zstd":       {parquet.Compression(&parquet.Zstd)},
		"row groups": {parquet.MaxRowsPerRowGroup(1)},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			writeFile(t, dir, "interactions.parquet", string(parquetBytes(t, parquetEvents(), options...)))
			writeFile(t, dir, "items.parquet", string(parquetBytes(t, []parquetItem{{"a", "Alpha", []string{"X", "Y"}, 1999}, {ItemID: "b", Title: "Beta"}}, options...)))
			found, _, err := Detect(dir)
			if err != nil || found.Name != "parquet" {
				t.Errorf("Detect: %q, %v", found.Name, err)
			}
			got := newRecorder()
			if err := parquetTable().Read(t.Context(), dir, Options{}, got); err != nil {
				t.Fatal(err)
			}
			checkFiles(t, dir, got.files)
			const want = `item a | Alpha | 1999 | X, Y |  | 
item b | Beta | 0 |  |  | 
file items.parquet: 2 rows
1 -> a | 1588687728 | 4.5 | Fine.
2 -> b | 1588687729 | 0 | 
file interactions.parquet: 3 rows, 1 bad id
`
			if got.String() != want {
				t.Errorf("read:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

// Times are times in whatever type they are stored.
func TestParquetTimes(t *testing.T) {
	type row struct {
		User  string           `parquet:"user"`
		Item  string           `parquet:"item"`
		Milli int64            `parquet:"milli,timestamp(millisecond)"`
		Nano  int64            `parquet:"nano,timestamp(nanosecond)"`
		Day   int32            `parquet:"day,date"`
		Old   deprecated.Int96 `parquet:"old"`
		Unix  float64          `parquet:"unix"`
		Word  string           `parquet:"word"`
	}
	at := time.Date(2020, 5, 5, 0, 0, 0, 0, time.UTC)
	day := int32(at.Unix() / 86400)
	dir := t.TempDir()
	writeFile(t, dir, "log.parquet", string(parquetBytes(t, []row{{
		User: "u", Item: "i", Milli: at.UnixMilli(), Nano: at.UnixNano(), Day: day,
		Old: deprecated.Int96{0, 0, uint32(day) + 2440588}, Unix: float64(at.Unix()), Word: at.Format(time.RFC3339),
	}})))
	for _, column := range []string{"milli", "nano", "day", "old", "unix", "word"} {
		got := newRecorder()
		opts := Options{Columns: map[string]string{"time": column}}
		if err := parquetTable().Read(t.Context(), filepath.Join(dir, "log.parquet"), opts, got); err != nil {
			t.Fatal(err)
		}
		if want := "u -> i | 1588636800 | 0 | \n"; !strings.HasPrefix(got.String(), want) {
			t.Errorf("column %s: %s want %s", column, got, want)
		}
	}
}

// A damaged file is an error of that file or reads as something else; it never
// brings the program down.
func TestParquetDamage(t *testing.T) {
	whole := parquetBytes(t, parquetEvents())
	dir := t.TempDir()
	path := filepath.Join(dir, "log.parquet")
	read := func(data []byte) error {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return parquetTable().Read(t.Context(), path, Options{}, newRecorder())
	}
	var format *Error
	for cut := 0; cut < len(whole); cut += 7 {
		if err := read(whole[:cut]); !errors.As(err, &format) {
			t.Fatalf("cut at %d of %d: error %v, want a Error", cut, len(whole), err)
		}
	}
	for at := 0; at < len(whole); at += 3 {
		flipped := bytes.Clone(whole)
		flipped[at] ^= 0x55
		if err := read(flipped); err != nil && !errors.As(err, &format) {
			t.Fatalf("byte %d flipped: error %v, want a Error", at, err)
		}
	}
	bad := parquetEvents()
	bad[1].ItemID = "\xff"
	if err := read(parquetBytes(t, bad)); err == nil || !strings.Contains(err.Error(), "log.parquet:2: expected UTF-8") {
		t.Errorf("error %v, want one of row 2", err)
	}
}
