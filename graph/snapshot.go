package graph

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"unsafe"

	"github.com/mars-rec/mars/internal/atomicfile"
)

// A snapshot is one file, little-endian throughout:
//
//	magic "marsgrph" | version u32 | sections u32 | file length u64
//	base i64 | latest u64 | ticks 254 × u32
//	per section: offset u64 | length u64 | crc-32c u32 | 0 u32
//	crc-32c of all of the above u32
//	sections, each starting at a multiple of 64, zeros between
//
// The sections, in order: of users, then of items, the external ids (bytes,
// anchors u32, starts u16, order u32, rank u32); of users, then of items, the
// lists (offsets u32, ids u32, times u32, codes of ratings, grid u32, classes of
// floors u8, their steps of 4 bits, last ticks u8, first times: starts u32, low
// u16); the table of ratings f32. A reader maps the file and uses the arrays in
// place. The same graph has the same bytes.
const (
	magic        = "marsgrph"
	version      = 3
	ofNames      = 5
	ofLists      = 10
	sectionCount = 2*ofNames + 2*ofLists + 1
	headerLength = 8 + 4 + 4 + 8 + 8 + 8 + 4*len(ticks{}) + sectionCount*24 + 4
	tableStart   = headerLength - 4 - sectionCount*24
	alignment    = 64
)

// widths are the bytes of one number of each section of names, and of lists.
const (
	widthsOfNames = "\x01\x04\x02\x04\x04"
	widthsOfLists = "\x04\x04\x04\x01\x04\x01\x01\x01\x04\x02"
	widths        = widthsOfNames + widthsOfNames + widthsOfLists + widthsOfLists + "\x04"
)

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

// littleEndian reports whether this machine has numbers in memory as the file
// has them.
func littleEndian() bool { return binary.NativeEndian.Uint16([]byte{1, 0}) == 1 }

// Save writes the graph's snapshot: to a temporary file beside path, which is
// synced and then renamed to path, so that path never holds half a graph.
func (g *Graph) Save(path string) error {
	if !littleEndian() {
		return errors.New("save graph snapshot: this machine is big-endian, snapshots are not")
	}
	if err := atomicfile.Write(path, g.write); err != nil {
		return fmt.Errorf("save graph snapshot %s: %w", path, err)
	}
	return nil
}

// sections returns the graph's arrays, in the order of the file.
func (g *Graph) sections() [][]byte {
	var all [][]byte
	for _, n := range []*names{&g.userIDs, &g.itemIDs} {
		all = append(all, n.blob, bytesOf(n.anchors), bytesOf(n.starts), bytesOf(n.order), bytesOf(n.rank))
	}
	for _, l := range []*lists{&g.users, &g.items} {
		all = append(all, bytesOf(l.offsets), bytesOf(l.ids), bytesOf(l.times), l.ratings.codes, bytesOf(l.grid),
			l.floors.classes, l.floors.steps, l.lasts, bytesOf(l.firsts.starts), bytesOf(l.firsts.low))
	}
	return append(all, bytesOf(g.users.ratings.table))
}

// write writes the snapshot. A delta is folded in.
func (g *Graph) write(to io.Writer) error {
	g, err := g.folded(BuildConfig{})
	if err != nil {
		return err
	}
	le := binary.LittleEndian
	sections := g.sections()
	var table []byte
	at := align(headerLength)
	for _, s := range sections {
		table = le.AppendUint64(table, uint64(at))
		table = le.AppendUint64(table, uint64(len(s)))
		table = le.AppendUint32(table, crc32.Checksum(s, castagnoli()))
		table = le.AppendUint32(table, 0)
		at = align(at + len(s))
	}
	header := []byte(magic)
	header = le.AppendUint32(header, version)
	header = le.AppendUint32(header, sectionCount)
	header = le.AppendUint64(header, uint64(at))
	header = le.AppendUint64(header, uint64(g.base))
	header = le.AppendUint64(header, g.latest)
	for _, t := range g.checkpoints {
		header = le.AppendUint32(header, t)
	}
	header = append(header, table...)
	header = le.AppendUint32(header, crc32.Checksum(header, castagnoli()))

	w := bufio.NewWriterSize(to, 1<<20)
	for _, s := range append([][]byte{header}, sections...) {
		if _, err := w.Write(s); err != nil {
			return err
		}
		if _, err := w.Write(make([]byte, align(len(s))-len(s))); err != nil {
			return err
		}
	}
	return w.Flush()
}

// align rounds up to where a section may start.
func align(n int) int { return (n + alignment - 1) / alignment * alignment }

// number is what sections are made of.
type number interface{ uint16 | uint32 | float32 }

// bytesOf shows numbers as the bytes that they are on a little-endian machine.
func bytesOf[T number](v []T) []byte {
	if len(v) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&v[0])), len(v)*int(unsafe.Sizeof(v[0])))
}

// numbersOf shows bytes, which are aligned, as numbers.
func numbersOf[T number](b []byte) []T {
	var one T
	size := int(unsafe.Sizeof(one))
	if len(b) < size {
		return nil
	}
	return unsafe.Slice((*T)(unsafe.Pointer(&b[0])), len(b)/size)
}

// aligned returns n bytes that start where a number may.
func aligned(n int) []byte {
	words := make([]uint64, (n+7)/8+1)
	return unsafe.Slice((*byte)(unsafe.Pointer(&words[0])), n)
}
