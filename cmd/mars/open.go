package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tasks/datasets"
	"github.com/mars-rec/mars/tasks/gold"
	"github.com/mars-rec/mars/trajectories/store"
)

// What several commands open, and what to do where it cannot be opened.

// openStore opens a run store for reading.
func openStore(ctx context.Context, path string) (*store.Store, error) {
	st, err := store.Open(ctx, path, store.Config{ReadOnly: true})
	if err == nil {
		return st, nil
	}
	_, wal := os.Stat(path + "-wal")
	if info, e := os.Stat(path); e == nil && info.Mode().IsRegular() && info.Size() == 0 && errors.Is(wal, os.ErrNotExist) {
		return nil, hinted(fmt.Errorf("%s is empty: nothing was recorded in it", path), "mars synth makes a run store")
	}
	return nil, storeError(err)
}

// storeError adds to an error of a run store what to do about it.
func storeError(err error) error {
	switch {
	case errors.Is(err, store.ErrNoRun):
		return hinted(err, "mars inspect lists the runs")
	case errors.Is(err, os.ErrNotExist):
		return hinted(err, "mars synth makes a run store")
	case errors.Is(err, store.ErrLocked):
		return hinted(err, "wait until it ends, or stop it")
	case errors.Is(err, store.ErrDamaged), errors.Is(err, store.ErrLost):
		return hinted(err, "mars verify tells what is wrong")
	}
	return err
}

// openData opens a data set directory.
func openData(dir string) (*datasets.Dataset, error) {
	d, err := datasets.Open(dir)
	return d, hinted(err, "mars import makes a data set directory")
}

// fits reports why tasks cannot be asked of a data set, if so: they were made of
// another one, or what was known at their moment has changed since. Tasks
// without a recipe beside them are made by hand: nobody knows of what.
func fits(ctx context.Context, d *datasets.Dataset, path string, list ...tasks.Task) error {
	recipe, err := gold.ReadRecipe(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return hinted(err, "mars tasks makes both anew; without the recipe nobody knows of what data the tasks were made")
	}
	for _, t := range list {
		if err := d.CheckTask(ctx, t, recipe.Data); err != nil {
			return hinted(usagef("%s: %w", path, err), "mars tasks --data %s makes tasks of this data set", d.Dir())
		}
	}
	return nil
}

// readGold reads what the users really took.
func readGold(path string) (map[string]gold.Gold, error) {
	golds, err := gold.ReadFile(path)
	if err != nil && tells(path, "candidates", "as_of") {
		return nil, hinted(fmt.Errorf("%s has tasks, not what the users took: %w", path, err), "give the gold file that was made with them")
	}
	return golds, hinted(err, "mars tasks makes it, beside the tasks")
}

// readTasks reads a task file.
func readTasks(path string) ([]tasks.Task, error) {
	list, err := tasks.ReadFile(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, hinted(err, "mars tasks makes it")
	case err != nil && tells(path, "gold"):
		return nil, hinted(fmt.Errorf("%s has what the users took, no tasks: %w", path, err), "give the task file that was made with it")
	}
	return list, err
}

// tells reports whether the first line of a file is a JSON object with the
// fields: what it was taken for by mistake is then known.
func tells(path string, fields ...string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close() // it was only read
	var object map[string]json.RawMessage
	if json.NewDecoder(io.LimitReader(f, 1<<20)).Decode(&object) != nil {
		return false
	}
	for _, name := range fields {
		if _, there := object[name]; !there {
			return false
		}
	}
	return true
}

// caseOf puts a task beside its gold, which was read from path.
func caseOf(t tasks.Task, golds map[string]gold.Gold, path string) (gold.Case, error) {
	g, ok := golds[t.ID]
	c := gold.Case{Task: t, Gold: g}
	err := c.Check()
	if !ok {
		err = fmt.Errorf("there is no gold for the task %s", t.ID)
	}
	if err != nil {
		return c, hinted(fmt.Errorf("%s: %w", path, err), "give the gold file that was made with the run's tasks")
	}
	return c, nil
}

// goldBeside returns the gold file that was made with a task file, if its
// recipe tells, and a name to fill in if not.
func goldBeside(tasksPath string) string {
	recipe, err := gold.ReadRecipe(tasksPath)
	if err != nil {
		return "GOLD"
	}
	return filepath.Join(filepath.Dir(tasksPath), recipe.Gold.File)
}

// folderOf refuses a file to write in a folder that is not there.
func folderOf(flag, path string) error {
	if _, err := os.Stat(filepath.Dir(path)); errors.Is(err, os.ErrNotExist) {
		return hinted(fmt.Errorf("--%s: there is no folder %s", flag, filepath.Dir(path)), "make it first, or name another")
	}
	return nil
}

// vacant refuses to write over files that are there, unless that is wanted.
func vacant(force bool, paths ...string) error {
	for _, path := range paths {
		if _, err := os.Stat(path); err == nil && !force {
			return hinted(fmt.Errorf("%s is there already", path), "give --force to replace it, or another file")
		}
	}
	return nil
}

// fileDigest is the SHA-256 of a file, in hex.
func fileDigest(path string) (string, error) {
	b, err := os.ReadFile(path)
	return fmt.Sprintf("%x", sha256.Sum256(b)), err
}
