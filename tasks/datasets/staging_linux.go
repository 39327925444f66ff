package datasets

import (
	"errors"

	"golang.org/x/sys/unix"
)

// exchange puts dir in the place of out, and out in the place of dir, in one
// step where the file system can.
func exchange(dir, out string) error {
	err := unix.Renameat2(unix.AT_FDCWD, dir, unix.AT_FDCWD, out, unix.RENAME_EXCHANGE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.ENOTSUP) {
		return swap(dir, out)
	}
	return err
}
