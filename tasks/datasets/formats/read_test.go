package formats

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"

	"github.com/mars-rec/mars/graph"
	"github.com/mars-rec/mars/tasks"
)

const ratingsHeader = "userId,movieId,rating,timestamp\n"

// moviesFolder makes a small MovieLens folder with n ratings.
func moviesFolder(t testing.TB, n int) string {
	t.Helper()
	dir := t.TempDir()
	var b strings.Builder
	b.WriteString(ratingsHeader)
	for i := range n {
		fmt.Fprintf(&b, "%d,10,4.5,%d\n", i, 1500000000+i)
	}
	for name, text := range map[string]string{"movies.csv": "movieId,title,genres\n10,A (1999),X\n", "ratings.csv": b.String()} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestFindUnknownListsTheFormats(t *testing.T) {
	_, err := Find("movielense")
	const want = `unknown format "movielense": want auto or one of agentsociety, amazon-2018, amazon-2023, csv, goodreads, jsonl, movielens, parquet, recbole, tsv, yelp`
	if err == nil || err.Error() != want {
		t.Errorf("error %v\nwant %s", err, want)
	}
}

func TestDetectSaysWhatItFound(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, dir, "index.html", "<html>")
	if _, _, err := Detect(dir); err == nil || !strings.Contains(err.Error(), "index.html") {
		t.Errorf("error %v, want one that names index.html", err)
	}
	if _, _, err := Detect(filepath.Join(dir, "absent")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v, want fs.ErrNotExist", err)
	}
	for _, r := range Readers() {
		if err := r.Read(t.Context(), filepath.Join(dir, "absent"), Options{}, newRecorder()); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: error %v, want fs.ErrNotExist", r.Name, err)
		}
	}
}

func TestSinkErrorIsReturnedAsItIs(t *testing.T) {
	stop := errors.New("stop")
	sink := newRecorder()
	sink.stop = stop
	if err := movieLens().Read(t.Context(), moviesFolder(t, 2), Options{}, sink); err != stop {
		t.Errorf("error %v, want %v", err, stop)
	}
	if sink.events != 1 {
		t.Errorf("%d interactions after the sink refused one", sink.events)
	}
}

func TestReadStopsWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	sink := stopAfter{newRecorder(), cancel}
	if err := movieLens().Read(ctx, moviesFolder(t, 10), Options{}, sink); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context.Canceled", err)
	}
	if sink.events != 1 {
		t.Errorf("%d interactions were read, want 1", sink.events)
	}
}

