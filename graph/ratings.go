package graph

import (
	"encoding/binary"
	"slices"
	"sort"
)

// ratings are numbers from a small table, by entry. Half stars from 0.5 to 5,
// and none, are 11 values: half a byte an entry; a log without ratings needs no
// byte at all.
type ratings struct {
	table []float32 // ascending; a code is a position here
	codes []byte    // packed, the lower half of a byte first
	width uint32    // bits of a code: 0, 4, 8 or 32
}

// widthFor returns the bits of a code for a table of n values.
func widthFor(n int) uint32 {
	switch {
	case n <= 1:
		return 0
	case n <= 16:
		return 4
	case n <= 256:
		return 8
	}
	return 32
}

// codeBytes returns the length of the packed codes of n entries.
func codeBytes(n int, width uint32) int { return (n*int(width) + 7) / 8 }

func (r *ratings) code(k uint32) uint32 {
	switch r.width {
	case 0:
		return 0
	case 4:
		return uint32(r.codes[k>>1]>>(4*(k&1))) & 15
	case 8:
		return uint32(r.codes[k])
	}
	return binary.LittleEndian.Uint32(r.codes[4*uint64(k):])
}

func (r *ratings) at(k uint32) float32 {
	if len(r.table) == 0 {
		return 0
	}
	return r.table[r.code(k)]
}

// from returns the lowest code whose rating is least or more.
func (r *ratings) from(least float32) uint32 {
	return uint32(sort.Search(len(r.table), func(k int) bool { return r.table[k] >= least }))
}

// codes are codes that are not packed yet, so that several can be set at once.
type codes struct {
	table  []float32
	narrow []uint8 // of a table of up to 256
	wide   []uint32
}

// newCodes makes room for n codes; none is needed where all would be the same.
func newCodes(table []float32, n int) *codes {
	switch widthFor(len(table)) {
	case 0:
		return &codes{table: table}
	case 32:
		return &codes{table: table, wide: roomFor[uint32](n)}
	}
	return &codes{table: table, narrow: roomFor[uint8](n)}
}

func (c *codes) set(k int, code uint32) {
	if c.narrow != nil {
		c.narrow[k] = uint8(code)
	} else if c.wide != nil {
		c.wide[k] = code
	}
}

func (c *codes) at(k int) uint32 {
	if c.narrow != nil {
		return uint32(c.narrow[k])
	} else if c.wide != nil {
		return c.wide[k]
	}
	return 0
}

// pack packs the codes.
func (c *codes) pack(b *builder) ratings {
	r := ratings{table: c.table, width: widthFor(len(c.table))}
	switch r.width {
	case 4:
		n := len(c.narrow)
		r.codes = roomFor[byte](codeBytes(n, 4))
		const part = 1 << 20 // even, so that no byte belongs to two parts
		b.each((n+part-1)/part, func(p int) {
			for k := p * part; k < min((p+1)*part, n); k++ {
				r.codes[k>>1] |= c.narrow[k] << (4 * (k & 1))
			}
		})
	case 8:
		r.codes = c.narrow
	case 32:
		r.codes = make([]byte, 0, codeBytes(len(c.wide), 32))
		for _, code := range c.wide {
			r.codes = binary.LittleEndian.AppendUint32(r.codes, code)
		}
	}
	return r
}

// palette numbers ratings in the order of their first appearance.
type palette struct {
	index  map[float32]uint32
	values []float32
	last   float32
	code   uint32
}

func (p *palette) number(r float32) uint32 {
	if len(p.values) > 0 && r == p.last {
		return p.code
	}
	c, ok := p.index[r]
	if !ok {
		if p.index == nil {
			p.index = map[float32]uint32{}
		}
		c = uint32(len(p.values))
		p.index[r] = c
		// Both zeros are one value; the positive one stands for it.
		p.values = append(p.values, r+0)
	}
	p.last, p.code = r, c
	return c
}

// sorted returns the table, and where each number went.
func (p *palette) sorted() (table []float32, codes []uint32) {
	table = slices.Sorted(slices.Values(p.values))
	codes = make([]uint32, len(table))
	for k, r := range table {
		codes[p.index[r]] = uint32(k)
	}
	return table, codes
}
