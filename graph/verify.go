package graph

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"slices"
)

// Verify reads all of the snapshot that the graph was opened from, and checks
// every byte: against the checksums, which find accidents, and for all that
// queries rely on, so that a file that was made up cannot make one panic. A
// graph that was built in memory has nothing to verify.
func (g *Graph) Verify() error {
	if g.file == nil {
		return nil
	}
	if err := g.verify(g.file.bytes); err != nil {
		return fmt.Errorf("verify graph snapshot: %w", err)
	}
	return nil
}

// verify checks a graph and the bytes it lies in.
func (g *Graph) verify(b []byte) error {
	le := binary.LittleEndian
	at := headerLength
	sections := append(g.sections(), nil)
	for k, s := range sections[:sectionCount] {
		entry := b[tableStart+24*k:]
		start := int(le.Uint64(entry))
		if !zero(b[at:start]) || le.Uint32(entry[20:]) != 0 {
			return damaged("there are bytes between sections before section %d", k)
		}
		if crc32.Checksum(s, castagnoli()) != le.Uint32(entry[16:]) {
			return damaged("section %d does not match its checksum", k)
		}
		at = start + len(s)
	}
	if !zero(b[at:]) {
		return damaged("there are bytes after its last section")
	}
	if err := errors.Join(g.userIDs.check(), g.itemIDs.check()); err != nil {
		return damaged("external ids: %w", err)
	}
	table := g.users.ratings.table
	for k, r := range table {
		if math.IsNaN(float64(r)) || math.IsInf(float64(r), 0) || k > 0 && table[k-1] >= r {
			return damaged("rating %d of the table is not finite or out of order", k)
		}
	}
	if g.pairs > 0 && len(table) == 0 {
		return damaged("the table of ratings is empty")
	}
	if err := g.users.check(&g.itemIDs, g); err != nil {
		return damaged("lists of users: %w", err)
	}
	if err := g.items.check(&g.userIDs, g); err != nil {
		return damaged("lists of items: %w", err)
	}
	return nil
}

func zero(b []byte) bool {
	return !slices.ContainsFunc(b, func(x byte) bool { return x != 0 })
}

// check reports what of the promises of names does not hold.
func (n *names) check() error {
	for p := 0; p < len(n.starts); p += anchored {
		if n.starts[p] != 0 {
			return fmt.Errorf("number %d does not start at its anchor", p)
		}
	}
	if n.start(0) != 0 || n.start(uint32(len(n.rank))) != uint32(len(n.blob)) {
		return errors.New("they do not fill their section")
	}
	for p, k := range n.order {
		from, to := n.start(uint32(p)), n.start(uint32(p+1))
		if from >= to || to-from > maxID || to > uint32(len(n.blob)) {
			return fmt.Errorf("number %d has a broken length", p)
		}
		if int(k) >= len(n.rank) || n.rank[k] != uint32(p) {
			return fmt.Errorf("number %d has a broken internal id", p)
		}
		if p > 0 && string(n.at(uint32(p-1))) >= string(n.at(uint32(p))) {
			return fmt.Errorf("number %d is out of order", p)
		}
	}
	return nil
}

// check reports what of the promises of lists does not hold, for rows with ids
// of the others. Everything that can be computed from the rest is, and compared.
func (l *lists) check(others *names, g *Graph) error {
	n, rows := uint32(len(l.ids)), len(l.offsets)-1
	if l.offsets[0] != 0 || l.offsets[rows] != n {
		return fmt.Errorf("%d rows do not hold %d entries", rows, n)
	}
	for r := range rows {
		if from, to := l.offsets[r], l.offsets[r+1]; from >= to || to > n || r > 0 && to-from > from-l.offsets[r-1] {
			return fmt.Errorf("row %d is empty, ends before it starts, or is longer than the one before", r)
		}
	}
	if len(l.grid) != longRows(l.offsets)*checkpoints || !slices.IsSorted(g.checkpoints[:]) || len(l.lasts) != rows {
		return errors.New("the grid does not fit")
	}
	seen := make([]uint32, others.len()) // the row, plus 1, that last had the id
	again := lists{offsets: l.offsets, times: l.times, grid: make([]uint32, len(l.grid)), lasts: make([]uint8, rows)}
	rough := newRough(rows)
	for r := range rows {
		from, to := l.offsets[r], l.offsets[r+1]
		for k := from; k < to; k++ {
			id := l.ids[k]
			if int(id) >= len(seen) || seen[id] == uint32(r)+1 {
				return fmt.Errorf("row %d has an id that is unknown or there twice", r)
			}
			seen[id] = uint32(r) + 1
			if k > from && (l.times[k] < l.times[k-1] || l.times[k] == l.times[k-1] && others.compare(id, l.ids[k-1]) < 0) {
				return fmt.Errorf("row %d is out of order", r)
			}
			if uint64(l.times[k]) > g.latest {
				return fmt.Errorf("row %d goes on after the end", r)
			}
			if l.ratings.width > 0 && int(l.ratings.code(k)) >= len(l.ratings.table) {
				return fmt.Errorf("row %d has an unknown rating", r)
			}
		}
		again.fillGrid(uint32(r), &g.checkpoints, rough)
	}
	again.floors = newFloors(l.offsets, rough, one)
	if !slices.Equal(l.grid, again.grid) || !slices.Equal(l.lasts, again.lasts) ||
		!slices.Equal(l.floors.classes, again.floors.classes) || !slices.Equal(l.floors.steps, again.floors.steps) {
		return errors.New("the grid is wrong")
	}
	if f := newFirsts(l, one); !slices.Equal(f.starts, l.firsts.starts) || !slices.Equal(f.low, l.firsts.low) {
		return errors.New("the first times are wrong")
	}
	return nil
}

// one does one after another.
func one(n int, do func(k int)) {
	for k := range n {
		do(k)
	}
}
