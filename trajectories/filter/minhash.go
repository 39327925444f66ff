package filter

import (
	"encoding/binary"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
)

// shingles is a set of hashes of runs of words, sorted. Two runs of words with
// the same 64 bits count as one.
type shingles []uint64

// shingle returns the runs of n words in a text; of a shorter text the one run
// that it is.
func shingle(words []string, n int) shingles {
	var set shingles
	h := fnv.New64a()
	for i := 0; i == 0 || i+n <= len(words); i++ {
		h.Reset()
		for _, w := range words[i:min(i+n, len(words))] {
			h.Write([]byte(w))
			h.Write([]byte{0})
		}
		set = append(set, h.Sum64())
	}
	slices.Sort(set)
	return slices.Compact(set)
}

// jaccard is the share of shingles that both have, of those that either has.
func (s shingles) jaccard(other shingles) float64 {
	both := 0
	for i, j := 0, 0; i < len(s) && j < len(other); {
		switch {
		case s[i] < other[j]:
			i++
		case s[i] > other[j]:
			j++
		default:
			both++
			i++
			j++
		}
	}
	return float64(both) / float64(len(s)+len(other)-both)
}

// hashes is how many minima a signature has: the share that two signatures have
// in common estimates their Jaccard similarity with a standard error of at most
// 0.5/√hashes.
const hashes = 128

// signature is the least of each hash function over a set of shingles.
type signature [hashes]uint32

// index finds the signatures that may be alike, by bands of equal minima.
type index struct {
	least  float64 // the similarity from which on two sets are alike
	rows   int     // minima in a band
	scale  [hashes]uint64
	shift  [hashes]uint64
	bands  []map[uint64][]int32 // entries, by the band's minima
	stored []signature
}

// missed is how many pairs at the bound no band may find.
const missed = 0.001

// newIndex makes an index for sets that are alike from a similarity on. It takes
// as many minima to a band as still miss few enough pairs at the bound.
func newIndex(least float64, seed int64) *index {
	x := &index{least: least, rows: 1}
	for rows := 2; rows <= 16; rows++ {
		bands := hashes / rows
		if math.Pow(1-math.Pow(least, float64(rows)), float64(bands)) <= missed {
			x.rows = rows
		}
	}
	r := rand.New(rand.NewPCG(uint64(seed), hashes))
	for i := range hashes {
		x.scale[i], x.shift[i] = r.Uint64()|1, r.Uint64()
	}
	x.bands = make([]map[uint64][]int32, hashes/x.rows)
	for i := range x.bands {
		x.bands[i] = map[uint64][]int32{}
	}
	return x
}

// sign makes the signature of a set.
func (x *index) sign(set shingles) signature {
	var sig signature
	for i := range sig {
		sig[i] = math.MaxUint32
	}
	for _, s := range set {
		s ^= s >> 31 // FNV's low bits are its best, and the top ones are taken
		s *= 0x9e3779b97f4a7c15
		for i := range sig {
			sig[i] = min(sig[i], uint32((s*x.scale[i]+x.shift[i])>>32))
		}
	}
	return sig
}

// near returns the entries that may be alike, in the order in which they were
// added: those that share a band, and whose signature is not too far off.
func (x *index) near(sig signature) []int32 {
	var found []int32
	for b := range x.bands {
		found = append(found, x.bands[b][x.key(sig, b)]...)
	}
	slices.Sort(found)
	const far = 4 * 0.5 / 11.3 // four standard errors at their largest
	return slices.DeleteFunc(slices.Compact(found), func(entry int32) bool {
		same := 0
		for i, m := range x.stored[entry] {
			if m == sig[i] {
				same++
			}
		}
		return float64(same)/hashes < x.least-far
	})
}

// add makes an entry of a signature.
func (x *index) add(sig signature) {
	entry := int32(len(x.stored))
	x.stored = append(x.stored, sig)
	for b := range x.bands {
		key := x.key(sig, b)
		x.bands[b][key] = append(x.bands[b][key], entry)
	}
}

// key is the minima of a band as one number.
func (x *index) key(sig signature, band int) uint64 {
	h := fnv.New64a()
	var b [4]byte
	for _, m := range sig[band*x.rows : (band+1)*x.rows] {
		binary.LittleEndian.PutUint32(b[:], m)
		h.Write(b[:])
	}
	return h.Sum64()
}
