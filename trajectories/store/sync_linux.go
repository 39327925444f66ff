package store

import (
	"os"
	"syscall"
)

// syncData forces what is written to a file to the disk; not the time at which it
// was, for which the file system would write twice.
func syncData(f *os.File) error {
	for {
		if err := syscall.Fdatasync(int(f.Fd())); err != syscall.EINTR {
			return os.NewSyscallError("fdatasync", err)
		}
	}
}
