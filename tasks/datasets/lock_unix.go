//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package datasets

import (
	"errors"
	"os"
	"syscall"
)

// lockDir opens a directory and locks it for this process. It fails at once
// where another process holds the lock, or has moved the directory away.
func lockDir(dir string) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, os.NewSyscallError("flock", err)
	}
	held, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	if named, err := os.Stat(dir); err != nil || !os.SameFile(held, named) {
		f.Close()
		return nil, errors.New("the directory was moved meanwhile")
	}
	return f, nil
}
