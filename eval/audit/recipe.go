package audit

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tasks/gold"
)

// readRecipe reads the recipe beside a task file; nil if there is none, which is
// a finding.
func readRecipe(b *book, path string) *gold.Recipe {
	r, err := gold.ReadRecipe(path)
	if err == nil {
		return &r
	}
	f := Finding{Check: checkRecipe, Severity: Warning, Place: Place{File: filepath.Base(path)}, What: "there is no recipe beside the tasks: nobody can make them again"}
	if !errors.Is(err, fs.ErrNotExist) {
		f.Severity, f.What = Error, fmt.Sprintf("the recipe cannot be read: %v", err)
	}
	b.add(f)
	return nil
}

func recipeData(r *gold.Recipe) string {
	if r == nil {
		return ""
	}
	return r.Data
}

// checkData compares the data set with the one that was used, and with its own
// manifest.
func (c Config) checkData(ctx context.Context, b *book, used string) error {
	if c.Data == nil {
		b.skip(checkData, "the data set is not given")
		return nil
	}
	if c.Verify != nil {
		if err := c.Verify(ctx); ctx.Err() != nil {
			return err
		} else if err != nil {
			b.add(Finding{Check: checkData, Severity: Error, What: err.Error()})
		}
	}
	switch {
	case used == "":
		b.add(Finding{Check: checkData, Severity: Warning, What: "it is not told with which data set this was made"})
	case used != c.Fingerprint:
		b.add(Finding{Check: checkData, Severity: Warning, Bytes: c.Fingerprint, Want: used, What: "the data set is not the one that was used"})
	}
	g := c.Data.Graph()
	b.examined(checkData, fmt.Sprintf("%d interactions of %d users with %d items", g.Interactions(), g.Users(), g.Items()))
	b.fact("data", c.Fingerprint)
	return nil
}

// checkRecipe compares a task file with the hash in its recipe, and, where the
// data set is at hand and the protocol is ours, with the tasks that the recipe
// makes.
func (c Config) checkRecipe(ctx context.Context, b *book, path string, r *gold.Recipe) error {
	if r == nil {
		b.skip(checkRecipe, "there is no recipe")
		return nil
	}
	name := filepath.Base(path)
	hash, err := hashFile(path)
	if err != nil {
		return err
	}
	b.fact("protocol", r.Protocol)
	b.fact("tasks sha256", hash)
	edited := hash != r.Tasks.SHA256
	if edited {
		b.add(Finding{Check: checkRecipe, Severity: Error, Place: Place{File: name}, Bytes: hash, Want: r.Tasks.SHA256,
			What: "the tasks were edited after they were made: their hash is not that of the recipe"})
	}
	goldPath := filepath.Join(filepath.Dir(path), r.Gold.File)
	switch hash, err := hashFile(goldPath); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case hash != r.Gold.SHA256:
		b.add(Finding{Check: checkRecipe, Severity: Error, Place: Place{File: r.Gold.File}, Bytes: hash, Want: r.Gold.SHA256,
			What: "the gold was edited after it was made: its hash is not that of the recipe"})
	}
	examined := "the hashes of tasks and gold"
	switch {
	case c.Data == nil || c.Fingerprint != r.Data || r.Config == nil:
	case r.Protocol != leaveLastOut:
	default:
		if err := c.remake(ctx, b, path, r); err != nil {
			return err
		}
		examined += ", and every line against the tasks that the recipe makes anew"
	}
	b.examined(checkRecipe, examined)
	return nil
}

// leaveLastOut is the protocol that can be made again of the data set alone.
const leaveLastOut = "leave-last-out"

// remake makes the tasks anew and names the lines that differ.
func (c Config) remake(ctx context.Context, b *book, path string, r *gold.Recipe) error {
	set, err := gold.LeaveLastOut(r.Dataset, c.Data.Graph(), *r.Config)
	if err != nil {
		b.add(Finding{Check: checkRecipe, Severity: Error, What: fmt.Sprintf("the recipe makes no tasks: %v", err)})
		return nil
	}
	made := make(map[string]gold.Case, len(set.Cases)) // that no line has been yet
	for _, m := range set.Cases {
		made[m.Task.ID] = m
	}
	name := filepath.Base(path)
	var want bytes.Buffer
	for line, err := range readLines(path) {
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		f := Finding{Check: checkRecipe, Severity: Error, Place: Place{File: name, Line: line.n}}
		var id struct {
			ID string `json:"id"`
		}
		_ = json.Unmarshal(line.text, &id) // what is no task is not made either
		m, ok := made[id.ID]
		if !ok {
			f.Case, f.Bytes, f.What = id.ID, excerpt(string(line.text), 0), "the recipe does not make this task, or not twice"
			b.add(f)
			continue
		}
		delete(made, id.ID)
		want.Reset()
		if err := tasks.Write(&want, m.Task); err != nil {
			return err
		}
		f.Case = id.ID
		if text, right := string(line.text), string(bytes.TrimSuffix(want.Bytes(), []byte("\n"))); text != right {
			at := parting(text, right)
			f.Place = f.Place.at(at)
			f.Bytes, f.Want, f.What = excerpt(text, at), excerpt(right, at), "the task is not the one that the recipe makes"
			b.add(f)
		}
		if g, ok := c.Gold[id.ID]; ok && !slices.Equal(g.Items, m.Gold.Items) {
			f.Place.Offset = nil
			f.Bytes, f.Want, f.What = fmt.Sprint(g.Items), fmt.Sprint(m.Gold.Items), "the gold is not the one that the recipe makes"
			b.add(f)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(made)) {
		b.add(Finding{Check: checkRecipe, Severity: Error, Place: Place{File: name}, Case: id, What: "the recipe makes this task, and the file does not have it"})
	}
	return nil
}

// hashFile is the SHA-256 of a file, in hex.
func hashFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return fmt.Sprintf("%x", h.Sum(nil)), nil
}
