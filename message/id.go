package message

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// ID is a causal path of ordinals: "1.3.2" is the second message emitted while
// answering "1.3". Ordinals start at 1; the root of a run is "1".
type ID string

// Root is the ID of the message that starts a run.
const Root ID = "1"

// Child returns the ID of the nth message emitted while answering id.
func (id ID) Child(n int) ID { return ID(string(id) + "." + strconv.Itoa(n)) }

// Cause returns the ID of the message that id was emitted in answer to; ""
// for a root.
func (id ID) Cause() ID {
	i := strings.LastIndexByte(string(id), '.')
	if i < 0 {
		return ""
	}
	return id[:i]
}

// Compare orders IDs as a walk of the causal tree: a parent before its
// children, children by their ordinals. For a malformed ID it orders the text.
func (id ID) Compare(other ID) int {
	n := 0
	for n < len(id) && n < len(other) && id[n] == other[n] {
		n++
	}
	a, b := ordinalRest(id[n:]), ordinalRest(other[n:])
	switch {
	case a != b:
		return cmp.Compare(a, b) // no leading zeros: the longer number is larger
	case a > 0:
		return cmp.Compare(id[n], other[n])
	}
	return cmp.Compare(len(id), len(other)) // one is above the other, or they are equal
}

// ordinalRest is how many digits are left of the ordinal that rest stands in.
func ordinalRest(rest ID) int {
	n := 0
	for n < len(rest) && rest[n] != '.' {
		n++
	}
	return n
}

// Within reports whether id is at or below other in the causal tree.
func (id ID) Within(other ID) bool {
	return id == other || strings.HasPrefix(string(id), string(other)+".")
}

// ParseID checks that s is a path of ordinals.
func ParseID(s string) (ID, error) {
	for rest := s; ; {
		part, more, cut := strings.Cut(rest, ".")
		if !ordinal(part) {
			return "", fmt.Errorf("%q is not a path id: want ordinals from 1 on, such as 1.3.2", s)
		}
		if !cut {
			return ID(s), nil
		}
		rest = more
	}
}

// ordinal reports whether part is a whole number from 1 on, as strconv.Itoa
// writes it.
func ordinal(part string) bool {
	if part == "" || part[0] == '0' {
		return false
	}
	for i := range len(part) {
		if part[i] < '0' || part[i] > '9' {
			return false
		}
	}
	_, err := strconv.Atoi(part) // not too large
	return err == nil
}
