// Package selfsum lets a JSON file carry the hash of itself, so that a change of
// any byte of it can be seen, spaces and unread members included.
//
//	{
//	  "name": "ml",
//	  ...
//	  "sum": "…"   SHA-256, in hex, of the whole file with "" here
//	}
//
// The sum finds accidents. It is no signature: whoever edits the file can make
// it anew.
package selfsum

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"regexp"
)

// Errors of [Check].
var (
	// ErrNone says that the file has no sum: it is older than its program, or
	// not whole.
	ErrNone = errors.New("it has no sum of its own")
	// ErrChanged says that the file is not what was written.
	ErrChanged = errors.New("it is not what was written")
)

// empty is the member before the sum is known; encoders write it with a space or
// without.
var empty = regexp.MustCompile(`"sum": ?""`)

// full is the member at the end of a file.
var full = regexp.MustCompile(`"sum": ?"[0-9a-f]{64}"\s*}\s*$`)

// Fill puts the sum of the file into the last member "sum", which is "" in it. A
// file without one stays as it is.
func Fill(file []byte) []byte {
	all := empty.FindAllIndex(file, -1)
	if len(all) == 0 {
		return file
	}
	at := all[len(all)-1][1] - 1
	sum := sha256.Sum256(file)
	return append(append(bytes.Clone(file[:at]), hex.EncodeToString(sum[:])...), file[at:]...)
}

// Check compares a file with the sum that is its last member.
func Check(file []byte) error {
	at := full.FindIndex(file)
	if at == nil {
		return ErrNone
	}
	from := at[0] + bytes.IndexByte(file[at[0]:], ':')
	from += bytes.IndexByte(file[from:], '"') + 1
	told := file[from : from+2*sha256.Size]
	sum := sha256.Sum256(append(bytes.Clone(file[:from]), file[from+2*sha256.Size:]...))
	if hex.EncodeToString(sum[:]) != string(told) {
		return ErrChanged
	}
	return nil
}
