// Package training makes the place where a student is trained, and starts the
// trainer in it. The trainer is the Python package of star/trainer; here is what
// stands around it.
//
//	cache/trainer/env-3f2a…/      a virtual environment: one for each set of requirements
//	cache/trainer/source-9c41…/   the trainer's source: one for each version of it
//
//	Place.Prepare ─> Python ─> Run(sft …) ─> Event, Event, … ─> checkpoint, metrics.jsonl, README.md
//
// Nothing outside the cache directory is changed. An environment is marked as
// ready when the trainer could be imported in it, so one that was interrupted is
// made anew. Events are the lines that the trainer prints; [Check] tells a person
// what this machine can do and what is missing.
package training

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/mars-rec/mars/star/trainer"
)

// Place is where the trainer's environment is, or will be.
type Place struct {
	Cache  string // a directory of ours
	Python string // the interpreter that makes the environment; "": python3 or python
	// Index is a package index to fetch PyTorch from, in the place of the one
	// that pip is set up with; that of PyTorch has a small build for machines
	// without a GPU.
	Index string
	GPU   bool // fetch what a GPU needs
	// System is "linux/amd64" and the like, as runtime tells it.
	System string
}

// ErrPython says that there is no interpreter to make an environment with.
var ErrPython = errors.New("there is no Python 3.11 or newer")

// CacheDir is the directory of the trainer under a person's cache directory.
func CacheDir() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("training: %w", err)
	}
	return filepath.Join(dir, "mars", "trainer"), nil
}

// torch names the file of requirements that PyTorch is installed by.
func (p Place) torch() string {
	if p.System == "linux/amd64" && !p.GPU && p.Index == "" {
		return "requirements/torch-linux-x86_64-cpu.txt"
	}
	return "requirements/torch.txt"
}

// whole reports whether PyTorch brings what it asks for itself.
func (p Place) whole() bool { return p.torch() == "requirements/torch.txt" }

// Environment is the directory of the virtual environment.
func (p Place) Environment() (string, error) {
	digest, err := trainer.Digest("requirements/*.txt")
	if err != nil {
		return "", err
	}
	kind := strings.TrimSuffix(filepath.Base(p.torch()), ".txt")
	return filepath.Join(p.Cache, "env-"+kind+"-"+digest[:12]), nil
}

// Size says how much is fetched, and how much it takes on disk, in words.
func (p Place) Size() string {
	switch {
	case p.Index != "":
		return "about 0.5 GB, 1.5 GB on disk"
	case p.whole():
		return "about 3 GB, 6 GB on disk"
	}
	return "about 2.4 GB, 4.5 GB on disk"
}

// Ready returns the environment's interpreter, or false if there is none yet.
func (p Place) Ready() (python string, ok bool, err error) {
	dir, err := p.Environment()
	if err != nil {
		return "", false, err
	}
	if _, err := os.Stat(filepath.Join(dir, readyFile)); errors.Is(err, fs.ErrNotExist) {
		return "", false, nil
	} else if err != nil {
		return "", false, fmt.Errorf("training: %w", err)
	}
	return interpreter(dir), true, nil
}

// readyFile is in an environment that was made to the end.
const readyFile = "mars-ready"

// interpreter is where a virtual environment has its own.
func interpreter(dir string) string {
	windows := filepath.Join(dir, "Scripts", "python.exe")
	if _, err := os.Stat(windows); err == nil {
		return windows
	}
	return filepath.Join(dir, "bin", "python")
}

// Source unpacks the trainer's source, if it is not there yet, and returns the
// directory for PYTHONPATH.
func (p Place) Source() (string, error) {
	digest, err := trainer.Digest("src/star_trainer/*")
	if err != nil {
		return "", err
	}
	dir := filepath.Join(p.Cache, "source-"+digest[:12])
	if _, err := os.Stat(filepath.Join(dir, "src")); err == nil {
		return filepath.Join(dir, "src"), nil
	}
	if err := unpack(dir); err != nil {
		return "", fmt.Errorf("training: unpack the trainer: %w", err)
	}
	return filepath.Join(dir, "src"), nil
}

// unpack writes all files under a temporary name and puts them in place
// together. Another process that was faster has written the same.
func unpack(dir string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(dir), "unpacking-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	whole := filepath.Join(tmp, "source")
	if err := os.CopyFS(whole, trainer.Files()); err != nil {
		return err
	}
	if err := os.Rename(whole, dir); err != nil && !exists(dir) {
		return err
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// maker finds the interpreter that makes environments.
func (p Place) maker(ctx context.Context) (string, error) {
	names := []string{"python3", "python", "python3.13", "python3.12", "python3.11"}
	if p.Python != "" {
		names = []string{p.Python}
	}
	for _, name := range names {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		if exec.CommandContext(ctx, path, "-c", "import sys, venv; sys.exit(sys.version_info < (3, 11))").Run() == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("training: %w: tried %s", ErrPython, strings.Join(names, ", "))
}
