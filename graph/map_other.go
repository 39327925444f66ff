//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package graph

import (
	"io"
	"os"
)

// mapping is a file in memory.
type mapping struct{ bytes []byte }

// mapFile reads a file.
func mapFile(f *os.File, size int) (*mapping, error) {
	// Words, so that what is read is aligned like a mapped file.
	b := aligned(size)
	if _, err := io.ReadFull(f, b); err != nil {
		return nil, err
	}
	return &mapping{b}, nil
}

func (m *mapping) close() error { return nil }

// lockFile opens a file. That no other process has it open is left to whoever
// starts them.
func lockFile(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
}
