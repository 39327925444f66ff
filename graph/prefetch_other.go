//go:build !amd64 && !arm64

package graph

// prefetch does nothing where it is not known how to.
func prefetch(*uint32, int) {}

func prefetchByte(*uint8) {}
