package graph

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"os"
)

// Open reads a snapshot that [Graph.Save] wrote. A file that is none, is cut
// short, has a byte changed, or was written by a newer version is refused, with
// an error that says which and what to do.
func Open(path string) (*Graph, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("open graph snapshot: %w", err)
	}
	g, err := decode(b)
	if err != nil {
		return nil, fmt.Errorf("open graph snapshot %s: %w", path, err)
	}
	return g, nil
}

// decode reads a snapshot's bytes. Nothing in them is believed: after the
// checksums, which find accidents, the arrays are checked for what the queries
// rely on, so that no file makes a query panic.
func decode(b []byte) (*Graph, error) {
	le := binary.LittleEndian
	sections, base, err := split(b)
	if err != nil {
		return nil, err
	}
	g := &Graph{base: base}
	if g.userIDs, err = decodeIDs(sections[0]); err != nil {
		return nil, damaged("user ids: %w", err)
	}
	if g.itemIDs, err = decodeIDs(sections[1]); err != nil {
		return nil, damaged("item ids: %w", err)
	}
	for k, l := range []*lists{&g.users, &g.items} {
		arrays := sections[2+4*k : 6+4*k]
		for a, size := range []int{8, 4, 4, 4} {
			if len(arrays[a])%size != 0 {
				return nil, damaged("section %d has a broken length", 2+4*k+a)
			}
		}
		for ; len(arrays[0]) > 0; arrays[0] = arrays[0][8:] {
			l.offsets = append(l.offsets, le.Uint64(arrays[0]))
		}
		l.ids, l.times = decodeUint32s(arrays[1]), decodeUint32s(arrays[2])
		for _, bits := range decodeUint32s(arrays[3]) {
			l.ratings = append(l.ratings, math.Float32frombits(bits))
		}
	}
	if err := g.users.check(len(g.userIDs), len(g.itemIDs)); err != nil {
		return nil, damaged("lists of users: %w", err)
	}
	if err := g.items.check(len(g.itemIDs), len(g.userIDs)); err != nil {
		return nil, damaged("lists of items: %w", err)
	}
	if len(g.users.ids) != len(g.items.ids) {
		return nil, damaged("its two directions hold %d and %d interactions", len(g.users.ids), len(g.items.ids))
	}
	return g, nil
}

// split checks the envelope of the file and returns its sections.
func split(b []byte) (sections [][]byte, base int64, err error) {
	le := binary.LittleEndian
	if len(b) < 12 || string(b[:8]) != magic {
		return nil, 0, errors.New("the file is not a graph snapshot: give the graph.bin that mars import wrote")
	}
	if v := le.Uint32(b[8:]); v > version {
		return nil, 0, fmt.Errorf("it has format %d, newer than %d, the newest that this program reads: use a newer program or import the data set again", v, version)
	} else if v < version {
		return nil, 0, damaged("it says format %d, which never was", v)
	}
	if len(b) < headerLength {
		return nil, 0, damaged("it ends after %d bytes, within its header", len(b))
	}
	if crc32.Checksum(b[:headerLength-4], castagnoli) != le.Uint32(b[headerLength-4:]) {
		return nil, 0, damaged("its header does not match its checksum")
	}
	if le.Uint32(b[12:]) != sectionCount {
		return nil, 0, damaged("it has %d sections, not %d", le.Uint32(b[12:]), sectionCount)
	}
	if want := le.Uint64(b[16:]); want != uint64(len(b)) {
		return nil, 0, damaged("it has %d bytes, not the %d that were written", len(b), want)
	}
	at := uint64(headerLength)
	for k := range sectionCount {
		entry := b[32+24*k:]
		offset, length := le.Uint64(entry), le.Uint64(entry[8:])
		if offset < at || offset-at >= alignment || offset > uint64(len(b)) || length > uint64(len(b))-offset {
			return nil, 0, damaged("section %d lies outside of the file or over another", k)
		}
		if !zero(b[at:offset]) {
			return nil, 0, damaged("there are bytes between sections before section %d", k)
		}
		s := b[offset : offset+length]
		if crc32.Checksum(s, castagnoli) != le.Uint32(entry[16:]) {
			return nil, 0, damaged("section %d does not match its checksum", k)
		}
		sections = append(sections, s)
		at = offset + length
	}
	if uint64(len(b))-at >= alignment || !zero(b[at:]) {
		return nil, 0, damaged("there are bytes after its last section")
	}
	return sections, int64(le.Uint64(b[24:])), nil
}

// damaged is an error of a file that was a snapshot once.
func damaged(format string, args ...any) error {
	return fmt.Errorf("the snapshot is damaged: %w: restore it from a backup or import the data set again", fmt.Errorf(format, args...))
}

func zero(b []byte) bool {
	for _, x := range b {
		if x != 0 {
			return false
		}
	}
	return true
}

func decodeUint32s(b []byte) []uint32 {
	v := make([]uint32, len(b)/4)
	for k := range v {
		v[k] = binary.LittleEndian.Uint32(b[4*k:])
	}
	return v
}

// decodeIDs reads ids, which must ascend.
func decodeIDs(b []byte) ([]string, error) {
	var ids []string
	for len(b) > 0 {
		if len(b) < 4 {
			return nil, errors.New("the last one is cut short")
		}
		n := binary.LittleEndian.Uint32(b)
		b = b[4:]
		if n == 0 || n > maxID || int(n) > len(b) {
			return nil, fmt.Errorf("number %d has a length of %d bytes", len(ids), n)
		}
		id := string(b[:n])
		b = b[n:]
		if len(ids) > 0 && id <= ids[len(ids)-1] {
			return nil, fmt.Errorf("number %d is out of order", len(ids))
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// check reports what of the promises of lists does not hold, for rows rows with
// ids below others.
func (l *lists) check(rows, others int) error {
	n := len(l.ids)
	if len(l.offsets) != rows+1 || l.offsets[0] != 0 || l.offsets[rows] != uint64(n) {
		return fmt.Errorf("%d offsets for %d rows and %d entries", len(l.offsets), rows, n)
	}
	if len(l.times) != n || len(l.ratings) != n {
		return fmt.Errorf("%d ids, %d times and %d ratings", n, len(l.times), len(l.ratings))
	}
	seen := make([]uint32, others) // the row, plus 1, that last had the id
	for r := range rows {
		from, to := l.offsets[r], l.offsets[r+1]
		if from >= to || to > uint64(n) {
			return fmt.Errorf("row %d is empty or ends before it starts", r)
		}
		for k := from; k < to; k++ {
			id := l.ids[k]
			if int(id) >= others || seen[id] == uint32(r)+1 {
				return fmt.Errorf("row %d has an id that is unknown or there twice", r)
			}
			seen[id] = uint32(r) + 1
			if k > from && (l.times[k] < l.times[k-1] || l.times[k] == l.times[k-1] && id < l.ids[k-1]) {
				return fmt.Errorf("row %d is out of order", r)
			}
			if f := float64(l.ratings[k]); math.IsNaN(f) || math.IsInf(f, 0) {
				return fmt.Errorf("row %d has a rating that is not finite", r)
			}
		}
	}
	return nil
}
