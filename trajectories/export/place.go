package export

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/mars-rec/mars/internal/atomicfile"
)

// place is the directory of an export while a new one is made for it. What is
// written goes to a folder within it, and takes the place of what is there when
// all of it is written:
//
//	sft/manifest.json  train.jsonl  sft.yaml          an earlier export, whole until the end
//	sft/.export-1234/train.jsonl  sft.yaml  manifest.json      the new one
//
// So an export that fails, or is killed, leaves the earlier one as it was. Only
// what an export wrote is ever removed or replaced.
type place struct {
	dir, stage string
	made       bool     // the directory was not there
	old        []string // what earlier exports have written there, apart from the manifest
}

const (
	stagePrefix = ".export-"
	// previousFile is, within the stage, the manifest whose files are being
	// replaced: after a crash it tells whose they are.
	previousFile = "previous.json"
)

var rowFile = regexp.MustCompile(`^(train|validation|test)(-\d{5,})?\.(jsonl|parquet)$`)

// claim makes the directory ready for an export that writes the files beside its
// rows under those names. What stands in the way and is of no export, or was
// changed since, is an error; with force it is replaced.
func claim(dir string, beside []string, force bool) (*place, error) {
	_, err := os.Stat(dir)
	p := &place{dir: dir, made: errors.Is(err, fs.ErrNotExist)}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	written, err := p.earlier(force)
	if err != nil {
		return nil, err
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	for _, f := range files {
		name := f.Name()
		i := slices.IndexFunc(written, func(w File) bool { return w.Name == name })
		switch {
		case i < 0 && !rowFile.MatchString(name) && !slices.Contains(beside, name):
			continue // nothing of ours, and in nobody's way
		case i < 0 && !force:
			return nil, &InTheWayError{Path: filepath.Join(dir, name), Why: "is of no export"}
		case i >= 0 && written[i].Split == "" && !force && p.changed(written[i]):
			return nil, &InTheWayError{Path: filepath.Join(dir, name), Why: "was changed since it was written"}
		}
		p.old = append(p.old, name)
	}
	if p.stage, err = os.MkdirTemp(dir, stagePrefix); err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	return p, nil
}

// InTheWayError is a file that an export would replace and that no export wrote.
type InTheWayError struct{ Path, Why string }

func (e *InTheWayError) Error() string { return fmt.Sprintf("%s %s", e.Path, e.Why) }

// earlier returns what the export that is there has written, and removes what is
// left of one that was killed.
func (p *place) earlier(force bool) (written []File, err error) {
	read := func(path string) error {
		text, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("export: %w", err)
		}
		var m Manifest
		if json.Unmarshal(text, &m) != nil || m.For == "" {
			if force {
				return nil
			}
			return &InTheWayError{Path: path, Why: "is of no export"}
		}
		written = append(append(written, m.Files...), m.Beside...)
		return nil
	}
	if err := read(filepath.Join(p.dir, ManifestFile)); err != nil {
		return nil, err
	}
	left, err := filepath.Glob(filepath.Join(globEscape(p.dir), stagePrefix+"*"))
	if err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	for _, stage := range left {
		if err := errors.Join(read(filepath.Join(stage, previousFile)), read(filepath.Join(stage, ManifestFile))); err != nil {
			return nil, err
		}
		if err := os.RemoveAll(stage); err != nil {
			return nil, fmt.Errorf("export: %w", err)
		}
	}
	return written, nil
}

// globEscape returns a path as a pattern that it alone matches.
func globEscape(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

func (p *place) changed(f File) bool {
	text, err := os.ReadFile(filepath.Join(p.dir, f.Name))
	return err != nil || digest(text) != f.SHA256
}

// settle puts what is in the stage in place of what was there, the manifest last.
func (p *place) settle() error {
	fresh, err := os.ReadDir(p.stage)
	if err != nil {
		return err
	}
	manifest := filepath.Join(p.dir, ManifestFile)
	if err := os.Rename(manifest, filepath.Join(p.stage, previousFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, name := range p.old {
		if err := os.Remove(filepath.Join(p.dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	for _, f := range fresh {
		if f.Name() == ManifestFile {
			continue
		}
		if err := os.Rename(filepath.Join(p.stage, f.Name()), filepath.Join(p.dir, f.Name())); err != nil {
			return err
		}
	}
	if err := atomicfile.SyncDir(p.dir); err != nil {
		return err
	}
	if err := os.Rename(filepath.Join(p.stage, ManifestFile), manifest); err != nil {
		return err
	}
	return errors.Join(os.RemoveAll(p.stage), atomicfile.SyncDir(p.dir))
}

// leave removes what was written, if it has not been put in place.
func (p *place) leave() error {
	err := os.RemoveAll(p.stage)
	if p.made {
		os.Remove(p.dir) //nolint:errcheck // it is not empty, if the export is there
	}
	return err
}
