package main

import (
	"context"
	"errors"
	"path/filepath"
	"strings"

	"github.com/mars-rec/mars/tasks"
	"github.com/mars-rec/mars/tasks/datasets"
	"github.com/mars-rec/mars/tools"
	"github.com/mars-rec/mars/tools/cf"
	"github.com/mars-rec/mars/tools/stored"
	"github.com/mars-rec/mars/tools/translate"
)

// storedHelp says what --stored takes.
const storedHelp = "answer tool calls from the evidence that mars graph precompute stored: the name of its file in the data set directory, or a path"

// toolset returns the tools for a data set, and what tells them from others.
func toolset(d *datasets.Dataset) (_ []tools.Named, id stored.Identity, err error) {
	format := d.Manifest().Recipe.Format
	named := toolbox(format)
	sentences, err := cf.ParseSentences("")
	if err != nil {
		return nil, id, err
	}
	id.Snapshot = d.Manifest().Fingerprint()
	id.Tools, err = stored.Digest(named, translate.For(format), sentences.Digest())
	return named, id, err
}

// openStored opens stored evidence of a data set and puts it before the tools.
func openStored(ctx context.Context, d *datasets.Dataset, file string) (*stored.Store, []tools.Named, error) {
	named, id, err := toolset(d)
	if err != nil {
		return nil, nil, err
	}
	s, err := stored.Open(ctx, storedPath(d, file), id, d.Manifest().Holds)
	if err != nil {
		return nil, nil, err
	}
	if err := s.Check(ctx, named, d); err != nil {
		return nil, nil, errors.Join(err, s.Close())
	}
	return s, stored.Wrap(named, s, d), nil
}

// admits refuses tasks from before the stored evidence, before any is started.
func (w *works) admits(list []tasks.Task) error {
	if w.stored == nil {
		return nil
	}
	_, err := stored.Tasks(list, w.stored.Header().AsOf)
	return hinted(err, "mars tasks --after makes tasks that are late enough")
}

// storedPath finds a file of evidence: a bare name is in the data set directory.
func storedPath(d *datasets.Dataset, file string) string {
	if !strings.ContainsRune(file, filepath.Separator) {
		return filepath.Join(d.Dir(), file)
	}
	return file
}

// storedName is how a run store remembers a file of evidence: by its bare name
// if it is in the data set directory, which may be moved.
func storedName(d *datasets.Dataset, file string) (string, error) {
	path, err := filepath.Abs(storedPath(d, file))
	if err != nil {
		return "", err
	}
	dir, err := filepath.Abs(d.Dir())
	if err == nil && filepath.Dir(path) == dir {
		return filepath.Base(path), nil
	}
	return path, err
}
