//go:build amd64 || arm64

package graph

import "unsafe"

// prefetch asks for lines of the cache, of 64 bytes each, from an address on. It
// waits for nothing, and an address that is none does no harm. A load in its
// place would hold up all that follows until it is there.
//
//go:noescape
func prefetch(at unsafe.Pointer, lines int)
