// Package atomicfile puts a file in place whole or not at all: it is written
// under a temporary name beside its place, forced to the disk, and renamed.
// Whoever reads the place sees what was there before or the new file, also
// after a crash.
//
//	Create ──> .run.json.1234 ──Write──> Commit: sync, rename, sync the folder ──> run.json
//	                                └──> Abort: removed
package atomicfile

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// File is a file on its way to its place. It is buffered, and not safe for
// concurrent use.
type File struct {
	path string
	file *os.File // nil once committed or aborted
	buf  *bufio.Writer
}

// Create starts a file that will be at path. Its permissions are those of an
// ordinary file, 0644.
func Create(path string) (*File, error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return nil, err
	}
	return &File{path, f, bufio.NewWriterSize(f, 1<<16)}, nil
}

// Write implements [io.Writer].
func (f *File) Write(b []byte) (int, error) { return f.buf.Write(b) }

// Sync forces what is written to the disk. Commit does it too; before several
// files are committed, each can be synced, so that only renames are left.
func (f *File) Sync() error { return errors.Join(f.buf.Flush(), f.file.Sync()) }

// Commit puts the file in its place. If it fails, what was there before is
// still there, or the new file is; nothing else is left behind.
func (f *File) Commit() error {
	if f.file == nil {
		return fmt.Errorf("commit %s: %w", f.path, fs.ErrClosed)
	}
	temporary := f.file.Name()
	err := errors.Join(f.buf.Flush(), f.file.Chmod(0o644), f.file.Sync(), f.file.Close())
	f.file = nil
	if err == nil {
		err = os.Rename(temporary, f.path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temporary))
	}
	return SyncDir(filepath.Dir(f.path))
}

// Abort removes the file. After Commit or Abort it does nothing.
func (f *File) Abort() error {
	if f.file == nil {
		return nil
	}
	temporary := f.file.Name()
	err := f.file.Close()
	f.file = nil
	return errors.Join(err, os.Remove(temporary))
}

// Write makes a file of what write writes, and puts it at path.
func Write(path string, write func(io.Writer) error) error {
	f, err := Create(path)
	if err != nil {
		return err
	}
	if err := write(f); err != nil {
		return errors.Join(err, f.Abort())
	}
	return f.Commit()
}

// SyncDir makes durable what was renamed, made or removed in a folder. Not
// every system can sync a folder; those that cannot do not need it.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrInvalid) {
		err = nil
	}
	return errors.Join(err, d.Close())
}
