//go:build unix

package transport

import "syscall"

// canPeek says that it can be seen whether a connection has something to read.
const canPeek = true

// nothing reports whether a connection is open and has nothing to read.
func nothing(fd uintptr) bool {
	var one [1]byte
	for {
		_, _, err := syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK)
		if err != syscall.EINTR {
			return err == syscall.EAGAIN
		}
	}
}
