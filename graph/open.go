package graph

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"os"
)

// CheckedWhole is the length in bytes up to which [Open] checks all of a
// snapshot.
const CheckedWhole = 32 << 20

// Open maps a snapshot that [Graph.Save] wrote. A file that is none, is cut
// short, is damaged, or was written by another version is refused, with an
// error that says which and what to do.
//
// What was appended to the snapshot ([Live]) is part of the graph.
//
// Of a file longer than [CheckedWhole] only the head is checked, so that the
// first query need not wait until gigabytes are read: its seal, and that file
// and sections have the lengths that it tells. A byte that has changed further
// on is found by [Graph.Verify]. Without it such a byte may make an answer
// wrong or a query panic; it never makes a query read outside of the file.
func Open(path string) (*Graph, error) {
	// The delta first: whoever compacts renames the snapshot, which then has all of
	// the delta, before it removes the delta.
	log, _, err := readDelta(path)
	if err != nil {
		return nil, fmt.Errorf("open graph snapshot %s: %w", path, err)
	}
	g, err := openSnapshot(path)
	if err != nil || len(log) == 0 {
		return g, err
	}
	with, err := g.With(log)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open graph snapshot %s: delta %s: %w", path, deltaPath(path), err), g.Close())
	}
	return with, nil
}

// openSnapshot opens a snapshot without its delta.
func openSnapshot(path string) (*Graph, error) {
	g, err := open(path)
	if err != nil {
		return nil, fmt.Errorf("open graph snapshot %s: %w", path, err)
	}
	return g, nil
}

func open(path string) (*Graph, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	m, err := mapFile(f, int(info.Size()))
	if err != nil {
		return nil, err
	}
	g, err := parse(m.bytes)
	if err == nil && len(m.bytes) <= CheckedWhole {
		err = g.verify(m.bytes)
	}
	if err != nil {
		return nil, errors.Join(err, m.close())
	}
	g.file = m
	return g, nil
}

// parse reads the head of a snapshot and finds its arrays.
func parse(b []byte) (*Graph, error) {
	if !littleEndian() {
		return nil, errors.New("this machine is big-endian, snapshots are not")
	}
	sections, err := split(b)
	if err != nil {
		return nil, err
	}
	le := binary.LittleEndian
	g := &Graph{base: int64(le.Uint64(b[24:])), latest: le.Uint64(b[32:])}
	for k := range g.checkpoints {
		g.checkpoints[k] = le.Uint32(b[40+4*k:])
	}
	if g.latest > math.MaxUint32 {
		return nil, damaged("its last moment is %d seconds after its first", g.latest)
	}
	for k, n := range []*names{&g.userIDs, &g.itemIDs} {
		s := sections[ofNames*k:]
		*n = names{blob: s[0], anchors: numbersOf[uint32](s[1]), starts: numbersOf[uint16](s[2]), order: numbersOf[uint32](s[3]), rank: numbersOf[uint32](s[4])}
		if len(n.starts) != len(n.rank)+1 || len(n.order) != len(n.rank) || len(n.anchors) != len(n.rank)/anchored+1 {
			return nil, damaged("it has %d starts, %d places and %d numbers of external ids", len(n.starts), len(n.order), len(n.rank))
		}
	}
	table := numbersOf[float32](sections[sectionCount-1])
	for k, l := range []*lists{&g.users, &g.items} {
		s := sections[2*ofNames+ofLists*k:]
		l.offsets, l.ids, l.times = numbersOf[uint32](s[0]), numbersOf[uint32](s[1]), numbersOf[uint32](s[2])
		l.ratings = ratings{table: table, codes: s[3], width: widthFor(len(table))}
		l.grid, l.floors, l.lasts = numbersOf[uint32](s[4]), floors{s[5], s[6]}, s[7]
		l.firsts = firsts{numbersOf[uint32](s[8]), numbersOf[uint16](s[9])}
		rows := []*names{&g.userIDs, &g.itemIDs}[k].len()
		if len(l.offsets) != rows+1 || len(l.times) != len(l.ids) || len(l.ratings.codes) != codeBytes(len(l.ids), l.ratings.width) ||
			len(l.grid)%checkpoints != 0 || len(l.grid) > rows*checkpoints ||
			len(l.floors.classes) != classes(rows) || len(l.floors.steps) != checkpoints*stepBytes(rows) || len(l.lasts) != rows ||
			len(l.firsts.low) != rows || rows > 0 && len(l.firsts.starts) < 3 {
			return nil, damaged("the lengths of its lists do not fit together")
		}
	}
	if g.pairs = len(g.users.ids); g.pairs != len(g.items.ids) {
		return nil, damaged("its two directions hold %d and %d interactions", g.pairs, len(g.items.ids))
	}
	return g, nil
}

// ErrFormat is the error of a snapshot that is whole, but of another program's
// format.
var ErrFormat = errors.New("this program does not read graphs of format")

// split checks the head of the file and returns its sections.
func split(b []byte) (sections [][]byte, err error) {
	le := binary.LittleEndian
	if len(b) < 12 || string(b[:8]) != magic {
		return nil, errors.New("the file is not a graph snapshot: give the graph.bin that mars import wrote")
	}
	switch v := le.Uint32(b[8:]); {
	case v > version:
		return nil, fmt.Errorf("%w %d, newer than %d, the newest that it reads: use a newer program or import the data set again", ErrFormat, v, version)
	case v == 0:
		return nil, damaged("it says format 0, which never was")
	case v < version:
		return nil, fmt.Errorf("%w %d, of an earlier program: import the data set again", ErrFormat, v)
	}
	if len(b) < headerLength {
		return nil, damaged("it ends after %d bytes, within its header", len(b))
	}
	if crc32.Checksum(b[:headerLength-4], castagnoli()) != le.Uint32(b[headerLength-4:]) {
		return nil, damaged("its header does not match its checksum")
	}
	if le.Uint32(b[12:]) != sectionCount {
		return nil, damaged("it has %d sections, not %d", le.Uint32(b[12:]), sectionCount)
	}
	if want := le.Uint64(b[16:]); want != uint64(len(b)) {
		return nil, damaged("it has %d bytes, not the %d that were written", len(b), want)
	}
	at := uint64(align(headerLength))
	for k := range sectionCount {
		entry := b[tableStart+24*k:]
		offset, length := le.Uint64(entry), le.Uint64(entry[8:])
		if offset != at || offset > uint64(len(b)) || length > uint64(len(b))-offset || length%uint64(widths[k]) != 0 {
			return nil, damaged("section %d lies outside of the file, over another, or has a broken length", k)
		}
		sections = append(sections, b[offset:offset+length:offset+length])
		at = uint64(align(int(offset + length)))
	}
	if uint64(len(b)) != at {
		return nil, damaged("there are bytes after its last section")
	}
	return sections, nil
}

// damaged is an error of a file that was a snapshot once.
func damaged(format string, args ...any) error {
	return fmt.Errorf("the snapshot is damaged: %w: restore it from a backup or import the data set again", fmt.Errorf(format, args...))
}
