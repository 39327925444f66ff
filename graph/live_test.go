package graph_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mars-rec/mars/graph"
)

func live(t testing.TB, log []graph.Interaction) (*graph.Live, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "graph.bin")
	if err := build(t, log).Save(path); err != nil {
		t.Fatal(err)
	}
	l, err := graph.OpenLive(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l, path
}

// snapshotOf is the graph on disk, as one that opens it now has it.
func snapshotOf(t testing.TB, path string) []byte {
	t.Helper()
	g, err := graph.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	return graph.Encode(g)
}

func TestLive(t *testing.T) {
	log := crowd(6)[:9000]
	l, path := live(t, log[:5000])
	before := l.Graph()
	want := graph.Encode(build(t, log))
	for from := 5000; from < 9000; from += 1000 {
		if err := l.Append(log[from : from+1000]); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(graph.Encode(l.Graph()), want) || !slices.Equal(snapshotOf(t, path), want) {
		t.Error("what was appended is not there")
	}
	if before.Interactions() == l.Graph().Interactions() {
		t.Error("a graph that was asked for changed")
	}
	if _, err := graph.OpenLive(path); err == nil {
		t.Error("two at once may append")
	}
	if err := l.Compact(graph.BuildConfig{}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path + ".delta"); err == nil {
		t.Error("the delta is still there")
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(whole, want) || !slices.Equal(graph.Encode(l.Graph()), want) {
		t.Error("compacted it is another graph")
	}
	if err := l.Append([]graph.Interaction{{User: "late", Item: "0", Time: 1_500_000_950}}); err != nil {
		t.Fatal(err)
	}
	if g := l.Graph(); g.Users() != build(t, log).Users()+1 {
		t.Error("nothing can be appended after compaction")
	}
	if err := l.Append([]graph.Interaction{{User: "early", Item: "0", Time: -1}}); err == nil || !strings.Contains(err.Error(), "build the graph anew") {
		t.Errorf("an event before the graph's reach: %v", err)
	}
}

// However a write was cut, the graph opens with whole batches; what has changed
// is refused.
func TestTornDelta(t *testing.T) {
	l, path := live(t, small)
	batches := [][]graph.Interaction{{{User: "cat", Item: "dune", Time: 9}}, {{User: "dan", Item: "emma", Time: 10}, {User: "dan", Item: "dune", Time: 11}}}
	var states [][]byte
	states = append(states, graph.Encode(l.Graph()))
	var ends []int
	for _, b := range batches {
		if err := l.Append(b); err != nil {
			t.Fatal(err)
		}
		states = append(states, graph.Encode(l.Graph()))
		info, err := os.Stat(path + ".delta")
		if err != nil {
			t.Fatal(err)
		}
		ends = append(ends, int(info.Size()))
	}
	whole, err := os.ReadFile(path + ".delta")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for n := range len(whole) + 1 {
		if err := os.WriteFile(path+".delta", whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		state := 0
		for state < len(ends) && n >= ends[state] {
			state++
		}
		if !slices.Equal(snapshotOf(t, path), states[state]) {
			t.Fatalf("cut to %d bytes: not the state after %d batches", n, state)
		}
		again, err := graph.OpenLive(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range batches[state:] {
			if err := again.Append(b); err != nil {
				t.Fatal(err)
			}
		}
		if err := again.Close(); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(snapshotOf(t, path), states[2]) {
			t.Fatalf("cut to %d bytes and appended again: another graph", n)
		}
	}
	for n := range ends[0] {
		changed := slices.Clone(whole)
		changed[n] ^= 4
		if err := os.WriteFile(path+".delta", changed, 0o600); err != nil {
			t.Fatal(err)
		}
		g, err := graph.Open(path)
		if err == nil {
			// The length of a batch may point beyond the end, as if it were cut.
			if n < 12 || n >= 20 {
				t.Errorf("byte %d changed: accepted", n)
			}
			g.Close()
		}
	}
}

// Readers in this process and others, while batches are appended and folded in:
// each finds a state that was there, never half of one.
func TestCompactionIsNeverSeenHalf(t *testing.T) {
	const batches = 12
	l, path := live(t, crowd(7)[:3000])
	start := l.Graph().Interactions()
	done := make(chan struct{})
	var readers sync.WaitGroup
	check := func(g *graph.Graph, last int) int {
		n := g.Interactions() - start
		if n%50 != 0 || n < last {
			t.Errorf("%d interactions more, after %d", n, last)
		}
		if got := g.At(g.End()).Interactions(); got != g.Interactions() {
			t.Errorf("%d interactions counted, %d told", got, g.Interactions())
		}
		return n
	}
	for range 2 {
		readers.Go(func() {
			for last := 0; ; {
				select {
				case <-done:
					return
				default:
				}
				last = check(l.Graph(), last)
				g, err := graph.Open(path)
				if err != nil {
					t.Error(err)
					return
				}
				check(g, 0)
				g.Close()
			}
		})
	}
	for b := range batches {
		var batch []graph.Interaction
		for k := range 50 {
			batch = append(batch, graph.Interaction{User: fmt.Sprintf("new%d", b), Item: fmt.Sprint("item", k), Time: 1_500_001_000 + int64(b)})
		}
		if err := l.Append(batch); err != nil {
			t.Fatal(err)
		}
		if b%3 == 2 {
			if err := l.Compact(graph.BuildConfig{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	close(done)
	readers.Wait()
	if n := check(l.Graph(), 0); n != 50*batches {
		t.Errorf("%d interactions more at the end", n)
	}
}

// FuzzDelta reads foreign bytes as the delta of a graph.
func FuzzDelta(f *testing.F) {
	l, path := live(f, small)
	if err := l.Append([]graph.Interaction{{User: "cat", Item: "dune", Time: 9, Rating: 3}}); err != nil {
		f.Fatal(err)
	}
	b, err := os.ReadFile(path + ".delta")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(b[:20])
	f.Fuzz(func(t *testing.T, b []byte) {
		log, err := graph.DecodeDelta(b)
		if err != nil {
			return
		}
		if g, err := build(t, small).With(log); err == nil {
			if _, err := graph.Decode(graph.Encode(g)); err != nil {
				t.Fatal(err)
			}
		}
	})
}
