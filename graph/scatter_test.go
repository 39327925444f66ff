package graph

import "testing"

// Every row is in the part whose rows it is among, one by one or by dozens.
func TestParts(t *testing.T) {
	offsets := []uint32{0}
	for r := range oneByOne + 10*dozens + 7 {
		offsets = append(offsets, offsets[r]+1+uint32(1_000_000/(r+1)))
	}
	p, starts := cutRows(offsets)
	if len(starts) > buckets {
		t.Fatalf("%d parts", len(starts))
	}
	part := 0
	for r := range len(offsets) - 1 {
		if part+1 < len(starts) && r == starts[part+1] {
			part++
		}
		if got := p.of(uint32(r)); got != uint16(part) {
			t.Fatalf("row %d is in part %d, not %d", r, got, part)
		}
	}
}
