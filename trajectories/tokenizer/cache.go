package tokenizer

import (
	"hash/maphash"
	"strings"
	"sync/atomic"
)

// A cache remembers how pieces were merged. Each piece has one place, and a new
// piece takes it from an old one, so the size is fixed and nobody waits. What
// it holds never changes what a text's tokens are.
type cache struct {
	seed   maphash.Seed
	places []atomic.Pointer[merged]
}

// merged is a piece and its tokens.
type merged struct {
	piece string
	ids   []int32
}

// places, and the longest piece that is remembered: together at most some
// megabytes.
const cachePlaces, cachePiece = 1 << 15, 64

func newCache() *cache {
	return &cache{seed: maphash.MakeSeed(), places: make([]atomic.Pointer[merged], cachePlaces)}
}

func (c *cache) place(piece string) *atomic.Pointer[merged] {
	return &c.places[maphash.String(c.seed, piece)%cachePlaces]
}

func (c *cache) get(piece string) ([]int32, bool) {
	if len(piece) > cachePiece {
		return nil, false
	}
	m := c.place(piece).Load()
	if m == nil || m.piece != piece {
		return nil, false
	}
	return m.ids, true
}

func (c *cache) put(piece string, ids []int32) {
	if len(piece) <= cachePiece {
		c.place(piece).Store(&merged{strings.Clone(piece), ids})
	}
}
