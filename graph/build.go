package graph

import (
	"fmt"
	"iter"
	"math"
	"runtime"
	"slices"
)

// maxID bounds the length of an external id, in bytes.
const maxID = 4096

// entry is an interaction in internal ids.
type entry struct {
	user, item uint32
	time       uint32 // seconds since the base
	rating     uint32 // code of the rating
}

// Progress is told how far a build is: a share of the work, 0 to 1, and what is
// being done.
type Progress func(done float64, what string)

// BuildConfig of a build. The zero value is right.
type BuildConfig struct {
	Workers  int      // at work at once; 0: as many as there are processors
	Progress Progress // nil: nobody is told
}

func (c BuildConfig) workers() int {
	if c.Workers > 0 {
		return c.Workers
	}
	return runtime.GOMAXPROCS(0)
}

func (c BuildConfig) tell(done float64, what string) {
	if c.Progress != nil {
		c.Progress(done, what)
	}
}

// Build makes a graph of a log in any order. Of a pair's interactions the
// earliest stays; of those in the same second, the one with the highest rating.
// The same interactions in another order make the same graph, to the byte of
// its snapshot.
//
// An error of the log ends the build and is returned. So does a row with an id
// that is empty or longer than 4096 bytes, or with a rating that is not finite,
// and a log that spans more than 136 years or has more than 2³²−1 rows.
//
// Beside the graph itself a build holds 40 bytes a row and the external ids.
func Build(log iter.Seq2[Interaction, error]) (*Graph, error) {
	return BuildConfig{}.Build(log)
}

// Build makes a graph as [Build] does.
func (c BuildConfig) Build(log iter.Seq2[Interaction, error]) (*Graph, error) {
	var users, items interner
	var ratings palette
	var entries []entry
	var times []int64
	for in, err := range log {
		if err == nil {
			err = check(in)
		}
		if err == nil && len(entries) == math.MaxUint32 {
			err = fmt.Errorf("a graph holds at most %d rows", uint32(math.MaxUint32))
		}
		if err != nil {
			return nil, fmt.Errorf("build graph: row %d: %w", len(entries)+1, err)
		}
		entries = append(entries, entry{user: users.intern(in.User), item: items.intern(in.Item), rating: ratings.number(in.Rating)})
		times = append(times, in.Time)
	}
	base, err := baseOf(times)
	if err != nil {
		return nil, fmt.Errorf("build graph: %w", err)
	}
	table, codes := ratings.sorted()
	for k := range entries {
		entries[k].time, entries[k].rating = uint32(times[k]-base), codes[entries[k].rating]
	}
	times = nil
	b := builder{BuildConfig: c, entries: entries, base: base, table: table}
	b.users.ids, b.users.sorted = users.sorted()
	b.items.ids, b.items.sorted = items.sorted()
	g, err := b.build()
	if err != nil {
		return nil, fmt.Errorf("build graph: %w", err)
	}
	return g, nil
}

// baseOf returns the time that a graph's times count from: the epoch where that
// reaches all, so that what is added later finds room before the first.
func baseOf(times []int64) (int64, error) {
	if len(times) == 0 {
		return 0, nil
	}
	earliest, latest := slices.Min(times), slices.Max(times)
	// The difference of two int64 is exact as a uint64.
	switch {
	case uint64(latest)-uint64(earliest) > math.MaxUint32:
		return 0, fmt.Errorf("times from %d to %d, in Unix seconds, span more than 136 years: are some in milliseconds?", earliest, latest)
	case earliest >= 0 && latest <= math.MaxUint32:
		return 0, nil
	}
	return earliest, nil
}

func check(in Interaction) error {
	switch {
	case in.User == "":
		return fmt.Errorf("the user id is empty")
	case in.Item == "":
		return fmt.Errorf("the item id is empty")
	case len(in.User) > maxID || len(in.Item) > maxID:
		return fmt.Errorf("an id is longer than %d bytes", maxID)
	case math.IsNaN(float64(in.Rating)) || math.IsInf(float64(in.Rating), 0):
		return fmt.Errorf("the rating %v is not a finite number", in.Rating)
	}
	return nil
}

// interner numbers strings in the order of their first appearance.
type interner struct {
	index map[string]uint32
	ids   []string
}

func (n *interner) intern(s string) uint32 {
	if k, ok := n.index[s]; ok {
		return k
	}
	if n.index == nil {
		n.index = map[string]uint32{}
	}
	k := uint32(len(n.ids))
	n.index[s] = k
	n.ids = append(n.ids, s)
	return k
}

// sorted returns the strings ascending as bytes, and the number of each.
func (n *interner) sorted() (ids []string, numbers []uint32) {
	ids = slices.Sorted(slices.Values(n.ids))
	numbers = make([]uint32, len(ids))
	for k, id := range ids {
		numbers[k] = n.index[id]
	}
	return ids, numbers
}
