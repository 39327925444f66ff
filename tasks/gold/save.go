package gold

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/mars-rec/mars/internal/atomicfile"
	"github.com/mars-rec/mars/internal/selfsum"
	"github.com/mars-rec/mars/tasks"
)

// Recipe says how a task file came about: with the data set of that hash, the
// same recipe makes the same bytes.
type Recipe struct {
	Protocol string   `json:"protocol"`
	Dataset  string   `json:"dataset"`
	Data     string   `json:"data,omitempty"`   // hash of the data set
	Source   []string `json:"source,omitempty"` // folders of published tasks
	Config   *Config  `json:"config,omitempty"`
	Notes    []string `json:"notes,omitempty"`
	Counts   Counts   `json:"counts"`
	Tasks    Digest   `json:"tasks"`
	Gold     Digest   `json:"gold"`
	Sum      string   `json:"sum"` // the file's own, see package selfsum; "" in memory, and in the files of earlier programs
}

// Digest identifies a written file.
type Digest struct {
	File   string `json:"file"` // without its folder
	SHA256 string `json:"sha256"`
}

// ReadRecipe reads the recipe that lies beside a task file.
func ReadRecipe(tasksPath string) (Recipe, error) {
	var r Recipe
	b, err := os.ReadFile(recipePath(tasksPath))
	if err == nil {
		err = json.Unmarshal(b, &r)
	}
	if err == nil && r.Sum != "" {
		err = selfsum.Check(b)
	}
	if err != nil {
		return Recipe{}, fmt.Errorf("recipe of %s: %w", tasksPath, err)
	}
	r.Sum = ""
	return r, nil
}

// Verify compares a task file, and the gold file beside it, with their recipe. It
// returns what is not as it was made, in one line each; an error says that there
// is no recipe, or that it is not what was written. A gold file that is elsewhere
// is not looked at.
func (r Recipe) Verify(tasksPath string) (wrong []string, files int, err error) {
	for _, f := range []struct {
		path string
		Digest
	}{{tasksPath, r.Tasks}, {filepath.Join(filepath.Dir(tasksPath), r.Gold.File), r.Gold}} {
		b, err := os.ReadFile(f.path)
		if errors.Is(err, fs.ErrNotExist) && f.path != tasksPath {
			continue
		}
		if err != nil {
			return nil, 0, err
		}
		files++
		if got := fmt.Sprintf("%x", sha256.Sum256(b)); got != f.SHA256 {
			wrong = append(wrong, fmt.Sprintf("%s is not what was made: its SHA-256 is %s, that of its recipe %s", filepath.Base(f.path), got, f.SHA256))
		}
	}
	return wrong, files, nil
}

// recipePath returns where the recipe of a task file lies: beside it.
func recipePath(tasksPath string) string { return tasksPath + ".recipe.json" }

// Save writes the set's tasks and gold to two files, and the recipe beside the
// tasks. Dataset and data are what the recipe says of the data set; the rest it
// takes from the set. Each file is written under a temporary name, synced and
// then renamed, the tasks last: where they are, the rest is.
func (s *Set) Save(tasksPath, goldPath string, recipe Recipe) (Recipe, error) {
	recipe.Protocol, recipe.Config, recipe.Notes, recipe.Counts = s.Protocol, s.Config, s.Notes, s.Counts
	if same, err := samePath(tasksPath, goldPath); err != nil {
		return recipe, err
	} else if same {
		return recipe, fmt.Errorf("tasks and gold both go to %s: they must be separate files", tasksPath)
	}
	var files []*staged
	defer func() {
		for _, f := range files {
			f.Abort() //nolint:errcheck // the first error is the one to tell
		}
	}()
	stage := func(path string, write func(io.Writer) error) (Digest, error) {
		f, err := newStaged(path)
		if err != nil {
			return Digest{}, err
		}
		files = append(files, f)
		return f.fill(write)
	}
	var err error
	recipe.Gold, err = stage(goldPath, func(w io.Writer) error {
		return each(s.Cases, func(c Case) error { return Write(w, c.Gold) })
	})
	if err != nil {
		return recipe, err
	}
	recipe.Tasks, err = stage(tasksPath, func(w io.Writer) error {
		return each(s.Cases, func(c Case) error { return tasks.Write(w, c.Task) })
	})
	if err != nil {
		return recipe, err
	}
	_, err = stage(recipePath(tasksPath), func(w io.Writer) error {
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		if err := enc.Encode(recipe); err != nil {
			return err
		}
		_, err := w.Write(selfsum.Fill(b.Bytes()))
		return err
	})
	if err != nil {
		return recipe, err
	}
	for _, f := range []*staged{files[0], files[2], files[1]} { // gold, recipe, and last the tasks
		if err := f.Commit(); err != nil {
			return recipe, fmt.Errorf("write %s: %w", f.path, err)
		}
	}
	return recipe, nil
}

func each(cases []Case, write func(Case) error) error {
	for _, c := range cases {
		if err := write(c); err != nil {
			return err
		}
	}
	return nil
}

func samePath(a, b string) (bool, error) {
	x, err := filepath.Abs(a)
	if err != nil {
		return false, err
	}
	y, err := filepath.Abs(b)
	return x == y, err
}

// staged is a file that is not in its place yet.
type staged struct {
	*atomicfile.File
	path string
}

func newStaged(path string) (*staged, error) {
	f, err := atomicfile.Create(path)
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", path, err)
	}
	return &staged{f, path}, nil
}

// fill writes the file and forces it to the disk.
func (s *staged) fill(write func(io.Writer) error) (Digest, error) {
	hash := sha256.New()
	if err := errors.Join(write(io.MultiWriter(s, hash)), s.Sync()); err != nil {
		return Digest{}, fmt.Errorf("write %s: %w", s.path, err)
	}
	return Digest{filepath.Base(s.path), fmt.Sprintf("%x", hash.Sum(nil))}, nil
}
