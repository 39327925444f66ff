package graph_test

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mars-rec/mars/graph"
	"pgregory.net/rapid"
)

var small = []graph.Interaction{
	{User: "ann", Item: "dune", Time: 3, Rating: 5},
	{User: "ann", Item: "emma", Time: 5, Rating: 2.5},
	{User: "bob", Item: "dune", Time: 4},
	{User: "bob", Item: "emma", Time: 8, Rating: 4},
}

func build(t testing.TB, log []graph.Interaction) *graph.Graph {
	t.Helper()
	g, err := graph.Build(rows(log))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestSnapshotKeepsAll(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		log := logs(t)
		g, err := graph.Build(rows(log))
		if err != nil {
			t.Fatal(err)
		}
		again, err := graph.Decode(graph.Encode(g))
		if err != nil {
			t.Fatal(err)
		}
		users, items := ids(log)
		moment := moments(t, log)
		if !slices.Equal(answers(t, g.At(at(moment)), users, items, moment-3), answers(t, again.At(at(moment)), users, items, moment-3)) {
			t.Fatal("the graph that was read answers otherwise")
		}
	})
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "graph.bin")
	if err := build(t, small).Save(path); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("Save left %v", left)
	}
	newer := slices.Clone(whole)
	newer[8]++
	older := slices.Clone(whole)
	older[8]--
	cases := map[string]struct {
		bytes []byte
		says  string
	}{
		"empty":        {nil, "not a graph snapshot"},
		"foreign":      {[]byte("userId,movieId,rating,timestamp\n1,1,4.0,964982703\n"), "not a graph snapshot"},
		"newer":        {newer, "newer program"},
		"older":        {older, "import the data set again"},
		"cut in head":  {whole[:100], "damaged"},
		"cut in body":  {whole[:len(whole)-10], "damaged"},
		"something on": {append(slices.Clone(whole), 0), "damaged"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			p := filepath.Join(t.TempDir(), "graph.bin")
			if err := os.WriteFile(p, c.bytes, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := graph.Open(p)
			if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), p) {
				t.Errorf("got %v: want an error with %q and the path", err, c.says)
			}
		})
	}
	if _, err := graph.Open(filepath.Join(dir, "absent")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}

// Every single changed bit, and every cut, is noticed.
func TestEveryFlippedBit(t *testing.T) {
	whole := graph.Encode(build(t, small))
	for n := range whole {
		if _, err := graph.Decode(whole[:n]); err == nil {
			t.Errorf("cut to %d bytes: accepted", n)
		}
		for bit := range 8 {
			whole[n] ^= 1 << bit
			if _, err := graph.Decode(whole); err == nil {
				t.Errorf("bit %d of byte %d: accepted", bit, n)
			}
			whole[n] ^= 1 << bit
		}
	}
}

// reseal makes the checksums match the bytes again.
func reseal(b []byte) []byte {
	le, table := binary.LittleEndian, crc32.MakeTable(crc32.Castagnoli)
	const sections, first = 23, 104
	const seal = first + sections*24
	if len(b) < seal+4 {
		return b
	}
	for k := range sections {
		entry := b[first+24*k:]
		from, n := le.Uint64(entry), le.Uint64(entry[8:])
		if from <= uint64(len(b)) && n <= uint64(len(b))-from {
			le.PutUint32(entry[16:], crc32.Checksum(b[from:from+n], table))
		}
	}
	le.PutUint32(b[seal:], crc32.Checksum(b[:seal], table))
	return b
}

// FuzzDecode reads foreign bytes, as they are and with checksums made to match.
// What is accepted must answer without a panic, and be the same when saved.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(nil))
	f.Add([]byte("marsgrph"))
	f.Add(graph.Encode(build(f, nil)))
	f.Add(graph.Encode(build(f, small)))
	f.Add(graph.Encode(build(f, []graph.Interaction{{User: "é", Item: "dune", Time: -1 << 40}})))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, bytes := range [][]byte{b, reseal(slices.Clone(b))} {
			g, err := graph.Decode(bytes)
			if err != nil {
				continue
			}
			c := g.At(g.End())
			for u := range c.AllUsers() {
				c.History(u)
				c.UserCF(u, graph.UserQuery{Support: 1})
			}
			for i := range c.AllItems() {
				c.ItemCF(i, graph.Query{Measure: graph.IUF, Support: 1})
				c.Audience(i)
			}
			again, err := graph.Decode(graph.Encode(g))
			if err != nil {
				t.Fatalf("what was accepted is refused when saved: %v", err)
			}
			if again.Interactions() != g.Interactions() {
				t.Fatal("what was saved is not what was accepted")
			}
		}
	})
}

func TestBuildRefuses(t *testing.T) {
	for name, log := range map[string][]graph.Interaction{
		"the user id is empty": {{Item: "dune", Time: 1}},
		"the item id is empty": {{User: "ann", Time: 1}},
		"longer than":          {{User: strings.Repeat("a", 5000), Item: "dune", Time: 1}},
		"milliseconds":         {{User: "ann", Item: "dune", Time: 1}, {User: "ann", Item: "emma", Time: 1_500_000_000_000}},
	} {
		if _, err := graph.Build(rows(log)); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("got %v: want an error with %q", err, name)
		}
	}
}

func TestSubSecondMoments(t *testing.T) {
	g := build(t, small)
	// An event that the source had at 5.7s is kept as 5s: as of 5.2s it must not
	// be visible.
	c := g.At(time.Unix(5, 200_000_000))
	if c.Interactions() != 2 || !c.AsOf().Equal(time.Unix(5, 0)) {
		t.Errorf("as of 5.2s: %d interactions, as of %v", c.Interactions(), c.AsOf())
	}
	dune, _ := c.Item("dune")
	if n := c.ItemDegreeSince(dune, time.Unix(3, 1)); n != 1 {
		t.Errorf("since just after 3s: %d", n)
	}
}

func TestQuantile(t *testing.T) {
	g := build(t, small)
	for q, want := range map[float64]int64{-1: 3, 0: 3, 0.25: 4, 0.5: 5, 0.8: 8, 1: 9, 2: 9} {
		if got := g.Quantile(q).Unix(); got != want {
			t.Errorf("quantile %v: got %d, want %d", q, got, want)
		}
	}
	if e := build(t, nil); !e.Quantile(0.5).IsZero() || !e.End().IsZero() {
		t.Error("an empty log has a time")
	}
}
