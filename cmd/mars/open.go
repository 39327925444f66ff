package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
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
	return st, storeError(err)
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
	return golds, hinted(err, "mars tasks makes it, beside the tasks")
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
