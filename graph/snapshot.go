package graph

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"
)

// A snapshot is one file, little-endian throughout:
//
//	magic "marsgrph" | version u32 | sections u32 | file length u64 | base i64
//	per section: offset u64 | length u64 | crc-32c u32 | 0 u32
//	crc-32c of all of the above u32
//	sections, each starting at a multiple of 64, zeros between
//
// The sections, in order: user ids (each a u32 length and the bytes), item ids,
// then for users and for items: offsets u64, ids u32, times u32, ratings f32.
// Their alignment lets a reader map the file and use the arrays in place. The
// same graph has the same bytes.
const (
	magic        = "marsgrph"
	version      = 1
	sectionCount = 10
	headerLength = 8 + 4 + 4 + 8 + 8 + sectionCount*24 + 4
	alignment    = 64
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Save writes the graph's snapshot: to a temporary file beside path, which is
// synced and then renamed to path, so that path never holds half a graph.
func (g *Graph) Save(path string) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("save graph snapshot: %w", err)
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
			err = fmt.Errorf("save graph snapshot %s: %w", path, err)
		}
	}()
	if _, err := f.Write(g.encode()); err != nil {
		return err
	}
	if err := f.Chmod(0o644); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes a rename in dir durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// encode returns the bytes of the snapshot.
func (g *Graph) encode() []byte {
	le := binary.LittleEndian
	sections := [][]byte{encodeIDs(g.userIDs), encodeIDs(g.itemIDs)}
	for _, l := range []*lists{&g.users, &g.items} {
		ratings := make([]byte, 0, 4*len(l.ratings))
		for _, r := range l.ratings {
			ratings = le.AppendUint32(ratings, math.Float32bits(r))
		}
		offsets := make([]byte, 0, 8*len(l.offsets))
		for _, o := range l.offsets {
			offsets = le.AppendUint64(offsets, o)
		}
		sections = append(sections, offsets, encodeUint32s(l.ids), encodeUint32s(l.times), ratings)
	}

	var table, body []byte
	at := align(headerLength)
	for _, s := range sections {
		table = le.AppendUint64(table, uint64(at+len(body)))
		table = le.AppendUint64(table, uint64(len(s)))
		table = le.AppendUint32(table, crc32.Checksum(s, castagnoli))
		table = le.AppendUint32(table, 0)
		body = append(body, s...)
		body = append(body, make([]byte, align(len(body))-len(body))...)
	}
	header := []byte(magic)
	header = le.AppendUint32(header, version)
	header = le.AppendUint32(header, sectionCount)
	header = le.AppendUint64(header, uint64(at+len(body)))
	header = le.AppendUint64(header, uint64(g.base))
	header = append(header, table...)
	header = le.AppendUint32(header, crc32.Checksum(header, castagnoli))
	header = append(header, make([]byte, at-len(header))...)
	return bytes.Join([][]byte{header, body}, nil)
}

// align rounds up to where a section may start.
func align(n int) int { return (n + alignment - 1) / alignment * alignment }

func encodeIDs(ids []string) []byte {
	var b []byte
	for _, id := range ids {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(id)))
		b = append(b, id...)
	}
	return b
}

func encodeUint32s(v []uint32) []byte {
	b := make([]byte, 0, 4*len(v))
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, x)
	}
	return b
}
