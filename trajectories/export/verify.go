package export

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/mars-rec/mars/internal/selfsum"
)

// Verify compares the files of an export directory with its manifest, and the
// manifest with its own sum. It returns what is wrong, in one line each; an error
// says that the directory could not be looked at, or is no export.
func Verify(ctx context.Context, dir string) (wrong []string, files int, err error) {
	b, err := os.ReadFile(filepath.Join(dir, ManifestFile))
	if err != nil {
		return nil, 0, fmt.Errorf("export %s: %w", dir, err)
	}
	if err := selfsum.Check(b); err != nil {
		wrong = append(wrong, fmt.Sprintf("%s: %v", ManifestFile, err))
	}
	var m Manifest
	if err := json.Unmarshal(b, &m); err != nil {
		return append(wrong, fmt.Sprintf("%s: %v", ManifestFile, err)), 1, nil
	}
	for _, f := range append(m.Files, m.Beside...) {
		if !filepath.IsLocal(f.Name) {
			wrong = append(wrong, fmt.Sprintf("%s tells of the file %q, outside of it", ManifestFile, f.Name))
			continue
		}
		sum, bytes, err := sumOf(ctx, filepath.Join(dir, f.Name))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			wrong = append(wrong, f.Name+" is not there")
		case err != nil:
			return wrong, files, fmt.Errorf("export %s: %w", dir, err)
		case sum != f.SHA256 || bytes != f.Bytes:
			wrong = append(wrong, fmt.Sprintf("%s is not what was written: it has %d bytes with SHA-256 %s, not %d with %s", f.Name, bytes, sum, f.Bytes, f.SHA256))
		}
		files++
	}
	return wrong, files + 1, nil
}

func sumOf(ctx context.Context, path string) (sum string, bytes int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	h := sha256.New()
	bytes, err = io.Copy(h, f)
	return hex.EncodeToString(h.Sum(nil)), bytes, errors.Join(err, ctx.Err())
}
