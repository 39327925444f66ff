package graph

import (
	"math/bits"
	"sort"
)

// ticks are moments that divide the log: as many entries lie between each two.
// Every fifteenth is a checkpoint of the grid.
type ticks [254]uint32

// checkpoints is the number of moments at which the grid knows the length of a
// long row; with 4 bytes each they fill one line of the processor's cache.
const checkpoints = 16

// gridFrom is the length from which a row has a grid. Shorter rows are found
// through in a few steps anyway.
const gridFrom = 256

func (t *ticks) checkpoint(k int) uint32 { return t[15*(k+1)-1] }

// of returns how many ticks are at the time or before it.
func (t *ticks) of(time uint32) uint8 {
	return uint8(sort.Search(len(t), func(k int) bool { return t[k] > time }))
}

// longRows returns the number of rows with a grid.
func longRows(offsets []uint32) int {
	n := 0
	for n+1 < len(offsets) && offsets[n+1]-offsets[n] >= gridFrom {
		n++
	}
	return n
}

// newRough makes room for what fillGrid notes of so many rows.
func newRough(rows int) [][]uint8 {
	rough := make([][]uint8, checkpoints)
	for k := range rough {
		rough[k] = make([]uint8, rows)
	}
	return rough
}

// fillGrid counts the entries of row r before each of the checkpoints, and
// notes when it ends. The lengths are noted in rough, by checkpoint, for floors.
func (l *lists) fillGrid(r uint32, at *ticks, rough [][]uint8) {
	times := l.times[l.offsets[r]:l.offsets[r+1]]
	n := uint32(0)
	for k := range checkpoints {
		limit := at.checkpoint(k)
		if len(times) >= gridFrom {
			n += before(times[n:], limit)
			l.grid[uint64(r)*checkpoints+uint64(k)] = n
		} else {
			for int(n) < len(times) && times[n] < limit {
				n++
			}
		}
		rough[k][r] = toFloor(n)
	}
	l.lasts[r] = at.of(times[len(times)-1])
}

// floors are, for each row and checkpoint, a rough lower bound of the row's
// length then. Rows descend by length, so that those of a class, which stand
// together, are about as long; of each row four bits say how much shorter it
// was than that.
type floors struct {
	classes []uint8 // by row / inClass: of the length of the shortest of them
	steps   []uint8 // by checkpoint, then row: what to take off, in half bytes
}

const inClass = 64

// offClass is what four bits take off a class: finely where a row was nearly as
// long, and all of it at last.
const offClass = "\x00\x01\x02\x03\x04\x06\x08\x0a\x0c\x0f\x12\x16\x1a\x1f\x28\xff"

// classes returns the number of classes of so many rows.
func classes(rows int) int { return (rows + inClass - 1) / inClass }

// stepBytes returns the length of the steps of so many rows at one checkpoint.
func stepBytes(rows int) int { return (rows + 1) / 2 }

// newFloors packs what fillGrid noted.
func newFloors(offsets []uint32, rough [][]uint8, each func(n int, do func(k int))) floors {
	rows := len(offsets) - 1
	f := floors{classes: make([]uint8, classes(rows)), steps: make([]uint8, checkpoints*stepBytes(rows))}
	for c := range f.classes {
		last := min((c+1)*inClass, rows) - 1
		f.classes[c] = toFloor(offsets[last+1] - offsets[last])
	}
	each(checkpoints, func(k int) {
		steps := f.steps[k*stepBytes(rows):]
		for r, floor := range rough[k] {
			step := 0
			for class := int(f.classes[r/inClass]); class-int(offClass[step]) > int(floor); {
				step++
			}
			steps[r>>1] |= uint8(step << (4 * (r & 1)))
		}
	})
	return f
}

// floorsAt are floors as of a moment; the zero value knows nothing.
type floorsAt struct {
	classes []uint8
	steps   []uint8 // nil: nothing is to be taken off
}

// at returns the floors as of a moment. A delta never makes a row shorter, so
// that they hold for rows that it changed.
func (f *floors) at(m *moment) floorsAt {
	switch {
	case m.limit > m.latest:
		return floorsAt{classes: f.classes}
	case m.checkpoint > 0:
		size := len(f.steps) / checkpoints
		return floorsAt{f.classes, f.steps[(m.checkpoint-1)*size : m.checkpoint*size]}
	}
	return floorsAt{}
}

// of returns the floor of a row, as toFloor makes them.
func (f *floorsAt) of(r uint32) uint8 {
	if int(r/inClass) >= len(f.classes) {
		return 0
	}
	class := f.classes[r/inClass]
	if f.steps == nil || int(r>>1) >= len(f.steps) {
		return class
	}
	return class - min(class, offClass[f.steps[r>>1]>>(4*(r&1))&15])
}

// toFloor rounds n down to what a byte can say: four binary digits, and how many
// follow.
func toFloor(n uint32) uint8 {
	if n < 8 {
		return uint8(n)
	}
	e := uint32(bits.Len32(n)) - 4
	return uint8((e+1)<<3 | n>>e&7)
}

func fromFloor(f uint8) uint32 {
	if f < 8 {
		return uint32(f)
	}
	return (8 | uint32(f&7)) << (f>>3 - 1)
}

// logOfFloor returns eight times the binary logarithm of a floor, nearly.
func logOfFloor(f uint8) int {
	if f < 8 {
		return int("\x00\x00\x08\x0d\x10\x13\x15\x16"[f])
	}
	return int(f) + 16
}