// A packed file that is given up is not called damaged.
func TestReadStopsWithTheContextInsideAPackedFile(t *testing.T) {
	dir := moviesFolder(t, 1000)
	path := filepath.Join(dir, "movies.csv")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range 200_000 { // more than one read from disk, however well it is packed
		text = fmt.Appendf(text, "%x,%x,X\n", line*2654435761, line*40503*2246822519)
	}
	_, packed := packAs(t, "", text, "gzip")
	if err := errors.Join(os.Remove(path), os.WriteFile(path+".gz", packed, 0o600)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	opts := Options{Progress: func(int64, int64) { cancel() }}
	sink := newRecorder()
	if err := movieLens().Read(ctx, dir, opts, sink); err != context.Canceled {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
	if len(sink.files) > 0 {
		t.Errorf("%v were reported as read to their end", sink.files)
	}
}

// stopAfter cancels at the first interaction.
type stopAfter struct {
	*recorder
	cancel context.CancelFunc
}

func (s stopAfter) Interaction(in graph.Interaction, review string) error {
	s.cancel()
	return s.recorder.Interaction(in, review)
}

// Of a file that lies there twice, one is read and the other named.
func TestTwinsAreReadOnce(t *testing.T) {
	dir := moviesFolder(t, 3)
	_, packed := packAs(t, "", []byte(ratingsHeader), "gzip")
	writeFile(t, dir, "ratings.csv.gz", string(packed))
	sink := newRecorder()
	if err := movieLens().Read(t.Context(), dir, Options{}, sink); err != nil {
		t.Fatal(err)
	}
	want := []string{"ratings.csv.gz was left unread: the same name, packed in another way"}
	if last := sink.files[len(sink.files)-1]; sink.events != 3 || last.Name != "ratings.csv" || !slices.Equal(last.Notes, want) {
		t.Errorf("%d interactions of %s, notes %q", sink.events, last.Name, last.Notes)
	}
	// The one that is named is the one that is read.
	err := movieLens().Read(t.Context(), filepath.Join(dir, "ratings.csv.gz"), Options{}, newRecorder())
	if err == nil || err.Error() != "ratings.csv.gz: expected rows, found none" {
		t.Errorf("error %v, want one of ratings.csv.gz", err)
	}
}

func TestProgressReachesTheTotal(t *testing.T) {
	dir := moviesFolder(t, 50_000)
	var size int64
	for _, name := range []string{"movies.csv", "ratings.csv"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		size += info.Size()
	}
	var last int64
	var calls int
	opts := Options{Progress: func(done, total int64) {
		if done <= last || total != size {
			t.Errorf("progress %d of %d after %d, want %d in all", done, total, last, size)
		}
		last = done
		calls++
	}}
	if err := movieLens().Read(t.Context(), dir, opts, newRecorder()); err != nil {
		t.Fatal(err)
	}
	if last != size || calls < 4 {
		t.Errorf("%d of %d bytes told in %d calls", last, size, calls)
	}
}

// The memory in use stays the same however much review text has passed.
func TestMemoryStaysFlat(t *testing.T) {
	dir := t.TempDir()
	file, err := os.Create(filepath.Join(dir, "Long.json.gz"))
	if err != nil {
		t.Fatal(err)
	}
	z := gzip.NewWriter(file)
	review := strings.Repeat("long ", 20_000)
	const rows = 600
	for range rows {
		fmt.Fprintf(z, `{"reviewerID":"u","asin":"i","overall":4.0,"unixReviewTime":1500000000,"reviewText":"%s"}`+"\n", review)
	}
	if err := errors.Join(z.Close(), file.Close()); err != nil {
		t.Fatal(err)
	}
	sink := &weigher{}
	if err := amazon2018().Read(t.Context(), dir, Options{}, sink); err != nil {
		t.Fatal(err)
	}
	if first, last := sink.heap[0], sink.heap[len(sink.heap)-1]; sink.rows != rows || last > first+8<<20 {
		t.Errorf("after %d rows of %d bytes the heap went from %d to %d", sink.rows, len(review), first, last)
	}
}

// weigher weighs the heap now and then, and keeps nothing.
type weigher struct {
	rows int
	heap []uint64
}

func (w *weigher) Item(tasks.Item) error { return nil }
func (w *weigher) User(tasks.User) error { return nil }
func (w *weigher) File(File)             {}

func (w *weigher) Interaction(graph.Interaction, string) error {
	if w.rows++; w.rows%100 == 1 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		w.heap = append(w.heap, m.HeapAlloc)
	}
	return nil
}

func TestItemsAreBounded(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, dir, "interactions.csv", "user,item,time\nu,i,5\n")
	writeFile(t, dir, "items.csv", "item,title,description,categories\ni,"+strings.Repeat("é", 600)+","+strings.Repeat("ü", 3000)+","+strings.Repeat("a|b|", 40)+strings.Repeat("x", 300)+"\n")
	sink := newRecorder()
	if err := csvTable().Read(t.Context(), dir, Options{}, sink); err != nil {
		t.Fatal(err)
	}
	item := sink.items["i"]
	if item.Title != strings.Repeat("é", maxTitle) || item.Text != strings.Repeat("ü", maxText) {
		t.Errorf("title of %d bytes, text of %d", len(item.Title), len(item.Text))
	}
	if !slices.Equal(item.Categories, []string{"a", "b", strings.Repeat("x", maxName)}) {
		t.Errorf("categories %q", item.Categories)
	}
}

func TestValidID(t *testing.T) {
	for id, want := range map[string]bool{
		"": false, "a": true, "é 1/2": true, strings.Repeat("a", 200): true, strings.Repeat("a", 201): false,
		"a\nb": false, "a\x00": false, "\u202eabc": false, "a\u200bb": false, "a\ufffd": false, "\xff": false, "a\u2028": false,
	} {
		if validID(id) != want {
			t.Errorf("validID(%q) is %v", id, !want)
		}
	}
}

func TestRatings(t *testing.T) {
	for s, want := range map[string]float32{"": 0, "0": 0, "4.5": 4.5, "5.0": 5, "-1": -1, "NaN": -1, "Inf": -1, "1e99": -1, "four": -1} {
		got, ok := parseRating(s)
		if ok != (want >= 0) || ok && got != want {
			t.Errorf("parseRating(%q) is %v, %v", s, got, ok)
		}
	}
}

