package pipeline

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// digest is a hash of a file, or of all that a folder holds: names and content,
// no times. Hidden files do not count.
func (r *runner) digest(ctx context.Context, path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if !info.IsDir() {
		return r.fileDigest(ctx, path)
	}
	h := sha256.New()
	root := path
	if root, err = filepath.EvalSymlinks(path); err != nil { // the walk does not follow the folder itself
		return "", err
	}
	err = filepath.WalkDir(root, func(at string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		hidden := at != root && strings.HasPrefix(d.Name(), ".")
		if d.IsDir() {
			if hidden {
				return fs.SkipDir
			}
			return nil
		}
		if hidden {
			return nil
		}
		digest, err := r.fileDigest(ctx, at)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, at)
		fmt.Fprintf(h, "%q %s\n", filepath.ToSlash(name), digest)
		return err
	})
	return hex.EncodeToString(h.Sum(nil)), err
}

func (r *runner) fileDigest(ctx context.Context, path string) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	if r.Digest != nil {
		if digest, ok, err := r.Digest(ctx, path); ok || err != nil {
			return digest, err
		}
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, f)
	return hex.EncodeToString(h.Sum(nil)), err
}
