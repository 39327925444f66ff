//go:build !linux

package store

import "os"

// syncData forces what is written to a file to the disk.
func syncData(f *os.File) error { return f.Sync() }
