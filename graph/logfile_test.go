package graph_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mars-rec/mars/graph"
	"pgregory.net/rapid"
)

// logFile writes rows to a log file and returns its path.
func logFile(t testing.TB, base int64, rated bool, rows []graph.Row) string {
	t.Helper()
	var b bytes.Buffer
	if err := graph.WriteLog(&b, base, rated, slices.Values(rows)); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "log.bin")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A log file makes the graph that its rows make, to the byte, whatever the
// number of workers, the order of the rows and the gaps between the numbers.
func TestBuildLog(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		rated := rapid.Bool().Draw(rt, "rated")
		top := rapid.SampledFrom([]int{1, 9, 10, 30, 123}).Draw(rt, "top")
		rows := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) graph.Row {
			r := graph.Row{
				User: uint32(rapid.IntRange(0, top).Draw(t, "user")),
				Item: uint32(rapid.IntRange(0, top).Draw(t, "item")),
				Time: uint32(rapid.IntRange(0, 20).Draw(t, "time")) * 1_000_000,
			}
			if rated {
				r.Tenths = uint8(rapid.IntRange(0, 20).Draw(t, "tenths"))
			}
			return r
		}), 0, 200).Draw(rt, "rows")
		var log []graph.Interaction
		for _, r := range rows {
			log = append(log, graph.Interaction{User: fmt.Sprint(r.User), Item: fmt.Sprint(r.Item), Time: int64(r.Time), Rating: float32(r.Tenths) / 10})
		}
		want := build(t, log)
		for _, workers := range []int{1, 3} {
			g, err := graph.BuildConfig{Workers: workers}.BuildLog(logFile(t, 0, rated, rows))
			if err != nil {
				rt.Fatal(err)
			}
			if !bytes.Equal(graph.Encode(g), graph.Encode(want)) {
				rt.Fatalf("%d workers: another graph than of the rows", workers)
			}
		}
	})
}

func TestBuildLogRefuses(t *testing.T) {
	whole, err := os.ReadFile(logFile(t, 0, true, []graph.Row{{User: 0, Item: 1, Time: 2, Tenths: 45}}))
	if err != nil {
		t.Fatal(err)
	}
	changed := func(at int, b byte) []byte {
		c := slices.Clone(whole)
		c[at] = b
		return c
	}
	for says, file := range map[string][]byte{
		"not a graph log":  []byte("userId,movieId,rating,timestamp\n"),
		"format 2":         changed(8, 2),
		"bytes a row":      changed(12, 7),
		"cut short":        whole[:len(whole)-1],
		"not a time":       changed(23, 0x7f),
		"without gaps":     changed(27, 0xff),
		"does not start":   nil,
		"log.bin: it ends": append(slices.Clone(whole), 1),
	} {
		path := filepath.Join(t.TempDir(), "log.bin")
		if says == "not a time" {
			copy(file[16:], bytes.Repeat([]byte{0xff}, 7))
		}
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := (graph.BuildConfig{}).BuildLog(path); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v: want an error with %q", err, says)
		}
	}
}

// FuzzBuildLog reads foreign bytes. What is accepted must make a graph that can
// be saved and read again.
func FuzzBuildLog(f *testing.F) {
	for _, rows := range [][]graph.Row{nil, {{User: 1, Item: 2, Time: 3}}, {{User: 0, Item: 0, Time: 1 << 31, Tenths: 9}, {User: 0, Item: 0, Time: 7}}} {
		b, err := os.ReadFile(logFile(f, -5, len(rows) > 1, rows))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(t.TempDir(), "log.bin")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		g, err := graph.BuildConfig{}.BuildLog(path)
		if err != nil {
			return
		}
		if _, err := graph.Decode(graph.Encode(g)); err != nil {
			t.Fatalf("what was built is refused: %v", err)
		}
	})
}
