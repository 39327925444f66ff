package datasets

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/mars-rec/mars/internal/atomicfile"
)

// ErrExists says that there is something where a data set shall be written.
var ErrExists = errors.New("exists already")

// staging is the directory beside the target in which a data set is made. It
// becomes the target in one step, when all of it is on the disk:
//
//	data/.ml.importing/   being written, locked by its process
//	data/ml/              there is nothing, the old data set, or the new one
//
// The lock ends with the process, however that ends: what an import that was
// killed left behind is recognised by having no owner, and cleared by the next.
type staging struct {
	dir, out string
	lock     *os.File
}

// stage makes the staging directory of a target. With replace, the target may
// be a data set or an empty directory; anything else is never overwritten.
func stage(out string, replace bool) (*staging, error) {
	out, err := filepath.Abs(out)
	if err != nil {
		return nil, err
	}
	if err := vacant(out, replace); err != nil {
		return nil, err
	}
	parent, base := filepath.Split(out)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return nil, err
	}
	s := &staging{dir: filepath.Join(parent, "."+base+".importing"), out: out}
	if err := os.Mkdir(s.dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	if s.lock, err = lockDir(s.dir); err != nil {
		return nil, fmt.Errorf("%s: another import is writing it: %w", out, err)
	}
	if err := s.clear(); err != nil {
		s.lock.Close()
		return nil, err
	}
	return s, nil
}

// vacant reports whether a data set may be put at a path.
func vacant(out string, replace bool) error {
	entries, err := os.ReadDir(out)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("%w: %w", err, ErrExists)
	case !replace:
		return fmt.Errorf("%s %w", out, ErrExists)
	case len(entries) == 0:
		return nil
	}
	for _, e := range entries {
		if e.Name() == manifestFile {
			return nil
		}
	}
	return fmt.Errorf("%s is not a data set: it is not replaced", out)
}

// path returns the path of a file in the staging directory.
func (s *staging) path(name string) string { return filepath.Join(s.dir, name) }

// clear removes what an import that was killed has left.
func (s *staging) clear() error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := os.RemoveAll(s.path(e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// commit puts the finished directory in the place of the target. Its files
// must be on the disk.
func (s *staging) commit() error {
	if err := s.lock.Sync(); err != nil {
		return err
	}
	if _, err := os.Lstat(s.out); errors.Is(err, fs.ErrNotExist) {
		if err := os.Rename(s.dir, s.out); err != nil {
			return err
		}
		return atomicfile.SyncDir(filepath.Dir(s.out))
	}
	// The old data set is locked before it takes the place of the staging
	// directory, so that no other import begins there while it is removed.
	old, err := lockDir(s.out)
	if err != nil {
		return fmt.Errorf("%s: another import is writing it: %w", s.out, err)
	}
	defer old.Close()
	if err := exchange(s.dir, s.out); err != nil {
		return err
	}
	if err := atomicfile.SyncDir(filepath.Dir(s.out)); err != nil {
		return err
	}
	return os.RemoveAll(s.dir)
}

// close gives the staging directory up; abandoned says that it was not
// committed and shall be removed.
func (s *staging) close(abandoned bool) error {
	var err error
	if abandoned {
		err = os.RemoveAll(s.dir)
	}
	return errors.Join(err, s.lock.Close())
}

// swap replaces out by dir in two steps, for systems that cannot exchange two
// directories in one. A crash between them leaves the old data set beside.
func swap(dir, out string) error {
	old := dir + ".old"
	if err := os.RemoveAll(old); err != nil {
		return err
	}
	if err := os.Rename(out, old); err != nil {
		return err
	}
	if err := os.Rename(dir, out); err != nil {
		return errors.Join(err, os.Rename(old, out))
	}
	return os.Rename(old, dir)
}
