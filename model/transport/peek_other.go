//go:build !unix

package transport

// canPeek says that it can be seen whether a connection has something to read.
const canPeek = false

// nothing is not asked.
func nothing(uintptr) bool { return false }
