//go:build !amd64 && !arm64

package graph

import "unsafe"

// prefetch does nothing where it is not known how to.
func prefetch(unsafe.Pointer, int) {}
