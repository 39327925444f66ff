package filter

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/mars-rec/mars/tasks"
)

// Splits part users, never rows: all that is known of a user goes to one side,
// so that nothing learnt of them can help on the other.
type Splits struct {
	Shares []Share
	Seed   int64
}

// Share is one side, and how much of the users it gets: above 0, all sides
// together 1.
type Share struct {
	Name  string  `json:"split"`
	Share float64 `json:"share"`
}

// The names that a side may have. Train is what is trained on; validation may be
// watched while it is.
const (
	Train      = "train"
	Validation = "validation"
	Test       = "test"
)

// SplitNames are the names that a side may have.
func SplitNames() []string { return []string{Train, Validation, Test} }

// ParseSplits reads shares, "train=0.9,validation=0.1". There is a side train,
// the first, and no side twice.
func ParseSplits(text string, seed int64) (Splits, error) {
	s := Splits{Seed: seed}
	sum := 0.
	for part := range strings.SplitSeq(text, ",") {
		name, number, ok := strings.Cut(strings.TrimSpace(part), "=")
		share, err := strconv.ParseFloat(number, 64)
		if !ok || err != nil || !(share > 0) || share > 1 {
			return s, fmt.Errorf("%q is no share: want a name and a number above 0, such as train=0.9", part)
		}
		if !slices.Contains(SplitNames(), name) || slices.ContainsFunc(s.Shares, func(have Share) bool { return have.Name == name }) {
			return s, fmt.Errorf("the split %q is unknown or named twice: want %s, each at most once", name, strings.Join(SplitNames(), ", "))
		}
		s.Shares = append(s.Shares, Share{name, share})
		sum += share
	}
	if s.Shares[0].Name != Train {
		return s, fmt.Errorf("the first split is %s: want %s", s.Shares[0].Name, Train)
	}
	if math.Abs(sum-1) > 1e-9 {
		return s, fmt.Errorf("the shares of %s sum up to %g: want 1", text, sum)
	}
	return s, nil
}

// Of returns the side of a task's user: a hash of the data set, the user and the
// seed, so that it is the same in every run store and export. Without shares it
// is train.
func (s Splits) Of(task tasks.Task) string {
	if len(s.Shares) == 0 {
		return Train
	}
	at := float64(binary.BigEndian.Uint64(lot(s.Seed, task.Dataset+"\x00"+task.User))>>11) / (1 << 53)
	for _, share := range s.Shares[:len(s.Shares)-1] {
		if at < share.Share {
			return share.Name
		}
		at -= share.Share
	}
	return s.Shares[len(s.Shares)-1].Name
}
