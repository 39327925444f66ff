package pipeline

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/mars-rec/mars/internal/atomicfile"
)

// Files in a pipeline's folder beside the folders of its stages.
const (
	stateFile   = "pipeline.json"
	lockFile    = "pipeline.lock"
	asideFolder = "aside"
)

// stateVersion is that of the record's form.
const stateVersion = 1

// state is what is known of the stages.
type state struct {
	Version int               `json:"version"`
	Stages  map[string]record `json:"stages"`
	Aside   map[string]record `json:"aside,omitempty"` // by name and key
}

// record is what a stage was made from, and what came out: digests of files by
// their names. No outputs: it began, and did not come to its end.
type record struct {
	Commands [][]string        `json:"commands"`
	Inputs   map[string]string `json:"inputs"`
	Outputs  map[string]string `json:"outputs,omitempty"`
}

// key is one hash of what a stage is made from.
func (r record) key() string {
	b, _ := json.Marshal([]any{r.Commands, r.Inputs}) // strings, and maps in the order of their keys
	return fmt.Sprintf("%x", sha256.Sum256(b))[:12]
}

// load reads the record of a folder; none is an empty one.
func load(dir string) (*state, error) {
	path := filepath.Join(dir, stateFile)
	s := &state{Version: stateVersion}
	b, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(b, s)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("pipeline: %s: %w", path, err)
	case s.Version != stateVersion:
		return nil, fmt.Errorf("pipeline: %s is of version %d: this program knows version %d", path, s.Version, stateVersion)
	}
	if s.Stages == nil {
		s.Stages = map[string]record{}
	}
	if s.Aside == nil {
		s.Aside = map[string]record{}
	}
	return s, nil
}

func (s *state) save(dir string) error {
	return atomicfile.Write(filepath.Join(dir, stateFile), func(w io.Writer) error {
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		return enc.Encode(s)
	})
}
