// Package trainer carries the student's trainer, which is Python, within the
// program: a binary alone can unpack it, so that what trains is always what the
// binary was built with.
//
//	src/star_trainer/   the package: sft, grpo, evaluate, serve
//	requirements/       what it needs, every version fixed
//	lean.yaml           a team whose runs are short enough for a small student
//
// The Python package has its own tests, in tests/, which make test runs where
// its environment is there. Package training unpacks and starts it.
package trainer

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
)

//go:embed src/star_trainer/*.py src/star_trainer/py.typed requirements/*.txt pyproject.toml lean.yaml
var files embed.FS

// Files are those of the trainer, under the names that they have beside this
// file.
func Files() fs.FS { return files }

// Digest is the SHA-256, in hex, of the files whose names match the pattern, as
// [fs.Glob] matches, and of their names: other files are another trainer.
func Digest(pattern string) (string, error) {
	names, err := fs.Glob(files, pattern)
	if err != nil {
		return "", err
	}
	if len(names) == 0 {
		return "", fmt.Errorf("trainer: no file is like %s", pattern)
	}
	h := sha256.New()
	for _, name := range names {
		b, err := fs.ReadFile(files, name)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "%s %d\n%s\n", name, len(b), b)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
