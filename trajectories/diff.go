package trajectories

import (
	"fmt"
	"unicode/utf8"

	"github.com/mars-rec/mars/message"
)

// Difference is a place where two logs part.
type Difference struct {
	ID   message.ID
	A, B []byte // canonical bytes of the message in either log; nil where it is missing
}

// Diff returns the first message, in the order of the causal tree, in which
// two logs differ; ok is false if they are the same.
func Diff(a, b *Trajectory) (d Difference, ok bool) {
	i, j := 0, 0
	for i < len(a.Log) && j < len(b.Log) {
		x, y := a.Log[i], b.Log[j]
		switch c := x.ID.Compare(y.ID); {
		case c < 0:
			return Difference{ID: x.ID, A: x.Canonical()}, true
		case c > 0:
			return Difference{ID: y.ID, B: y.Canonical()}, true
		}
		if !x.Equal(y) {
			return Difference{ID: x.ID, A: x.Canonical(), B: y.Canonical()}, true
		}
		i, j = i+1, j+1
	}
	switch {
	case i < len(a.Log):
		return Difference{ID: a.Log[i].ID, A: a.Log[i].Canonical()}, true
	case j < len(b.Log):
		return Difference{ID: b.Log[j].ID, B: b.Log[j].Canonical()}, true
	}
	return Difference{}, false
}

// String says in one line where and how the two differ.
func (d Difference) String() string {
	switch {
	case d.A == nil:
		return fmt.Sprintf("%s is only in the second: %s", d.ID, excerpt(d.B, 0))
	case d.B == nil:
		return fmt.Sprintf("%s is only in the first: %s", d.ID, excerpt(d.A, 0))
	}
	at := parting(d.A, d.B)
	return fmt.Sprintf("%s differs from byte %d on: %s, then %s", d.ID, at, excerpt(d.A, at), excerpt(d.B, at))
}

// parting returns the number of leading bytes that a and b share.
func parting(a, b []byte) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// excerpt quotes a little of b around the byte at.
func excerpt(b []byte, at int) string {
	const before, after = 12, 48
	from, to := max(0, at-before), min(len(b), at+after)
	for from > 0 && from < len(b) && !utf8.RuneStart(b[from]) {
		from--
	}
	for to < len(b) && !utf8.RuneStart(b[to]) {
		to++
	}
	s := fmt.Sprintf("%q", b[min(from, len(b)):to])
	if from > 0 {
		s = "…" + s
	}
	if to < len(b) {
		s += "…"
	}
	return s
}
