package gold

import (
	"bufio"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

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
	if err != nil {
		return Recipe{}, fmt.Errorf("recipe of %s: %w", tasksPath, err)
	}
	return r, nil
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
	gold, err := stage(goldPath, func(w io.Writer) error {
		return each(s.Cases, func(c Case) error { return Write(w, c.Gold) })
	})
	defer gold.discard()
	if err != nil {
		return recipe, err
	}
	task, err := stage(tasksPath, func(w io.Writer) error {
		return each(s.Cases, func(c Case) error { return tasks.Write(w, c.Task) })
	})
	defer task.discard()
	if err != nil {
		return recipe, err
	}
	recipe.Tasks, recipe.Gold = task.digest, gold.digest
	about, err := stage(recipePath(tasksPath), func(w io.Writer) error {
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		return enc.Encode(recipe)
	})
	defer about.discard()
	if err != nil {
		return recipe, err
	}
	for _, file := range []*staged{&gold, &about, &task} {
		if err := file.commit(); err != nil {
			return recipe, err
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

// staged is a file that is written and synced under a temporary name.
type staged struct {
	path, temporary string
	digest          Digest
}

func stage(path string, write func(io.Writer) error) (s staged, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return s, fmt.Errorf("write %s: %w", path, err)
	}
	s = staged{path: path, temporary: f.Name()}
	hash := sha256.New()
	w := bufio.NewWriterSize(io.MultiWriter(f, hash), 1<<16)
	err = errors.Join(write(w), w.Flush(), f.Chmod(0o644), f.Sync(), f.Close())
	if err != nil {
		return s, fmt.Errorf("write %s: %w", path, err)
	}
	s.digest = Digest{filepath.Base(path), fmt.Sprintf("%x", hash.Sum(nil))}
	return s, nil
}

// commit gives the file its name. discard removes it if that did not happen.
func (s *staged) commit() error {
	if err := os.Rename(s.temporary, s.path); err != nil {
		return fmt.Errorf("write %s: %w", s.path, err)
	}
	s.temporary = ""
	dir, err := os.Open(filepath.Dir(s.path))
	if err != nil {
		return fmt.Errorf("sync %s: %w", s.path, err)
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func (s *staged) discard() {
	if s.temporary != "" {
		_ = os.Remove(s.temporary) // a leftover under a temporary name harms nothing
	}
}
