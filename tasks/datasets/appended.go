package datasets

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/mars-rec/mars/tasks/datasets/formats"
)

// Appended is what the manifest records of an append.
type Appended struct {
	Tool   string         `json:"tool"` // version of the program that appended it
	Recipe Recipe         `json:"recipe"`
	Source []formats.File `json:"source"`
	Counts AppendedCounts `json:"counts"`
	First  time.Time      `json:"first,omitzero"` // times of the first and the last interaction that is new or
	Last   time.Time      `json:"last,omitzero"`  // earlier than the one that was there; zero without any
	Notes  []string       `json:"notes"`

	Before string `json:"before"` // fingerprint of the data set as it was
	SHA256 string `json:"sha256"` // of the rows that were appended, as JSON: interactions, items, users, reviews
}

// AppendedCounts are the counts of an append. Rows is the sum of Interactions,
// Earlier and everything in Dropped.
type AppendedCounts struct {
	Rows         int                    `json:"rows"`         // rows of interactions read
	Interactions int                    `json:"interactions"` // of pairs that the data set did not have
	Earlier      int                    `json:"earlier"`      // that took the place of a later one of their pair
	Dropped      map[formats.Reason]int `json:"dropped"`      // every reason, also those with 0

	Users      int `json:"users"`          // that had no interaction
	Items      int `json:"items"`          // that the catalog did not have
	KnownItems int `json:"items_known"`    // described, and in the catalog already: what it says of them stays
	KnownUsers int `json:"users_known"`    // the same for users
	LeftOut    int `json:"items_left_out"` // described, without any interaction, not in the catalog
	Reviews    int `json:"reviews"`        // of the interactions that stay
}

// nothing reports whether the append changed nothing.
func (c AppendedCounts) nothing() bool {
	return c.Interactions+c.Earlier+c.Users+c.Items == 0
}

// after is the data set's fingerprint when the append was done.
func (a Appended) after() string {
	sum := sha256.Sum256([]byte(a.Before + "\n" + a.SHA256 + "\n"))
	return hex.EncodeToString(sum[:])
}

// Since tells what has changed since the data set had that fingerprint. As of
// first, the time of the earliest interaction that was appended since, and as of
// any earlier moment, nothing has: every answer is what it was. First is zero if
// no moment at all knows of a change. It is false if the data set never had the
// fingerprint.
func (m Manifest) Since(fingerprint string) (first time.Time, ok bool) {
	if fingerprint == m.Fingerprint() {
		return time.Time{}, true
	}
	for k := len(m.Appends) - 1; k >= 0; k-- {
		a := m.Appends[k]
		if !a.First.IsZero() && (first.IsZero() || a.First.Before(first)) {
			first = a.First
		}
		if a.Before == fingerprint {
			return first, true
		}
	}
	return time.Time{}, false
}

// Errors of [Manifest.Holds].
var (
	ErrOtherData = errors.New("it was imported anew")            // the data set is not one that it was appended to
	ErrAppended  = errors.New("what was known then has changed") // something was appended that lies before the moment
)

// Holds reports whether the data set answers as of a moment what it answered
// when it had that fingerprint: nil, [ErrAppended] or [ErrOtherData].
func (m Manifest) Holds(fingerprint string, asOf time.Time) error {
	switch first, ok := m.Since(fingerprint); {
	case !ok:
		return ErrOtherData
	case !first.IsZero() && first.Unix() < asOf.Unix(): // a cut is of whole seconds too
		return fmt.Errorf("interactions from %s on were appended: %w", first.Format(time.RFC3339), ErrAppended)
	}
	return nil
}
