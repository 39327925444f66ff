package export

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"

	"github.com/mars-rec/mars/trajectories"
	"github.com/mars-rec/mars/trajectories/mask"
)

// ManifestFile and TrainFile are the files of an export directory.
const (
	ManifestFile = "manifest.json"
	TrainFile    = "train.jsonl"
)

// Manifest says how an export came about: with the same runs, gold and program
// the same bytes come again.
type Manifest struct {
	For     string  `json:"for"`   // the exporter's name
	Split   string  `json:"split"` // always train
	File    string  `json:"file"`
	SHA256  string  `json:"sha256"` // of the file
	Rows    int     `json:"rows"`
	Longest int     `json:"longest_row_bytes"` // a bound for the maximum length in training: no row may be cut
	Filters []Count `json:"filters"`
	Source  Source  `json:"source"`
	Prompt  string  `json:"prompt"` // hash of the template of system and user message: serve the student with the same
	Tools   string  `json:"tools"`  // hash of the tools' schemas as they are printed
	// Template is the chat template that the rows are rendered with in training:
	// serve the student with the same.
	Template mask.Template `json:"template"`
	Tokens   *Tokens       `json:"tokens,omitempty"` // where a tokenizer counted them
}

// Source is where the rows come from.
type Source struct {
	Store string                `json:"store"` // the run store's file name
	Runs  trajectories.Manifest `json:"runs"`  // what they were made with
	Gold  string                `json:"gold"`  // hash of the gold file
}

// Write exports groups into a directory, which it makes: the rows, then the
// manifest. Each file is written under a temporary name, synced and renamed, so
// that a manifest stands beside complete rows or not at all. Of the manifest,
// source is given, the rest is filled in.
func Write(ctx context.Context, dir, name string, cfg Config, groups iter.Seq2[Group, error], source Source, filters ...Filter) (Manifest, error) {
	m := Manifest{For: name, Split: "train", File: TrainFile, Source: source}
	m.Source.Runs.Setup = nil // paths of the machine that made the runs
	exporter, err := New(name, cfg)
	if err != nil {
		return m, err
	}
	if cfg.Template, err = cfg.template(); err != nil {
		return m, err
	}
	m.Template = cfg.Template
	if m.Tokens, filters, err = measured(cfg, filters); err != nil {
		return m, err
	}
	if m.Prompt, err = trajectories.OpeningDigest(); err != nil {
		return m, err
	}
	tools, err := ToolsJSON(cfg.Tools)
	if err != nil {
		return m, err
	}
	m.Tools = digest([]byte(tools))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return m, fmt.Errorf("export: %w", err)
	}
	if err := os.Remove(filepath.Join(dir, ManifestFile)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return m, fmt.Errorf("export: %w", err)
	}
	selected, counts := Select(ctx, groups, filters...)
	var rows tally
	hash := sha256.New()
	err = replace(filepath.Join(dir, TrainFile), func(w io.Writer) error {
		return exporter.Export(ctx, io.MultiWriter(w, hash, &rows), selected)
	})
	if err != nil {
		return m, err
	}
	m.SHA256, m.Rows, m.Longest, m.Filters = hex.EncodeToString(hash.Sum(nil)), rows.n, rows.longest, counts
	return m, replace(filepath.Join(dir, ManifestFile), func(w io.Writer) error {
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		return enc.Encode(m)
	})
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// tally counts rows, which are written one by one.
type tally struct{ n, longest int }

func (t *tally) Write(b []byte) (int, error) {
	t.n++
	t.longest = max(t.longest, len(b)-1) // without the line's end
	return len(b), nil
}

// replace writes a file under a temporary name and renames it when it is whole
// and synced.
func replace(path string, write func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	w := bufio.NewWriterSize(f, 1<<16)
	if err := errors.Join(write(w), w.Flush(), f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return fmt.Errorf("export: %w", err)
	}
	return nil
}
