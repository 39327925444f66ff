//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package graph

import (
	"fmt"
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

// lockFile opens a file and locks it for this process, until it is closed.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("another process appends to it (%s is locked): %w", path, err)
	}
	return f, nil
}
