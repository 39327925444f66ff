package roles

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// Digest is the SHA-256, in hex, over all prompts as this book reads them:
// names and texts, in the order of the names. Overriding files that no shipped
// prompt has the name of count too.
func (b *Book) Digest() (string, error) {
	var names []string
	for _, dir := range b.prompts {
		err := fs.WalkDir(dir, ".", func(name string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && filepath.Ext(name) == ".md" {
				names = append(names, name)
			}
			return err
		})
		if err != nil {
			return "", fmt.Errorf("prompts: %w", err)
		}
	}
	slices.Sort(names)
	h := sha256.New()
	for _, name := range slices.Compact(names) {
		text, err := b.read(name)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "%d %s %d %s\n", len(name), name, len(text), text)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// WritePrompts writes the shipped prompts into a folder, to be changed there. A
// file that is there already is an error.
func WritePrompts(dir string) error {
	prompts := Prompts()
	return fs.WalkDir(prompts, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		path := filepath.Join(dir, filepath.FromSlash(name))
		if d.IsDir() {
			return os.MkdirAll(path, 0o755)
		}
		text, err := fs.ReadFile(prompts, name)
		if err != nil {
			return err
		}
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			return err
		}
		_, err = f.Write(text)
		if e := f.Close(); err == nil {
			err = e
		}
		return err
	})
}
