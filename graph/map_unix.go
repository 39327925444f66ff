//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package graph

import (
	"os"
	"syscall"
)

// mapping is a file in memory, as the system has it in its cache.
type mapping struct{ bytes []byte }

// mapFile maps a file for reading.
func mapFile(f *os.File, size int) (*mapping, error) {
	if size == 0 {
		return &mapping{}, nil
	}
	b, err := syscall.Mmap(int(f.Fd()), 0, size, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return nil, os.NewSyscallError("mmap", err)
	}
	return &mapping{b}, nil
}

func (m *mapping) close() error {
	if m.bytes == nil {
		return nil
	}
	b := m.bytes
	m.bytes = nil
	return os.NewSyscallError("munmap", syscall.Munmap(b))
}
