package trajectories

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"

	"github.com/mars-rec/mars/message"
)

// sealVersion names the rule of [Seal]. A rule that hashes anything else gets
// another name, so that two seals are comparable exactly if they begin alike.
const sealVersion = "trajectory/1"

// Seal returns the hash of a log: "trajectory/1:" and, in hex, the SHA-256 over
// that name and the canonical bytes of the messages sorted by ID, each preceded
// by its length (8 bytes, big endian). The order in which the messages are
// given, and their Meta, do not matter.
func Seal(log []message.Envelope) string {
	if !slices.IsSortedFunc(log, byID) {
		log = slices.Clone(log)
		Sort(log)
	}
	h := sha256.New()
	var length [8]byte
	put := func(b []byte) {
		binary.BigEndian.PutUint64(length[:], uint64(len(b)))
		h.Write(length[:])
		h.Write(b)
	}
	put([]byte(sealVersion))
	for i := range log {
		log[i].WithCanonical(put)
	}
	return sealVersion + ":" + hex.EncodeToString(h.Sum(nil))
}