func TestClock(t *testing.T) {
	const none = -1
	for _, c := range []struct {
		clock clock
		times []string
		want  []int64
		note  string
	}{
		{clock{}, []string{"881250949", "881250949.9", "8.81250949e8", "5"}, []int64{881250949, 881250949, 881250949, 5}, ""},
		{clock{}, []string{"0", "1588687728923", "-5", "1588687728923.7", "100"}, []int64{0, 1588687728, none, 1588687728, 0}, "milliseconds"},
		{clock{}, []string{"1588687728923456"}, []int64{1588687728}, "microseconds"},
		{clock{}, []string{"1588687728923456789"}, []int64{1588687728}, "nanoseconds"},
		{clock{}, []string{"5", "1588687728923"}, []int64{5, none}, ""}, // one unit a file
		{clock{unit: 1000}, []string{"5", "1588687728999"}, []int64{0, 1588687728}, ""},
		{clock{}, []string{"2016-11-15T19:29:22Z", "2016-11-15T11:29:22.9-08:00", "2016-11-15 19:29:22", "2016-11-15"}, []int64{1479238162, 1479238162, 1479238162, 1479168000}, ""},
		{clock{}, []string{"", "soon", "inf", "nan", "0x1p4", "1969-12-31", "1e30", "Tue Nov 15 11:29:22 -0800 0216"}, []int64{none, none, none, none, none, none, none, none}, ""},
		{clock{layout: "02.01.2006"}, []string{"15.11.2016", "881250949"}, []int64{1479168000, none}, ""},
	} {
		in := &input{clock: c.clock}
		for i, s := range c.times {
			got, ok := in.seconds(s)
			if ok != (c.want[i] != none) || ok && got != c.want[i] {
				t.Errorf("%q after %q is %d, %v; want %d", s, c.times[:i], got, ok, c.want[i])
			}
		}
		if notes := strings.Join(in.Notes, "; "); (c.note == "") != (notes == "") || !strings.Contains(notes, c.note) {
			t.Errorf("%q: notes %q, want %q", c.times, notes, c.note)
		}
	}
}

func TestYears(t *testing.T) {
	for title, want := range map[string]int{
		"Toy (1995)": 1995, "Toy (1995) ": 1995, "A (B) (2006–2008)": 2006, "C (1999- )": 1999, "(1995)": 1995,
		"1984": 0, "X (Part 2)": 0, "Y (19951)": 0, "": 0, ")": 0, "Z (1995": 0, "1984 (1995) cut": 0,
	} {
		if got := titleYear(title); got != want {
			t.Errorf("titleYear(%q) is %d, want %d", title, got, want)
		}
	}
	for text, want := range map[string]int{
		"May 15, 2009": 2009, "1995.0": 1995, "Press (April 3, 2012)": 2012, "2019-01-02": 2019,
		"": 0, "12345": 0, "x1995": 0, "0999": 0, "2100": 0, "+199": 0, "199": 0, "été 1990": 1990,
	} {
		if got := parseYear(text); got != want {
			t.Errorf("parseYear(%q) is %d, want %d", text, got, want)
		}
	}
}

func TestSplitNames(t *testing.T) {
	for cell, want := range map[string][]string{
		"A|B, C": {"A", "B, C"}, "A;B": {"A", "B"}, "A, B": {"A", " B"}, "A": {"A"},
		`['A, B', "C's"]`: {"A, B", "C's"}, "[]": {""}, `["A"]`: {"A"},
	} {
		if got := splitNames([]string{cell}); !slices.Equal(got, want) {
			t.Errorf("splitNames(%q) is %q, want %q", cell, got, want)
		}
	}
}

func BenchmarkMovieLens(b *testing.B) {
	dir := moviesFolder(b, 100_000)
	for b.Loop() {
		if err := movieLens().Read(b.Context(), dir, Options{}, &weightless{}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(100_000*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

func BenchmarkAmazon(b *testing.B) {
	dir := b.TempDir()
	row := `{"overall": 5.0, "verified": true, "reviewerID": "A1", "asin": "B01", "style": {"Color:": " red"}, "reviewText": "` + strings.Repeat("A fine lamp. ", 20) + `", "unixReviewTime": 1529193600}` + "\n"
	if err := os.WriteFile(filepath.Join(dir, "Lamps.json"), bytes.Repeat([]byte(row), 20_000), 0o600); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := amazon2018().Read(b.Context(), dir, Options{}, &weightless{}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(20_000*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

// weightless keeps nothing.
type weightless struct{ weigher }

func (w *weightless) Interaction(graph.Interaction, string) error { return nil }
