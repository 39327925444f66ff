package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/mars-rec/mars/model/budget"
	"github.com/mars-rec/mars/model/cache"
	"github.com/mars-rec/mars/tasks/datasets"
	"github.com/mars-rec/mars/tasks/gold"
	"github.com/mars-rec/mars/tools/stored"
	"github.com/mars-rec/mars/trajectories/export"
	"github.com/mars-rec/mars/trajectories/store"
)

// filesReport is what was found of files that are no run store.
type filesReport struct {
	Path     string          `json:"path"`
	Kind     string          `json:"kind"`
	Files    int             `json:"files"`
	Findings []store.Finding `json:"findings"`
}

// verifiable says what can be checked.
const verifiable = "verify takes a run store, a data set, stored evidence, an export, tasks with their recipe, a cache or an account of spending"

// verifyFiles checks what is at path, if it is something else than a run store.
func verifyFiles(ctx context.Context, path string) (r *filesReport, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil // the run store says so
	}
	r = &filesReport{Path: path, Files: 1, Findings: []store.Finding{}}
	found := func(lines ...string) {
		for _, l := range lines {
			r.Findings = append(r.Findings, store.Finding{What: l})
		}
	}
	if info.IsDir() {
		if isExport(path) {
			r.Kind = "export"
			var wrong []string
			wrong, r.Files, err = export.Verify(ctx, path)
			found(wrong...)
			return r, err
		}
		r.Kind, r.Files = "data set", 3
		data, err := datasets.Open(path)
		if errors.Is(err, os.ErrNotExist) {
			return nil, hinted(err, verifiable)
		}
		if err == nil {
			err = errors.Join(data.Verify(ctx), data.Close())
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			found(err.Error())
		}
		return r, nil
	}
	recipe, err := gold.ReadRecipe(path)
	switch {
	case err == nil:
		r.Kind = "tasks"
		var wrong []string
		wrong, r.Files, err = recipe.Verify(path)
		r.Files++
		found(wrong...)
		return r, err
	case !errors.Is(err, os.ErrNotExist):
		r.Kind = "tasks"
		found(err.Error())
		return r, nil
	case strings.HasSuffix(path, ".spend"):
		r.Kind = "account"
		if _, err := budget.ReadJournal(path); err != nil {
			found(err.Error())
		}
		return r, nil
	}
	if ok, wrong, err := stored.Verify(ctx, path); ok || err != nil {
		r.Kind = "stored evidence"
		found(wrong...)
		return r, err
	}
	if ok, wrong, err := cache.Verify(ctx, path); ok || err != nil {
		r.Kind = "cache"
		found(wrong...)
		return r, err
	}
	return nil, nil
}

// isExport reports whether a folder is an export: its manifest names a consumer,
// or there are rows in it.
func isExport(dir string) bool {
	b, err := os.ReadFile(filepath.Join(dir, export.ManifestFile))
	if err != nil {
		return false
	}
	var m struct{ For string }
	if json.Unmarshal(b, &m) == nil && m.For != "" {
		return true
	}
	rows, err := filepath.Glob(filepath.Join(dir, "train*.*"))
	return err == nil && len(rows) > 0
}

// verifyAccount compares the account beside a run store, if there is one, with
// what the store's own replies took.
func verifyAccount(ctx context.Context, path string) ([]store.Finding, error) {
	told, err := budget.ReadJournal(path + ".spend")
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return []store.Finding{{What: err.Error()}}, nil
	}
	taken, err := tokensOf(ctx, path)
	if err != nil {
		return nil, err
	}
	if told.Total.Tokens() < taken {
		return []store.Finding{{What: fmt.Sprintf("%s.spend tells of %s tokens, the replies in the store took %s: its last lines are missing",
			filepath.Base(path), thousands(told.Total.Tokens()), thousands(taken))}}, nil
	}
	return nil, nil
}

// tokensOf is what the replies of a store took that were paid for it; those of
// forks were paid where they come from.
func tokensOf(ctx context.Context, path string) (tokens int64, err error) {
	st, err := openStore(ctx, path)
	if err != nil {
		return 0, err
	}
	defer st.Close()
	var made setup
	if err := json.Unmarshal(st.Manifest().Setup, &made); err != nil || made.Fork != nil {
		return 0, nil
	}
	for r, err := range st.Runs(ctx) {
		if err != nil {
			return 0, storeError(err)
		}
		tr, err := st.Trajectory(ctx, r.ID)
		if err != nil {
			return 0, storeError(err)
		}
		for _, e := range tr.Log {
			if u := e.Meta.Usage; u != nil && !e.Meta.Cached {
				tokens += int64(u.InputTokens + u.OutputTokens)
			}
		}
	}
	return tokens, nil
}

// printFiles prints what was found, and is an error if that is anything.
func (a *app) printFiles(path string, r *filesReport) error {
	err := a.print(r, func(w io.Writer) {
		for _, f := range r.Findings {
			fmt.Fprintln(w, f)
		}
		fmt.Fprintf(w, "%s: %s, %d %s checked; ", path, r.Kind, r.Files, map[bool]string{true: "file", false: "files"}[r.Files == 1])
		if len(r.Findings) == 0 {
			fmt.Fprintln(w, "all is as it was written")
			return
		}
		fmt.Fprintf(w, "%s found\n", thousands(int64(len(r.Findings))))
	})
	if err == nil && len(r.Findings) > 0 {
		err = hinted(gatef("%s is not as it was written", path), "restore it from a copy, or make it again")
	}
	return err
}
