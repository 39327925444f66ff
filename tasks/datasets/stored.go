package datasets

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// store forces a finished file to the disk and returns what it is.
func store(ctx context.Context, path string) (Stored, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return Stored{}, err
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		return Stored{}, err
	}
	return measure(ctx, f)
}

// measure reads a file to its end.
func measure(ctx context.Context, f io.Reader) (Stored, error) {
	var s Stored
	whole, head := sha256.New(), sha256.New()
	buf := make([]byte, 1<<20)
	for {
		if err := ctx.Err(); err != nil {
			return Stored{}, err
		}
		n, err := f.Read(buf)
		whole.Write(buf[:n])
		if left := headBytes - s.Bytes; left > 0 {
			head.Write(buf[:min(int64(n), left)])
		}
		s.Bytes += int64(n)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return Stored{}, err
		}
	}
	s.SHA256 = hex.EncodeToString(whole.Sum(nil))
	s.Head = hex.EncodeToString(head.Sum(nil))
	return s, nil
}

// path returns where the file lies; usual is the name that the import gives.
func (s Stored) path(dir, usual string) string { return filepath.Join(dir, cmp.Or(s.File, usual)) }

// glance checks a file's size and first bytes: enough to tell a file that is
// cut short, empty, or of another data set.
func (s Stored) glance(dir, usual string) error {
	name := cmp.Or(s.File, usual)
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return damaged(dir, "%v", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("data set %s: %w", dir, err)
	}
	if info.Size() != s.Bytes {
		return damaged(dir, "%s has %d bytes, not %d", name, info.Size(), s.Bytes)
	}
	head := sha256.New()
	if _, err := io.CopyN(head, f, min(headBytes, s.Bytes)); err != nil {
		return fmt.Errorf("data set %s: %w", dir, err)
	}
	if hex.EncodeToString(head.Sum(nil)) != s.Head {
		return damaged(dir, "%s is not the file that was imported", name)
	}
	return nil
}

// verify reads the whole file and compares its hash.
func (s Stored) verify(ctx context.Context, dir, usual string) error {
	name := cmp.Or(s.File, usual)
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return damaged(dir, "%v", err)
	}
	defer f.Close()
	got, err := measure(ctx, f)
	if err != nil {
		return fmt.Errorf("data set %s: %s: %w", dir, name, err)
	}
	if got.Bytes != s.Bytes || got.SHA256 != s.SHA256 {
		return damaged(dir, "%s has SHA-256 %s, not %s", name, got.SHA256, s.SHA256)
	}
	return nil
}
