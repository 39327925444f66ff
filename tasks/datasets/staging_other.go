//go:build !linux

package datasets

// exchange puts dir in the place of out, and out in the place of dir.
func exchange(dir, out string) error { return swap(dir, out) }
